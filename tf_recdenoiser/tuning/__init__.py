"""Search for settings with KerasTuner."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from tf_recdenoiser.tuning.search import (
    Search,
    best_directory,
    load_search,
    run_search,
    train_best,
)
from tf_recdenoiser.tuning.space import CHOICES, Choices, choices_for, search_space
from tf_recdenoiser.tuning.trial import SearchObserver, Trial, best_trial
from tf_recdenoiser.tuning.tuners import TUNERS

if TYPE_CHECKING:
    from tf_recdenoiser.tuning.hypermodel import RecommenderHyperModel

__all__ = [
    "CHOICES",
    "TUNERS",
    "Choices",
    "RecommenderHyperModel",
    "Search",
    "SearchObserver",
    "Trial",
    "best_directory",
    "best_trial",
    "choices_for",
    "load_search",
    "run_search",
    "search_space",
    "train_best",
]


def __getattr__(name: str) -> Any:
    # A subclass of KerasTuner's, which brings a second Keras along: only who uses it waits.
    if name == "RecommenderHyperModel":
        from tf_recdenoiser.tuning.hypermodel import RecommenderHyperModel

        return RecommenderHyperModel
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
