"""What a correction does about noise that was found."""

from __future__ import annotations

from typing import ClassVar

import numpy as np

from tf_recdenoiser.noise.corrections.histories import Cleaning, Softening, Treatment


class Correction:
    """What is done about noise; this one does nothing but clean histories.

    A kind of correction says what it changes: the targets of training, its sequences, the inputs
    of the backbone, or the objective. If the probabilities of noise are right, each trains in
    expectation on what users meant.

    Attributes
    ----------
    weighs_targets
        Whether targets are weighted; `target_weights` says how much each weighs.
    leaves_items_out
        Whether items are left out of training sequences, which are closed up: each with its
        probability of being noise, drawn anew in every epoch.
    softens
        Where the backbone softens items by the probability that they are meant, its input
        `clean_probability`; of `backbones.SOFTENED`, or None.
    mixes_noise
        Whether the objective takes any target for noise with the share that was found; see
        `training.NoiseAwareObjective`.
    """

    weighs_targets: ClassVar[bool] = False
    leaves_items_out: ClassVar[bool] = False
    softens: ClassVar[str | None] = None
    mixes_noise: ClassVar[bool] = False

    def target_weights(self, noise: np.ndarray, least: float = 0.0) -> np.ndarray | None:
        """The weight of each item as a target, float [N]; None where all weigh 1.

        The weight is max(1 - P(noise), `least`) where the correction weighs targets.

        Parameters
        ----------
        noise
            P(noise) of each item, [N].
        least
            What a target weighs at the least, in [0, 1]. Above 0 no item is unlearned altogether,
            however rare it is.

        Examples
        --------
        >>> from tf_recdenoiser.noise import CORRECTIONS
        >>> CORRECTIONS["targets"].target_weights(np.array([0.0, 0.25, 1.0]), least=0.5)
        array([1.  , 0.75, 0.5 ])
        """
        if not 0 <= least <= 1:
            raise ValueError(f"`least_weight` must be in [0, 1]. Received: least_weight={least}")
        return np.maximum(1.0 - noise, least) if self.weighs_targets else None

    def treatment(self, cleaning: Cleaning) -> Treatment:
        """What becomes of the histories that recommendations start from.

        A backbone that softens is told how probably each item is meant; `cleaning` leaves items
        out for all others.
        """
        return cleaning if self.softens is None else Softening()
