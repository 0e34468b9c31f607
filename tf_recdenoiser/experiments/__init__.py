"""Experiments: several models on the same data and seeds, compared."""

from tf_recdenoiser.experiments.comparison import Comparison, compare
from tf_recdenoiser.experiments.correcting import CORRECTING, closed_gap
from tf_recdenoiser.experiments.disliking import DISLIKING, find_disliked
from tf_recdenoiser.experiments.finding import find_injected, noise_finders
from tf_recdenoiser.experiments.gating import GATING, window_width, with_sources
from tf_recdenoiser.experiments.models import MODELS, fitting_models
from tf_recdenoiser.experiments.paired import PLAIN, Method, chosen, run_directory, run_paired

__all__ = [
    "CORRECTING",
    "DISLIKING",
    "GATING",
    "MODELS",
    "PLAIN",
    "Comparison",
    "Method",
    "chosen",
    "closed_gap",
    "compare",
    "find_disliked",
    "find_injected",
    "fitting_models",
    "noise_finders",
    "run_directory",
    "run_paired",
    "window_width",
    "with_sources",
]
