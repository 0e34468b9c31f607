"""`tf-recdenoiser recommend`."""

from __future__ import annotations

import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Annotated, Any

import polars as pl
import typer
from typer import Argument, Option

from tf_recdenoiser._files import check_folder, written_whole
from tf_recdenoiser.cli.console import JsonOption, busy, counting, errors, note
from tf_recdenoiser.cli.device import computes
from tf_recdenoiser.cli.engines import HERE, EngineOption, EngineOptionsOption, engine_of
from tf_recdenoiser.cli.histories import (
    DislikedOption,
    LikedOption,
    OptionalHistory,
    TimesOption,
    UserOption,
    parse_history,
)
from tf_recdenoiser.cli.items import show_items
from tf_recdenoiser.data import Dataset, MissingColumnError, PreparedDataset, is_prepared
from tf_recdenoiser.data.feedback import Thresholds
from tf_recdenoiser.data.log import counted
from tf_recdenoiser.data.prepared import Engine
from tf_recdenoiser.runs import Run, RunError, load_dataset, load_run
from tf_recdenoiser.runs.recommending import Wanted
from tf_recdenoiser.runs.sharded import recommend_shards
from tf_recdenoiser.runs.sources import streamed

WRITERS: dict[str, Callable[[pl.LazyFrame, Path], Any]] = {
    ".parquet": pl.LazyFrame.sink_parquet,
    ".csv": pl.LazyFrame.sink_csv,
    ".jsonl": pl.LazyFrame.sink_ndjson,
}


_WITHOUT_FEEDBACK = dict.fromkeys(
    [f"log.{name}" for name in ("feedback_column", *vars(Thresholds()))]
)


@computes
def recommend(
    run: Annotated[Path, Argument(help="A run directory that `train` wrote.")],
    history: OptionalHistory = None,
    user: UserOption = None,
    times: TimesOption = None,
    disliked: DislikedOption = None,
    liked: LikedOption = None,
    all_users: Annotated[
        bool,
        Option("--all-users", help="Recommend to every user of the log that the run learned from."),
    ] = False,
    histories: Annotated[
        Path | None,
        Option(
            help="Recommend to every user of this log, which has the columns that the run's own "
            "has, though it may lack the feedback; or of what was prepared of one. Items and "
            "users that the run does not know are passed over.",
            show_default=False,
        ),
    ] = None,
    out: Annotated[
        Path | None,
        Option(
            help=f"Where to write what is recommended to many users: {', '.join(WRITERS)}.",
            show_default=False,
        ),
    ] = None,
    k: Annotated[int, Option("-k", min=1, help="How many items.")] = 10,
    include_seen: Annotated[
        bool, Option("--include-seen", help="Also recommend items of the history.")
    ] = False,
    allow: Annotated[
        Path | None,
        Option(help="Recommend no items but those in this file, an id a line.", show_default=False),
    ] = None,
    deny: Annotated[
        Path | None,
        Option(help="Do not recommend the items in this file, an id a line.", show_default=False),
    ] = None,
    json: JsonOption = False,
    engine: EngineOption = HERE,
    engine_options: EngineOptionsOption = "",
) -> None:
    """Recommend the next items: after one history, or to many users at once.

    * `recommend RUN --history ID,ID` prints a table;
    * `recommend RUN --all-users --out recs.parquet` writes `user`, `rank`, `item` and `score` for
      all users of the log;
    * `recommend RUN --histories newest.csv --out recs.csv` does so for the users of another log.
    """
    if (history is not None) + all_users + (histories is not None) != 1:
        raise typer.BadParameter("Give one of --history, --all-users and --histories.")
    if history is None:
        if any(one is not None for one in (user, times, disliked, liked)):
            raise typer.BadParameter("--user, --times, --disliked and --liked go with --history.")
        _check_out(out)
    elif engine != HERE:
        raise typer.BadParameter("--engine goes with --all-users and --histories.")
    does = engine_of(engine, engine_options)
    loaded = load_run(run)
    lists = {"allow": _listed(loaded, allow), "deny": _listed(loaded, deny)}
    if history is not None:
        typed = parse_history(loaded, history, user, times, disliked, liked)
        found = loaded.recommend(
            typed.ids, k, user, typed.times, not include_seen, disliked=typed.disliked, **lists
        )
        show_items(found, "score", json)
        return
    assert out is not None
    wanted, prepared = loaded.wanted(k, not include_seen, **lists), _prepared(loaded, histories)
    with tempfile.TemporaryDirectory(dir=out.parent, prefix=".recommend-") as folder:
        if prepared is None:
            if engine != HERE:
                raise RunError(
                    "`--engine` must go with a prepared data set, which has shards; see "
                    f"`prepare --help`. Received: --engine {engine}"
                )
            user_count, parts = _of_dataset(loaded, histories, wanted)
        else:
            user_count, parts = _of_shards(loaded, prepared, wanted, Path(folder), does)
        sizes = [
            part.select(pl.len(), pl.col("user").n_unique()).collect().row(0) for part in parts
        ]
        with written_whole(out) as temporary:
            WRITERS[out.suffix](pl.concat(parts), temporary)
    rows, done = (sum(column) for column in zip(*sizes, strict=True))
    note(f"{counted(rows, 'recommendation')} to {counted(done, 'user')} are in {out}.")
    if done < user_count:
        note(
            f"{counted(user_count - done, 'user')} of whom the run knows no item got none.",
            errors,
        )


