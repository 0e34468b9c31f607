"""Runs: settings, training with a record of it, and using what was trained."""

from tf_recdenoiser.runs.building import (
    build_gates,
    build_objective,
    build_recommender,
    idle_settings,
    resolved,
)
from tf_recdenoiser.runs.directory import RunDirectory
from tf_recdenoiser.runs.loading import Run, load_run
from tf_recdenoiser.runs.models import RunError
from tf_recdenoiser.runs.noise_models import noise_model
from tf_recdenoiser.runs.presets import PRESETS
from tf_recdenoiser.runs.recording import best_epoch
from tf_recdenoiser.runs.scoring import PARTS, Inputs, Scorer, evaluation_inputs
from tf_recdenoiser.runs.settings import (
    DENOISER,
    EDGES_PER_ENTRY,
    FINDERS,
    NO_DENOISER,
    NO_GATES,
    Settings,
)
from tf_recdenoiser.runs.sources import load_dataset, load_log, load_split, synthetic_options
from tf_recdenoiser.runs.training import EXTENDABLE, gate_statistics, train

__all__ = [
    "DENOISER",
    "EDGES_PER_ENTRY",
    "EXTENDABLE",
    "FINDERS",
    "NO_DENOISER",
    "NO_GATES",
    "PARTS",
    "PRESETS",
    "Inputs",
    "Run",
    "RunDirectory",
    "RunError",
    "Scorer",
    "Settings",
    "best_epoch",
    "build_gates",
    "build_objective",
    "build_recommender",
    "evaluation_inputs",
    "gate_statistics",
    "idle_settings",
    "load_dataset",
    "load_log",
    "load_run",
    "load_split",
    "noise_model",
    "resolved",
    "synthetic_options",
    "train",
]
