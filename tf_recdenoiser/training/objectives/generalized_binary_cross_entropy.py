"""gBCE: binary cross-entropy that is not overconfident for having few negatives."""

from __future__ import annotations

import dataclasses
import math
from typing import Any, ClassVar

from tf_recdenoiser.ops.checks import require
from tf_recdenoiser.training.objectives.binary_cross_entropy import CandidateCrossentropy
from tf_recdenoiser.training.objectives.noise_aware import NoiseAwareObjective
from tf_recdenoiser.training.objectives.sampled import SampledObjective


@dataclasses.dataclass(frozen=True)
class GeneralizedBinaryCrossEntropy(NoiseAwareObjective, SampledObjective):
    """gBCE, the objective of gSASRec (Petrov and Macdonald 2023).

    -log sigma(s_x)^b - sum_{j = 1 … m} log(1 - sigma(s_j)),
    b = a (t (1 - 1/a) + 1/a),   a = m / (I - 1)

    Binary cross-entropy with few of the I - 1 other items as negatives holds the true item for
    more probable than it is; the power b corrects that: fully for t = 1, where b = a, not at
    all for t = 0, where b = 1. The sum over candidates is not divided by 1 + m, so that the
    loss for t = 0 is that of `BinaryCrossEntropy`. It is least for
    s_i = log b p(i | history) / (m q(i)).

    Parameters
    ----------
    negatives
        m; 256 by default, as in gSASRec.
    share_negatives
        As in `SampledObjective`; True by default.
    calibration
        t; 0.75 by default, as in gSASRec.
    noise_rate
        See `NoiseAwareObjective`.

    Raises
    ------
    ValueError
        If `negatives` is below 1, or `calibration` outside [0, 1].

    Examples
    --------
    >>> GeneralizedBinaryCrossEntropy(2, calibration=0.5).loss(item_count=9).positive_weight
    0.625
    """

    log_ratios: ClassVar[bool] = True

    negatives: int = 256
    share_negatives: bool = True
    calibration: float = 0.75

    def __post_init__(self) -> None:
        super().__post_init__()
        require(0 <= self.calibration <= 1, "calibration", self.calibration, "be in [0, 1]")

    def power(self, item_count: int) -> float:
        """B, of a catalogue of so many items."""
        # Written out, b = t (a - 1) + 1; of a single item there are no others.
        share = self.negatives / max(item_count - 1, 1)
        return self.calibration * (share - 1) + 1

    def neutral_score(self, item_count: int) -> float:
        return math.log(self.power(item_count) / self.negatives)

    def loss(self, item_count: int) -> Any:
        return CandidateCrossentropy(self.power(item_count))
