"""`tf-recdenoiser recommend`."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Annotated

import polars as pl
import typer
from typer import Argument, Option

from tf_recdenoiser._files import check_folder, written_whole
from tf_recdenoiser.cli.console import JsonOption, busy, counting, errors, note
from tf_recdenoiser.cli.device import computes
from tf_recdenoiser.cli.histories import (
    DislikedOption,
    LikedOption,
    OptionalHistory,
    TimesOption,
    UserOption,
    parse_history,
)
from tf_recdenoiser.cli.items import show_items
from tf_recdenoiser.data import Dataset, MissingColumnError
from tf_recdenoiser.data.feedback import Thresholds
from tf_recdenoiser.data.log import counted
from tf_recdenoiser.runs import Run, RunError, load_dataset, load_run

WRITERS: dict[str, Callable[[pl.DataFrame, Path], None]] = {
    ".parquet": pl.DataFrame.write_parquet,
    ".csv": pl.DataFrame.write_csv,
    ".jsonl": pl.DataFrame.write_ndjson,
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
            "has; it may lack the feedback. Items and users that the run does not know are passed "
            "over.",
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
    with busy("Reading histories"):
        dataset = _dataset(loaded, histories)
    with counting("users", dataset.user_count) as advance:
        table = loaded.recommend_all(dataset, loaded.wanted(k, not include_seen, **lists), advance)
    with written_whole(out) as temporary:
        WRITERS[out.suffix](table, temporary)
    done = table["user"].n_unique()
    note(f"{counted(table.height, 'recommendation')} to {counted(done, 'user')} are in {out}.")
    if done < dataset.user_count:
        note(
            f"{counted(dataset.user_count - done, 'user')} of whom the run knows no item got none.",
            errors,
        )


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
