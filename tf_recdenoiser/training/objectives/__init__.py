"""Training objectives. A new one is one file and one line in `OBJECTIVES`."""

from tf_recdenoiser.training.objectives.base import Objective
from tf_recdenoiser.training.objectives.bayesian_personalized_ranking import (
    BayesianPersonalizedRanking,
)
from tf_recdenoiser.training.objectives.binary_cross_entropy import (
    BinaryCrossEntropy,
    CandidateCrossentropy,
)
from tf_recdenoiser.training.objectives.bootstrapped_cross_entropy import BootstrappedCrossEntropy
from tf_recdenoiser.training.objectives.cross_entropy import CrossEntropy
from tf_recdenoiser.training.objectives.generalized_binary_cross_entropy import (
    GeneralizedBinaryCrossEntropy,
)
from tf_recdenoiser.training.objectives.noise_aware import NoiseAwareObjective
from tf_recdenoiser.training.objectives.reweighted_cross_entropy import ReweightedCrossEntropy
from tf_recdenoiser.training.objectives.sampled import SampledObjective
from tf_recdenoiser.training.objectives.sampled_softmax import SampledSoftmax
from tf_recdenoiser.training.objectives.top1 import Top1
from tf_recdenoiser.training.objectives.truncated_cross_entropy import TruncatedCrossEntropy

OBJECTIVES: dict[str, type[Objective]] = {
    "bce": BinaryCrossEntropy,
    "cross_entropy": CrossEntropy,
    "sampled_softmax": SampledSoftmax,
    "gbce": GeneralizedBinaryCrossEntropy,
    "bpr": BayesianPersonalizedRanking,
    "top1": Top1,
    "t_ce": TruncatedCrossEntropy,
    "r_ce": ReweightedCrossEntropy,
    "bootstrap": BootstrappedCrossEntropy,
}
"""Every objective by name."""

DEFAULT_OBJECTIVE = "sampled_softmax"
"""The one of a recommender, or a run, that does not say which."""

__all__ = [
    "DEFAULT_OBJECTIVE",
    "OBJECTIVES",
    "BayesianPersonalizedRanking",
    "BinaryCrossEntropy",
    "BootstrappedCrossEntropy",
    "CandidateCrossentropy",
    "CrossEntropy",
    "GeneralizedBinaryCrossEntropy",
    "NoiseAwareObjective",
    "Objective",
    "ReweightedCrossEntropy",
    "SampledObjective",
    "SampledSoftmax",
    "Top1",
    "TruncatedCrossEntropy",
]
