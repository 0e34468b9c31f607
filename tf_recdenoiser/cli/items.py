"""Items with scores, as a command prints them."""

from __future__ import annotations

from rich.table import Table

from tf_recdenoiser.cli.console import item_column, output, print_json, title_column
from tf_recdenoiser.runs.loading import ScoredItem


def show_items(found: list[ScoredItem], what: str, json: bool) -> None:
    """Print items, the best first; `what` says what their numbers are."""
    titled = any(one.title for one in found)
    if json:
        print_json(
            [
                {"item": one.item, **({"title": one.title} if titled else {}), what: one.score}
                for one in found
            ]
        )
        return
    table = Table("rank", item_column(), *([title_column()] if titled else []), what)
    for rank, (item, score, title) in enumerate(found, 1):
        table.add_row(str(rank), str(item), *([title] if titled else []), f"{score:.3f}")
    output.print(table)
