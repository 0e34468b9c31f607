"""Self-attentive recommenders that ignore the noise in interaction logs.

An implementation of *Denoising Self-Attentive Sequential Recommendation* (Chen et al.,
RecSys 2022, arXiv 2212.04120) for TensorFlow and Keras: trainable binary masks on attention,
unbiased gradient estimators for them, and a Jacobian penalty on Transformer blocks.

After `import tf_recdenoiser as tfr` the parts are `tfr.layers`, `tfr.backbones` and so on. Each is
imported when it is first used, and TensorFlow with the first that needs it.
"""

from __future__ import annotations

import importlib
from typing import Any

__version__ = "0.1.0"

__all__ = [
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
    "training",
    "tuning",
]


def __getattr__(name: str) -> Any:
    if name in __all__:
        return importlib.import_module(f"{__name__}.{name}")
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
