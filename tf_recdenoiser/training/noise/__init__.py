"""Which items of a history are noise: a detector of its own, and the probabilities it gives."""

from tf_recdenoiser.training.noise.detector import build_detector, log_ratio_tensor, log_ratios
from tf_recdenoiser.training.noise.posterior import noise_probability, noise_rate

__all__ = [
    "build_detector",
    "log_ratio_tensor",
    "log_ratios",
    "noise_probability",
    "noise_rate",
]
