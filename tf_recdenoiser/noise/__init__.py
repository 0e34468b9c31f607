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
    NOISE_LAWS,
    PLACES,
    NoisePlanter,
    NoisySplit,
    law_shares,
    plant_noise,
)
from tf_recdenoiser.noise.metrics import precision_at_noise, roc_area
from tf_recdenoiser.noise.network import NetworkTrainer, context_features, log_ratios
from tf_recdenoiser.noise.posterior import noise_probability, noise_rate
from tf_recdenoiser.noise.scorer import NoiseScorer

__all__ = [
    "CORRECTIONS",
    "DETECTORS",
    "NOISE_LAWS",
    "PLACES",
    "Cleaning",
    "ContextModel",
    "Correction",
    "Detection",
    "NetworkTrainer",
    "NoiseModel",
    "NoisePlanter",
    "NoiseScorer",
    "NoisySplit",
    "Softening",
    "SurprisalFeatures",
    "SurprisalModel",
    "Treatment",
    "build_detector",
    "build_surprisal_detector",
    "context_features",
    "law_shares",
    "log_ratios",
    "next_item_log_ratios",
    "noise_probability",
    "noise_rate",
    "plant_noise",
    "precision_at_noise",
    "roc_area",
]
