"""`tf-recdenoiser recommend`."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import numpy as np
from rich.table import Table
from typer import Argument, Option

from tf_recdenoiser.cli.console import item_column, output, print_json
from tf_recdenoiser.cli.histories import HistoryOption, TimesOption, UserOption, parse_history
from tf_recdenoiser.runs import load_run


def recommend(
    run: Annotated[Path, Argument(help="A run directory that `train` wrote.")],
    history: HistoryOption,
    user: UserOption = None,
    times: TimesOption = None,
    k: Annotated[int, Option("-k", min=1, help="How many items.")] = 10,
    include_seen: Annotated[
        bool, Option("--include-seen", help="Also recommend items of the history.")
    ] = False,
    json: Annotated[bool, Option("--json", help="Print JSON instead of a table.")] = False,
) -> None:
    """Recommend the next items after a history."""
    loaded = load_run(run)
    codes, inputs = parse_history(loaded, history, user, times)
    scores = loaded.scores(inputs)[0]
    scores[0] = -np.inf
    if not include_seen:
        scores[codes] = -np.inf
    best = np.argsort(-scores, kind="stable")[:k]
    best = best[np.isfinite(scores[best])]
    ids = loaded.item_ids[best - 1].tolist()
    if json:
        found = [{"item": i, "score": float(s)} for i, s in zip(ids, scores[best], strict=True)]
        print_json(found)
        return
    table = Table("rank", item_column(), "score")
    for rank, (item, score) in enumerate(zip(ids, scores[best], strict=True), 1):
        table.add_row(str(rank), str(item), f"{score:.3f}")
    output.print(table)
