"""On which device a command computes."""

from __future__ import annotations

from typing import Annotated

import tensorflow as tf
from typer import Option

from tf_recdenoiser.runs import RunError

DeviceOption = Annotated[
    str | None,
    Option(
        "--device",
        metavar="NAME",
        help="Compute on `cpu`, or on one accelerator, as `gpu:0`; on all, if not given.",
    ),
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
