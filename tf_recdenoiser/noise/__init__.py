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
    NoiseModel,
    SurprisalFeatures,
    SurprisalModel,
    build_detector,
    build_surprisal_detector,
    next_item_log_ratios,
)
from tf_recdenoiser.noise.injection import (
    NOISE_DISTRIBUTIONS,
    PLACES,
    NoiseInjector,
    NoisySplit,
    inject_noise,
    noise_frequencies,
)
from tf_recdenoiser.noise.metrics import precision_at_noise, roc_auc
from tf_recdenoiser.noise.network import NetworkTrainer, context_features, log_ratios
from tf_recdenoiser.noise.posterior import noise_probability, noise_rate
from tf_recdenoiser.noise.scorer import NoiseScorer
from tf_recdenoiser.noise.settings import NO_DETECTOR, ORACLE, NoiseSettings

__all__ = [
    "CORRECTIONS",
    "DETECTORS",
    "NOISE_DISTRIBUTIONS",
    "NO_DETECTOR",
    "ORACLE",
    "PLACES",
    "Cleaning",
    "ContextModel",
    "Correction",
    "Detection",
    "NetworkTrainer",
    "NoiseInjector",
    "NoiseModel",
    "NoiseScorer",
    "NoiseSettings",
    "NoisySplit",
    "Softening",
    "SurprisalFeatures",
    "SurprisalModel",
    "Treatment",
    "build_detector",
    "build_surprisal_detector",
    "context_features",
    "inject_noise",
    "log_ratios",
    "next_item_log_ratios",
    "noise_frequencies",
    "noise_probability",
    "noise_rate",
    "precision_at_noise",
    "roc_auc",
]
