"""What trains weights: one file an optimizer, registered below."""

from __future__ import annotations

from tf_recdenoiser.training.optimizers.adam import Adam
from tf_recdenoiser.training.optimizers.lazy_adam import LazyAdam

OPTIMIZERS: dict[str, type[Adam]] = {"adam": Adam, "lazy_adam": LazyAdam}
"""Every optimizer by name."""

LAZY_FROM = 100_000
"""How many items make a run that does not say otherwise train lazily."""

__all__ = ["LAZY_FROM", "OPTIMIZERS", "Adam", "LazyAdam"]
