"""All that the library knows of noise: injecting, finding and correcting it."""

from tf_recdenoiser.noise.corrections import (
    CORRECTIONS,
    Cleaning,
    Correction,
    Softening,
    Treatment,
)
from tf_recdenoiser.noise.cross_fitting import Detection
from tf_recdenoiser.noise.detectors import (
    DETECTORS,
    ContextModel,
    FeedbackModel,
    NoiseModel,
    SurprisalModel,
)
from tf_recdenoiser.noise.injection import NOISE_DISTRIBUTIONS, NoisySplit, inject_noise
from tf_recdenoiser.noise.metrics import precision_at_noise, roc_auc
from tf_recdenoiser.noise.posterior import noise_probability, noise_rate, with_feedback
from tf_recdenoiser.noise.scorer import NoiseScorer

__all__ = [
    "CORRECTIONS",
    "DETECTORS",
    "NOISE_DISTRIBUTIONS",
    "Cleaning",
    "ContextModel",
    "Correction",
    "Detection",
    "FeedbackModel",
    "NoiseModel",
    "NoiseScorer",
    "NoisySplit",
    "Softening",
    "SurprisalModel",
    "Treatment",
    "inject_noise",
    "noise_probability",
    "noise_rate",
    "precision_at_noise",
    "roc_auc",
    "with_feedback",
]
