"""What every way of finding noise has in common."""

from __future__ import annotations

import abc
from collections.abc import Callable
from typing import Any, ClassVar

import numpy as np

from tf_recdenoiser.data import Histories
from tf_recdenoiser.noise.cross_fitting import Detection

FitRecommender = Callable[[Histories, np.ndarray, int], Any]
"""A trained `Recommender` of some users' sequences, how much each of their items counts, and the
number of the fold of users that is left out."""


def no_recommender(*_: Any) -> Any:
    """Refuses to train one: ValueError."""
    raise ValueError(
        "`fit_recommender` must be given to a noise model that judges items by a recommender. "
        "Received: none"
    )


class NoiseModel(abc.ABC):
    """A way of finding the noise of a log, by detectors of one kind.

    A detector gives a log ratio r of each item in its place, by which the item is noise with the
    probability ρ exp(-r); ρ is the share of noise. See `noise_probability`.

    Parameters
    ----------
    item_count
        Number of items.
    max_length
        n, the places that are read at a time; 50 by default.
    hidden_dim
        Of item vectors, where there are some; 50 by default.
    fit_recommender
        Trains a recommender, for models that judge by one.
    new_recommender
        Gives an untrained one, to read weights into.

    Attributes
    ----------
    detectors
        How many detectors judge a history; their log ratios are averaged.
    """

    detectors: ClassVar[int]

    def __init__(
        self,
        item_count: int,
        max_length: int = 50,
        hidden_dim: int = 50,
        fit_recommender: FitRecommender = no_recommender,
        new_recommender: Callable[[], Any] = no_recommender,
    ) -> None:
        self.item_count = item_count
        self.max_length = max_length
        self.hidden_dim = hidden_dim
        self.fit_recommender = fit_recommender
        self.new_recommender = new_recommender

    @abc.abstractmethod
    def empty(self) -> Any:
        """A detector that knows nothing yet, to read the weights of another into."""

    @classmethod
    @abc.abstractmethod
    def can_learn(cls, train: Histories) -> bool:
        """Whether there is enough in users' training sequences to learn from."""

    @classmethod
    @abc.abstractmethod
    def check(cls, train: Histories) -> None:
        """Raise DataError, which says what is missing, unless it `can_learn` from the sequences."""

    @abc.abstractmethod
    def cross_fit(
        self,
        train: Histories,
        distribution: str = "popularity",
        rounds: int | None = None,
        seed: int = 0,
        report: Callable[[str], None] = lambda text: None,
    ) -> Detection:
        """Find which items of users' sequences are noise.

        Parameters
        ----------
        train
            The users' training sequences.
        distribution
            Of the noise looked for, where a model looks for drawn noise; see `inject_noise`.
        rounds
            At least 1; None (default) for the model's own number, where it takes several.
        seed
            Of everything random.
        report
            Called with what is being done, in a few words.

        Raises
        ------
        DataError
            If there is too little to learn from; see `can_learn`.
        ValueError
            If there is no such distribution.

        Examples
        --------
        >>> from tf_recdenoiser.data import prepare, synthetic_log
        >>> from tf_recdenoiser.noise import ContextModel, NoisySplit
        >>> log = synthetic_log(users=20, items=20, clusters=4)
        >>> noisy = NoisySplit.of(prepare(log.log), log.is_noise)
        >>> model = ContextModel(item_count=20, max_length=10, hidden_dim=4)
        >>> found = model.cross_fit(noisy.split.train, rounds=1)
        >>> found.probability.shape == noisy.train.items.shape
        True
        """
