"""`tf-recdenoiser explain`."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

from rich.table import Table
from rich.text import Text
from typer import Argument, Option

from tf_recdenoiser.cli.console import item_column, note, output, print_json
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
    codes = parse_history(loaded, history)[-loaded.settings.max_length :]
    found = explain_histories(loaded.recommender, loaded.history_matrix(codes))
    kept = found.kept_per_layer[0, :, -len(codes) :].T
    items = loaded.item_ids[codes - 1].tolist()
    if json:
        rows = [
            {"item": item, "kept": [float(value) for value in values]}
            for item, values in zip(items, kept, strict=True)
        ]
        print_json(rows)
        return
    if not loaded.recommender.gate_layers:
        note("This run has no gates: every item is kept in every layer.")
        return
    table = Table(item_column(), *(f"layer {index + 1}" for index in range(kept.shape[1])))
    for item, values in zip(items, kept, strict=True):
        table.add_row(str(item), *(f"{v:.2f}" if v > 0 else Text("pruned", "red") for v in values))
    output.print(table)
    note("Oldest item first; the last row is the newest item.")
