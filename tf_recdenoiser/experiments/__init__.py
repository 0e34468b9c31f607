"""Experiments: several systems on the same data and seeds, compared."""

from tf_recdenoiser.experiments.comparison import Comparison, compare
from tf_recdenoiser.experiments.planted import METHODS, planted_settings, run_planted

__all__ = ["METHODS", "Comparison", "compare", "planted_settings", "run_planted"]
