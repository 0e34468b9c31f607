"""On what a command computes: one device or all, and how many threads."""

from __future__ import annotations

import functools
import inspect
from collections.abc import Callable
from typing import Annotated, Any

import tensorflow as tf
import typer
from typer import Option

from tf_recdenoiser.runs import RunError

PANEL = "Computing"
"""Under which help lists these options."""

_OPTIONS = {
    "device": Annotated[
        str | None,
        Option(
            "--device",
            metavar="NAME",
            help="On `cpu`, or one accelerator, as `gpu:0`; else on all.",
            rich_help_panel=PANEL,
        ),
    ],
    "threads": Annotated[
        int | None,
        Option(
            "--threads",
            min=1,
            help="How many threads; one for each core if not given.",
            show_default=False,
            rich_help_panel=PANEL,
        ),
    ],
}


def computes(command: Callable[..., None]) -> Callable[..., None]:
    """Give a command the options that say on what it computes, after its own."""
    own = inspect.signature(command, eval_str=True)

    @functools.wraps(command)
    def run(**values: Any) -> None:
        use_device(values.pop("device"))
        use_threads(values.pop("threads"))
        command(**values)

    further = [
        inspect.Parameter(name, inspect.Parameter.KEYWORD_ONLY, default=None, annotation=option)
        for name, option in _OPTIONS.items()
    ]
    keyword = [one.replace(kind=inspect.Parameter.KEYWORD_ONLY) for one in own.parameters.values()]
    parameters = [*keyword, *further]
    run.__signature__ = inspect.Signature(parameters)  # type: ignore[attr-defined]
    run.__annotations__ = {one.name: one.annotation for one in parameters}
    return run


def stated_computing(context: typer.Context) -> list[str]:
    """What a command line says of devices and threads, as it says it."""
    given = {name: context.params.get(name) for name in _OPTIONS}
    return [
        text
        for name, value in given.items()
        if value is not None
        for text in (f"--{name}", str(value))
    ]


def use_device(name: str | None) -> None:
    """Let TensorFlow see one device alone, beside the CPU; None: all.

    Raises
    ------
    RunError
        If there is no such device.
    """
    if name is None:
        return
    kind, _, number = name.upper().partition(":")
    accelerators = tf.config.list_physical_devices("GPU")
    names = {"CPU": [], **{f"GPU:{index}": [one] for index, one in enumerate(accelerators)}}
    wanted = kind if kind == "CPU" else f"{kind}:{number or 0}"
    if wanted not in names:
        raise RunError(
            f"`--device` must be one of {', '.join(names).lower()} here. Received: {name!r}"
        )
    tf.config.set_visible_devices(names[wanted], "GPU")


def use_threads(count: int | None) -> None:
    """Let TensorFlow compute with so many threads; None: as many as there are cores."""
    if count is not None:
        tf.config.threading.set_intra_op_parallelism_threads(count)
        tf.config.threading.set_inter_op_parallelism_threads(count)
