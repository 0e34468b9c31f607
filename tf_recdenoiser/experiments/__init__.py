"""Experiments: several systems on the same data and seeds, compared."""

from tf_recdenoiser.experiments.comparison import Comparison, compare
from tf_recdenoiser.experiments.finding import find_planted, noise_finders
from tf_recdenoiser.experiments.planted import (
    METHODS,
    closed_gap,
    planted_settings,
    run_directory,
    run_planted,
)

__all__ = [
    "METHODS",
    "Comparison",
    "closed_gap",
    "compare",
    "find_planted",
    "noise_finders",
    "planted_settings",
    "run_directory",
    "run_planted",
]
