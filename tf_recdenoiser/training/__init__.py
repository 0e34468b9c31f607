"""Training: the model with the custom train step, conversion, objectives, the recommender."""

from tf_recdenoiser.training.convert import denoise
from tf_recdenoiser.training.denoising_model import DenoisingModel
from tf_recdenoiser.training.explain import Explanation, explain
from tf_recdenoiser.training.fixed_gates import fix_gates
from tf_recdenoiser.training.gate_training import GateTraining
from tf_recdenoiser.training.objectives import (
    DEFAULT_OBJECTIVE,
    OBJECTIVES,
    BayesianPersonalizedRanking,
    BinaryCrossEntropy,
    BootstrappedCrossEntropy,
    CrossEntropy,
    GeneralizedBinaryCrossEntropy,
    NoiseAwareObjective,
    Objective,
    ReweightedCrossEntropy,
    SampledSoftmax,
    Top1,
    TruncatedCrossEntropy,
)
from tf_recdenoiser.training.optimizers import LAZY_FROM, OPTIMIZERS, Adam, LazyAdam
from tf_recdenoiser.training.recommender import Recommender

__all__ = [
    "DEFAULT_OBJECTIVE",
    "LAZY_FROM",
    "OBJECTIVES",
    "OPTIMIZERS",
    "Adam",
    "BayesianPersonalizedRanking",
    "BinaryCrossEntropy",
    "BootstrappedCrossEntropy",
    "CrossEntropy",
    "DenoisingModel",
    "Explanation",
    "GateTraining",
    "GeneralizedBinaryCrossEntropy",
    "LazyAdam",
    "NoiseAwareObjective",
    "Objective",
    "Recommender",
    "ReweightedCrossEntropy",
    "SampledSoftmax",
    "Top1",
    "TruncatedCrossEntropy",
    "denoise",
    "explain",
    "fix_gates",
]
