"""What a correction does about noise that was found."""

from __future__ import annotations

import dataclasses
from typing import ClassVar

import numpy as np

from tf_recdenoiser.noise.corrections.histories import Cleaning, Softening, Treatment


@dataclasses.dataclass(frozen=True)
class Correction:
    """What is done about noise: to targets, to sequences, to inputs, or to the objective.

    If the probabilities of noise are right, each kind trains in expectation on what users really
    did. The fields of a kind are its settings.

    Attributes
    ----------
    leaves_items_out
        Whether items are left out of training sequences, which are closed up: each with its
        probability of being noise, drawn anew in every epoch.
    softens
        Where the backbone softens items by the probability that they are no noise, its input
        `clean_probability`; of `backbones.SOFTENED`, or None.
    mixes_noise
        Whether the objective takes any target for noise with the share that was found; see
        `training.NoiseAwareObjective`.
    """

    leaves_items_out: ClassVar[bool] = False
    softens: ClassVar[str | None] = None
    mixes_noise: ClassVar[bool] = False

    def target_weights(self, noise: np.ndarray) -> np.ndarray | None:
        """The weight of each item as a target, float [N], by P(noise) [N]; None: all weigh 1."""
        return None

    def treatment(self) -> Treatment:
        """What becomes of the histories that recommendations start from.

        A backbone that softens reads how probably each item is clean.
        """
        return Softening()


@dataclasses.dataclass(frozen=True)
class HistoryCleaning(Correction):
    """Leaves noise out of the histories that recommendations start from; see `Cleaning`.

    Parameters
    ----------
    clean_above
        Items with a probability of noise above this are left out; 0.9 by default.
    clean_newest_above
        The same for the newest items, one after the other; 0.6 by default.
    """

    clean_above: float = Cleaning.above
    clean_newest_above: float = Cleaning.newest_above

    def __post_init__(self) -> None:
        for name in ("clean_above", "clean_newest_above"):
            if (value := getattr(self, name)) < 0:
                raise ValueError(f"`{name}` must be at least 0. Received: {name}={value}")

    def treatment(self) -> Treatment:
        return Cleaning(self.clean_above, self.clean_newest_above)


@dataclasses.dataclass(frozen=True)
class WeightedTargets(Correction):
    """Targets weigh max(1 - P(noise), `least_weight`).

    Parameters
    ----------
    least_weight
        In [0, 1]; 0 by default. Above 0 no item is unlearned altogether, however rare it is.
    """

    least_weight: float = 0.0

    def __post_init__(self) -> None:
        if not 0 <= self.least_weight <= 1:
            raise ValueError(
                f"`least_weight` must be in [0, 1]. Received: least_weight={self.least_weight}"
            )

    def target_weights(self, noise: np.ndarray) -> np.ndarray | None:
        return np.maximum(1.0 - noise, self.least_weight)
