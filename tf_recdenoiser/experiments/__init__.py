"""Experiments: several systems on the same data and seeds, compared."""

from tf_recdenoiser.experiments.comparison import Comparison, compare
from tf_recdenoiser.experiments.finding import find_planted, noise_finders
from tf_recdenoiser.experiments.gating import GATING, window_width, with_sources
from tf_recdenoiser.experiments.paired import PLAIN, Method, chosen, run_directory, run_paired
from tf_recdenoiser.experiments.planted import MENDING, closed_gap
from tf_recdenoiser.experiments.systems import SYSTEMS, fitting_systems

__all__ = [
    "GATING",
    "MENDING",
    "PLAIN",
    "SYSTEMS",
    "Comparison",
    "Method",
    "chosen",
    "closed_gap",
    "compare",
    "find_planted",
    "fitting_systems",
    "noise_finders",
    "run_directory",
    "run_paired",
    "window_width",
    "with_sources",
]
