"""Training objectives. A new one is one file and one line in `OBJECTIVES`."""

from tf_recdenoiser.training.objectives.base import Objective
from tf_recdenoiser.training.objectives.binary_cross_entropy import (
    BinaryCrossEntropy,
    CandidateCrossentropy,
)

OBJECTIVES: dict[str, type[Objective]] = {
    "bce": BinaryCrossEntropy,
}
"""Every objective by name."""

__all__ = ["OBJECTIVES", "BinaryCrossEntropy", "CandidateCrossentropy", "Objective"]
