"""Ways of finding noise, one a file; a new one is a file and a line in `DETECTORS`."""

from tf_recdenoiser.noise.detectors.base import FitRecommender, NoiseModel
from tf_recdenoiser.noise.detectors.context import ContextModel, build_detector
from tf_recdenoiser.noise.detectors.surprisal import (
    SurprisalFeatures,
    SurprisalModel,
    build_surprisal_detector,
    next_item_log_ratios,
)

DETECTORS: dict[str, type[NoiseModel]] = {"context": ContextModel, "surprisal": SurprisalModel}
"""Noise models by name."""

__all__ = [
    "DETECTORS",
    "ContextModel",
    "FitRecommender",
    "NoiseModel",
    "SurprisalFeatures",
    "SurprisalModel",
    "build_detector",
    "build_surprisal_detector",
    "next_item_log_ratios",
]
