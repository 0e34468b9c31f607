"""`tf-recdenoiser explain`."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

from rich.table import Table
from typer import Argument, Option

from tf_recdenoiser.cli.console import output, print_json
from tf_recdenoiser.cli.histories import HistoryOption, parse_history
from tf_recdenoiser.runs import load_run
from tf_recdenoiser.training.explain import explain as explain_histories


def explain(
    run: Annotated[Path, Argument(help="A run directory that `train` wrote.")],
    history: HistoryOption,
    json: Annotated[bool, Option("--json", help="Print JSON instead of a table.")] = False,
) -> None:
    """Show what each layer kept of a history, and what it pruned.

    For each item and layer: how much of the attention that the newest position pays to the
    item passes its gate, from 0 (pruned) to 1.
    """
    loaded = load_run(run)
    raw_ids, codes = parse_history(loaded, history)
    raw_ids = [raw for raw, code in zip(raw_ids, codes, strict=True) if code]
    raw_ids = raw_ids[-loaded.settings.max_length :]
    found = explain_histories(loaded.recommender, loaded.history_matrix(codes))
    kept = found.kept_per_layer[0, :, -len(raw_ids) :].T
    if json:
        rows = [
            {"item": raw, "kept": [float(value) for value in values]}
            for raw, values in zip(raw_ids, kept, strict=True)
        ]
        print_json(rows)
        return
    layers = kept.shape[1]
    if not layers:
        output.print("This run has no gates: every item is kept in every layer.")
        return
    table = Table("item", *(f"layer {index + 1}" for index in range(layers)))
    for raw, values in zip(raw_ids, kept, strict=True):
        table.add_row(raw, *(f"{v:.2f}" if v > 0 else "[red]pruned[/]" for v in values))
    output.print(table)
    output.print("Oldest item first; the last row is the newest item.")