def _prepared(run: Run, histories: Path | None) -> PreparedDataset | None:
    """What is gone through a shard at a time; None if all histories are in memory."""
    if histories is not None:
        return PreparedDataset(histories) if is_prepared(histories) else None
    prepared = streamed(run.settings)
    if prepared is not None:
        run.dataset()  # is what the run was trained on
    return prepared


def _of_dataset(run: Run, histories: Path | None, wanted: Wanted) -> tuple[int, list[pl.LazyFrame]]:
    """How many users there are, and what is recommended to them."""
    with busy("Reading histories"):
        dataset = _dataset(run, histories)
    with counting("users", dataset.user_count) as advance:
        return dataset.user_count, [run.recommend_all(dataset, wanted, advance).lazy()]


def _of_shards(
    run: Run, prepared: PreparedDataset, wanted: Wanted, folder: Path, engine: Engine
) -> tuple[int, list[pl.LazyFrame]]:
    """The same of all shards, each in a file of the folder."""
    with counting("shards", len(prepared.shards)) as advance:
        paths = recommend_shards(run, prepared, folder, wanted, engine, lambda: advance(1))
    if not paths:
        raise RunError(
            "The histories must hold an item that the run knows. "
            f"Received: {prepared.folder}, which holds none"
        )
    return prepared.manifest.users, [pl.scan_parquet(path) for path in paths]


def _check_out(out: Path | None) -> None:
    if out is None or out.suffix not in WRITERS:
        raise RunError(
            f"`--out` must be given with many users, and end in {', '.join(WRITERS)}. "
            f"Received: {out}"
        )
    check_folder(out.parent)


def _dataset(run: Run, histories: Path | None) -> Dataset:
    if histories is None:
        return run.dataset()
    if run.settings.log.name != "file":
        raise RunError("`--histories` needs a run on a file. Received: a run on a synthetic log")
    # The run that it began with may be gone.
    changed = {"log.path": str(histories), "log.k_core": 0, "fit.warm_start": None}
    settings = run.settings.replace(changed)
    try:
        return load_dataset(settings)
    except MissingColumnError as error:
        if "feedback" not in error.roles:
            raise
    note(
        f"{histories} has no column {settings.log.feedback_column!r}: what its users disliked is "
        "not known.",
        errors,
    )
    return load_dataset(settings.replace(_WITHOUT_FEEDBACK))


def _listed(run: Run, path: Path | None) -> list[str] | None:
    """The ids in a file, those that the run does not know left out and reported."""
    if path is None:
        return None
    lines = [line.strip() for line in path.read_text("utf-8-sig").splitlines()]
    ids = [line for line in lines if line]
    unknown = [one for one, code in zip(ids, run.codes(ids), strict=True) if code == 0]
    if unknown:
        some = ", ".join(unknown[:3])
        note(f"{path}: the run does not know {counted(len(unknown), 'item')}: {some}", errors)
    return ids
