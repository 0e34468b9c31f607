"""Detection by a density ratio: how much likelier an item is as the log's than as drawn noise."""

from __future__ import annotations

import abc
from collections.abc import Callable
from typing import Any, ClassVar

import numpy as np

from tf_recdenoiser._settings import default
from tf_recdenoiser.data import Histories
from tf_recdenoiser.noise.cross_fitting import (
    CrossFitting,
    Detection,
    can_cross_fit,
    check_can_cross_fit,
)
from tf_recdenoiser.noise.detectors.base import NoiseModel


class DensityRatioModel(NoiseModel):
    """A way of finding noise that nobody has marked, by the distribution it is drawn from.

    A detector gives the log of a density ratio, log p(x | context) / q(x), of an item x in its
    place: p is the distribution of the log's items, q that of noise. Every item is judged by a
    detector that was fitted to other users' sequences alone: else everything that a user did fits.

    Attributes
    ----------
    folds
        Into how many parts users are divided.
    rounds
        How often detectors are fitted by default; from the second time on items
        count by what was found before.
    """

    folds: ClassVar[int]
    rounds: ClassVar[int]

    def __init_subclass__(cls) -> None:
        super().__init_subclass__()
        cls.detectors = cls.folds

    @abc.abstractmethod
    def detector(self, others: Histories, weights: np.ndarray, fold: int) -> Any:
        """An untrained detector, as `build_detector` makes one, that knows nothing of one fold.

        Parameters
        ----------
        others
            The sequences of the other folds.
        weights
            How much each of their items counts.
        fold
            The number of the fold that is left out.
        """

    @classmethod
    def can_learn(cls, train: Histories) -> bool:
        """Whether enough users have items to learn from: two for each fold."""
        return can_cross_fit(train, cls.folds)

    @classmethod
    def check(cls, train: Histories) -> None:
        """Raise DataError unless it `can_learn`."""
        check_can_cross_fit(train, cls.folds)

    def cross_fit(
        self,
        train: Histories,
        distribution: str = default(NoiseModel.cross_fit, "distribution"),
        rounds: int | None = None,
        seed: int = default(NoiseModel.cross_fit, "seed"),
        report: Callable[[str], None] = default(NoiseModel.cross_fit, "report"),
    ) -> Detection:
        """Find which items are noise; see `NoiseModel.cross_fit`."""
        fitting = CrossFitting(
            self.detector, train, self.item_count, distribution, self.max_length, self.folds, seed
        )
        return fitting.find(self.rounds if rounds is None else rounds, report)
