"""Ways of finding noise, one a file; a new one is a file and a line in `DETECTORS`."""

from tf_recdenoiser.noise.detectors.base import FitRecommender, NoiseModel
from tf_recdenoiser.noise.detectors.context import ContextModel, build_detector
from tf_recdenoiser.noise.detectors.density_ratio import DensityRatioModel
from tf_recdenoiser.noise.detectors.feedback import FeedbackModel, build_feedback_detector
from tf_recdenoiser.noise.detectors.surprisal import (
    SurprisalFeatures,
    SurprisalModel,
    build_surprisal_detector,
    next_item_log_ratios,
)

DETECTORS: dict[str, type[NoiseModel]] = {
    "context": ContextModel,
    "feedback": FeedbackModel,
    "surprisal": SurprisalModel,
}
"""Noise models by name."""

__all__ = [
    "DETECTORS",
    "ContextModel",
    "DensityRatioModel",
    "FeedbackModel",
    "FitRecommender",
    "NoiseModel",
    "SurprisalFeatures",
    "SurprisalModel",
    "build_detector",
    "build_feedback_detector",
    "build_surprisal_detector",
    "next_item_log_ratios",
]
