"""Runs: settings, the stages of training with a record of them, and using what was trained."""

from tf_recdenoiser._settings import SettingsError
from tf_recdenoiser.runs.build import build_recommender
from tf_recdenoiser.runs.cluster import ALONE, STRATEGIES, Cluster, cluster_of
from tf_recdenoiser.runs.directory import RunDirectory
from tf_recdenoiser.runs.errors import RunError
from tf_recdenoiser.runs.loading import Run, load_run
from tf_recdenoiser.runs.observer import Observer
from tf_recdenoiser.runs.presets import PRESETS
from tf_recdenoiser.runs.resolve import resolve
from tf_recdenoiser.runs.runner import train
from tf_recdenoiser.runs.settings import Settings
from tf_recdenoiser.runs.sources import load_dataset, load_log, load_split
from tf_recdenoiser.runs.toml import as_toml, assignment, read_settings

__all__ = [
    "ALONE",
    "PRESETS",
    "STRATEGIES",
    "Cluster",
    "Observer",
    "Run",
    "RunDirectory",
    "RunError",
    "Settings",
    "SettingsError",
    "as_toml",
    "assignment",
    "build_recommender",
    "cluster_of",
    "load_dataset",
    "load_log",
    "load_run",
    "load_split",
    "read_settings",
    "resolve",
    "train",
]
