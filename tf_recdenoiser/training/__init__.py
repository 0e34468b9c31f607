"""Training: the model with the custom train step, objectives, the recommender."""

from tf_recdenoiser.training.denoising_model import PARTS, DenoisingModel
from tf_recdenoiser.training.explain import Explanation, explain
from tf_recdenoiser.training.objectives import (
    OBJECTIVES,
    BinaryCrossEntropy,
    CandidateCrossentropy,
    Objective,
)
from tf_recdenoiser.training.recommender import Recommender

__all__ = [
    "OBJECTIVES",
    "PARTS",
    "BinaryCrossEntropy",
    "CandidateCrossentropy",
    "DenoisingModel",
    "Explanation",
    "Objective",
    "Recommender",
    "explain",
]
