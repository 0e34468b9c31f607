"""What the objectives have in common that can take some of what came next for noise."""

from __future__ import annotations

import abc
import dataclasses

from tf_recdenoiser.layers.noise_mixture import NoiseMixture
from tf_recdenoiser.training.objectives.base import Objective


@dataclasses.dataclass(frozen=True)
class NoiseAwareObjective(Objective):
    """An objective whose scores say how probable items are, and so can be mixed with noise.

    Parameters
    ----------
    noise_rate
        rho, the assumed share of noise among the targets: the objective is then one of scores
        under a `NoiseMixture`, and the model's own scores are those of clean items. 0 by
        default.
    """

    noise_rate: float = dataclasses.field(default=0.0, kw_only=True)

    @abc.abstractmethod
    def neutral_score(self, item_count: int) -> float:
        """The best score for an item that is as probable as by a uniform distribution."""

    def mixture(self, item_count: int) -> NoiseMixture | None:
        if self.noise_rate == 0:
            return None
        neutral = self.neutral_score(item_count)
        return NoiseMixture(self.noise_rate, item_count, neutral, name="noise_mixture")
