"""Recommendations to all users of a prepared data set, a shard at a time."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from pathlib import Path
from typing import Any

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
        Where the files go, which is made if need be. What is there already is not made again.
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
    folder.mkdir(parents=True, exist_ok=True)
    piece = _Recommend(run, prepared, folder, Wanted() if wanted is None else wanted)
    count = len(prepared.shards)
    (Local() if engine is None else engine).run(piece, count, advance)
    return [path for path in map(piece.path, range(count)) if path.exists()]


@dataclasses.dataclass(frozen=True)
class _Recommend:
    """Writes what is recommended to the users of a shard, unless it is there.

    Elsewhere it loads the run, once, for a model cannot be sent.
    """

    run: Run
    prepared: PreparedDataset
    folder: Path
    wanted: Wanted

    def __call__(self, number: int) -> None:
        path = self.path(number)
        if path.exists():
            return
        dataset = self.prepared.dataset([self.prepared.shards[number]])
        table = self.run.recommend_all(dataset, self.wanted)
        if not table.is_empty():
            with written_whole(path) as temporary:
                table.write_parquet(temporary)

    def path(self, number: int) -> Path:
        """The file of a shard."""
        return self.folder / f"part-{number:05}.parquet"

    def __reduce__(self) -> tuple[Any, ...]:
        places = self.run.directory.path.absolute(), self.prepared.folder.absolute()
        return _loaded, (*places, self.folder.absolute(), self.wanted)


def _loaded(run: Path, prepared: Path, folder: Path, wanted: Wanted) -> _Recommend:
    return _Recommend(load_run(run), PreparedDataset(prepared), folder, wanted)
