"""Self-attentive recommenders that ignore the noise in interaction logs.

An implementation of *Denoising Self-Attentive Sequential Recommendation* (Chen et al.,
RecSys 2022, arXiv 2212.04120) for TensorFlow and Keras: trainable binary masks on attention,
unbiased gradient estimators for them, and a Jacobian penalty on Transformer blocks.

After `import tf_recdenoiser as tfr` the parts are `tfr.layers`, `tfr.backbones` and so on. Each is
imported when it is first used, and TensorFlow with the first that needs it.
"""

from __future__ import annotations

import importlib
import os
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from tf_recdenoiser.runs import Run

__version__ = "0.1.0"

_PARTS = (
    "backbones",
    "data",
    "estimators",
    "evaluation",
    "experiments",
    "layers",
    "noise",
    "ops",
    "reports",
    "retrieval",
    "runs",
    "serve",
    "training",
    "tuning",
)
__all__ = ["load", *_PARTS]


def load(path: str | os.PathLike[str]) -> Run:
    """The run that `train` wrote to a directory, ready to be used.

    Parameters
    ----------
    path
        Of the run directory.

    Returns
    -------
    The `runs.Run`: it recommends, explains, finds similar items, and is saved or exported.

    Raises
    ------
    RunError
        If there is no run, it has no checkpoint yet, it is damaged, or it was made by the other
        Keras.
    """
    from tf_recdenoiser.runs import load_run

    return load_run(path)


def __getattr__(name: str) -> Any:
    if name in _PARTS:
        return importlib.import_module(f"{__name__}.{name}")
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
