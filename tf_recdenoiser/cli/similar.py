"""`tf-recdenoiser similar`."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

from typer import Argument, Option

from tf_recdenoiser.cli.console import JsonOption
from tf_recdenoiser.cli.device import computes
from tf_recdenoiser.cli.items import show_items
from tf_recdenoiser.runs import load_run


@computes
def similar(
    run: Annotated[Path, Argument(help="A run directory that `train` wrote.")],
    item: Annotated[str, Argument(help="The item's id as in the log.")],
    k: Annotated[int, Option("-k", min=1, help="How many items.")] = 10,
    json: JsonOption = False,
) -> None:
    """Show the items most like one: those that follow the same histories.

    The similarity is the cosine of the vectors that scores are taken with, 1 at most.
    """
    show_items(load_run(run).similar(item, k), "similarity", json)
