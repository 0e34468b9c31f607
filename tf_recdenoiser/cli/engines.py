"""The options that say where pieces of large work are done."""

from __future__ import annotations

from typing import Annotated

from typer import Option

from tf_recdenoiser.cli.choices import one_of
from tf_recdenoiser.data.prepared import ENGINES, Engine
from tf_recdenoiser.runs import RunError

HERE = "local"

_PANEL = "Computing"

EngineOption = Annotated[
    str,
    Option(
        **one_of(ENGINES, "Where shards are done: in this process, or by Apache Beam."),
        rich_help_panel=_PANEL,
    ),
]
EngineOptionsOption = Annotated[
    str,
    Option(
        help="What the engine is told, such as Beam's `--runner=FlinkRunner`; Beam uses the "
        "cores of this machine if nothing else is said.",
        show_default=False,
        rich_help_panel=_PANEL,
    ),
]


def engine_of(name: str, options: str) -> Engine:
    """The engine of that name, which is told these options."""
    if options and name == HERE:
        raise RunError(f"`--engine-options` must go with another engine. Received: --engine {HERE}")
    return ENGINES[name](options)
