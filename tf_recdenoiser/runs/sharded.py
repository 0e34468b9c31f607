"""Recommendations to all users of a prepared data set, a shard at a time."""

from __future__ import annotations

import functools
from collections.abc import Callable
from pathlib import Path

from tf_recdenoiser._files import written_whole
from tf_recdenoiser.data import PreparedDataset
from tf_recdenoiser.data.prepared import Engine, Local
from tf_recdenoiser.runs.loading import Run, load_run
from tf_recdenoiser.runs.recommending import Wanted


def recommend_shards(
    run: Run,
    prepared: PreparedDataset,
    folder: Path,
    wanted: Wanted | None = None,
    engine: Engine | None = None,
    advance: Callable[[], None] = lambda: None,
) -> list[Path]:
    """Write the next items for all users into Parquet files, one for each shard with users.

    Parameters
    ----------
    run
        Whose model recommends.
    prepared
        The users' histories; items that the run does not know are passed over.
    folder
        Where the files go. What is there already is not made again.
    wanted
        How many items, and which; None (default) for `Wanted()`.
    engine
        Where it is done; None (default) for this process.
    advance
        Called after each shard.

    Returns
    -------
    The paths of the files, in the order of the shards, with what `Run.recommend_all` returns.
    """
    piece = functools.partial(
        _recommend_shard, run.directory.path, prepared.folder, folder, wanted or Wanted()
    )
    count = len(prepared.shards)
    (Local() if engine is None else engine).run(piece, count, advance)
    return [path for path in map(functools.partial(_path, folder), range(count)) if path.exists()]


def _recommend_shard(
    run_path: Path, prepared_path: Path, folder: Path, wanted: Wanted, number: int
) -> None:
    path = _path(folder, number)
    if path.exists():
        return
    prepared = PreparedDataset(prepared_path)
    dataset = prepared.dataset([prepared.shards[number]])
    table = _loaded(run_path).recommend_all(dataset, wanted)
    if not table.is_empty():
        with written_whole(path) as temporary:
            table.write_parquet(temporary)


_loaded = functools.lru_cache(maxsize=1)(load_run)  # by each worker once, and not for each shard


def _path(folder: Path, number: int) -> Path:
    return folder / f"part-{number:05}.parquet"
