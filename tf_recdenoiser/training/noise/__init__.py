"""Which items of a history are noise: a detector of its own, and the probabilities it gives."""

from tf_recdenoiser.training.noise.cleaning import Cleaning, Softening, Treatment
from tf_recdenoiser.training.noise.detector import (
    NetworkTrainer,
    build_detector,
    context_features,
    log_ratios,
)
from tf_recdenoiser.training.noise.posterior import noise_probability, noise_rate
from tf_recdenoiser.training.noise.scorer import NoiseScorer
from tf_recdenoiser.training.noise.surprisal import (
    SurprisalFeatures,
    build_surprisal_detector,
    next_item_log_ratios,
)

__all__ = [
    "Cleaning",
    "NetworkTrainer",
    "NoiseScorer",
    "Softening",
    "SurprisalFeatures",
    "Treatment",
    "build_detector",
    "build_surprisal_detector",
    "context_features",
    "log_ratios",
    "next_item_log_ratios",
    "noise_probability",
    "noise_rate",
]
