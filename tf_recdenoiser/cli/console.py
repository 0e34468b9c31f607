"""Where commands print: results to standard output, all else to standard error."""

from __future__ import annotations

import contextlib
import json
import math
from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Annotated, Any

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn
from rich.status import Status
from rich.table import Column, Table
from rich.text import Text
from typer import Option

from tf_recdenoiser.evaluation import DISLIKED

# Ids and paths are shown as they are: "[b]" is not markup, ":tv:" is no emoji.
output = Console(markup=False, emoji=False)
errors = Console(markup=False, emoji=False, stderr=True)


def busy(what: str) -> Status:
    """A context manager that shows a spinner on terminals while `what` is done."""
    return errors.status(Text(what))


@contextlib.contextmanager
def counting(what: str, total: int) -> Iterator[Callable[[int], None]]:
    """Shows a bar on terminals while `total` things are done; call what it gives with how many."""
    columns = (TextColumn(what), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    off = not errors.is_terminal
    with Progress(*columns, console=errors, transient=True, disable=off) as progress:
        task = progress.add_task("", total=total)
        yield lambda done: progress.advance(task, done)


JsonOption = Annotated[bool, Option("--json", help="Print JSON instead of a table.")]


def note(text: str, console: Console = output) -> None:
    """Print text whose lines a terminal may wrap, and which a file or a pipe gets unbroken."""
    console.print(text, soft_wrap=True, highlight=False)


def item_column() -> Column:
    """A column for raw ids: none is cut short, however narrow the terminal is."""
    return Column("item", overflow="fold")


def title_column() -> Column:
    """A column for titles, whole however long they are."""
    return Column("title", overflow="fold")


def print_json(value: Any) -> None:
    """Print `value` as JSON, for other programs, without colours or wrapping.

    What is not finite is null, since JSON has neither NaN nor infinity.
    """
    print(json.dumps(_finite(value), indent=1, ensure_ascii=False))


def _finite(value: Any) -> Any:
    if isinstance(value, Mapping):
        return {key: _finite(of_key) for key, of_key in value.items()}
    if isinstance(value, (list, tuple)):
        return [_finite(one) for one in value]
    return None if isinstance(value, float) and not math.isfinite(value) else value


_PROTOCOLS = {
    "full": "against the whole catalogue",
    "paper": "against up to 100 items that are new to the user",
    "sasrec": "as SASRec's code samples",
}

_DISLIKED = f"{DISLIKED}@10"
_COLUMNS = {
    "hit@1": "Hit@1",
    "hit@5": "Hit@5",
    "hit@10": "Hit@10",
    "ndcg@5": "NDCG@5",
    "ndcg@10": "NDCG@10",
    # In a narrow terminal the space breaks it in the right place.
    _DISLIKED: "Disliked @10",
}
ABOUT_DISLIKED = "disliked@10: the share of disliked items among the first 10; less is better."


def show_metrics(title: str, models: Mapping[str, Mapping[str, Mapping[str, float]]]) -> None:
    """Print a table with a row for each model and protocol, and what the protocols are.

    Parameters
    ----------
    title
        Above the table.
    models
        Metrics by model and protocol, as `metrics.json` has them for a split.
    """
    all_metrics = [metrics for protocols in models.values() for metrics in protocols.values()]
    names = [name for name in _COLUMNS if any(name in metrics for metrics in all_metrics)]
    table = Table(title=title, title_justify="left")
    # Folded and not cut where the terminal is too narrow for them.
    table.add_column("model", overflow="fold")
    table.add_column("protocol", overflow="fold")
    for name in names:
        table.add_column(_COLUMNS[name], justify="right", overflow="fold")
    for model, protocols in models.items():
        for protocol, metrics in protocols.items():
            values = (f"{metrics[name]:.4f}" if name in metrics else "-" for name in names)
            table.add_row(model, protocol, *values)
        table.add_section()
    output.print(table)
    explain_protocols(protocol for protocols in models.values() for protocol in protocols)
    if _DISLIKED in names:
        note(ABOUT_DISLIKED)


def explain_protocols(names: Iterable[str]) -> None:
    """Say what some protocols are, each once."""
    note("; ".join(f"{name}: {_PROTOCOLS[name]}" for name in dict.fromkeys(names)) + ".")
