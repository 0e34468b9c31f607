"""Cross-fitting: detectors are fitted on some users and asked about the others."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from typing import Any

import numpy as np

from tf_recdenoiser._keras import generators_kept, keras
from tf_recdenoiser.data import DataError, Histories
from tf_recdenoiser.noise.injection import NoiseInjector
from tf_recdenoiser.noise.metrics import roc_auc
from tf_recdenoiser.noise.network import NetworkTrainer, context_features, log_ratios
from tf_recdenoiser.noise.posterior import noise_probability, noise_rate
from tf_recdenoiser.noise.scorer import NoiseScorer
from tf_recdenoiser.noise.windows import Windows

MakeDetector = Callable[[Histories, np.ndarray, int], Any]
"""An untrained detector from the sequences of all folds of users but one, how much each of their
items counts, and the number of that fold."""

# Histories of each fold that networks are trained on: they have some thousand parameters.
_FITTED = 1024
# Of the examples a network learns from, how many say when it has learned enough.
_WATCHED = 0.1


@dataclasses.dataclass(frozen=True, eq=False)
class Detection:
    """What was found of noise in training sequences.

    Attributes
    ----------
    scorer
        Of histories, with a detector for each fold of users, made from the others.
    log_ratios
        float32 [N], of each item of the training sequences. A `DensityRatioModel`'s are by a
        detector that was not told about it; a `FeedbackModel`'s are for items of which nothing is
        known, see `with_feedback`.
    roc_auc
        How well noise is told from the rest, as the area under the ROC curve: 0.5 is chance. Of
        `DensityRatioModel`s it is items against drawn noise; the log's own noise counts as items,
        so that 1 cannot be reached. Of a `FeedbackModel` it is items that were disliked against the
        others of which something is known, each judged without what is known of it.
    """

    scorer: NoiseScorer
    log_ratios: np.ndarray
    roc_auc: float

    @property
    def probability(self) -> np.ndarray:
        """P(noise) of each item of the training sequences, float32 [N]."""
        return noise_probability(self.log_ratios, self.scorer.rate)


class CrossFitting:
    """Judges every item by a detector that knows nothing of its user.

    Parameters
    ----------
    make
        Gives the detector of a fold; its network is trained here.
    train, item_count, distribution, max_length, seed
        See `NoiseModel`, whose users call its `cross_fit`.
    folds
        At least 2.
    """

    def __init__(
        self,
        make: MakeDetector,
        train: Histories,
        item_count: int,
        distribution: str,
        max_length: int,
        folds: int,
        seed: int,
    ) -> None:
        self._make, self._train, self._folds = make, train, folds
        self._max_length, self._seed = max_length, seed
        self._trainer = NetworkTrainer(seed=seed)
        rng = np.random.default_rng(seed)
        self._fold_of_row = _folds(train, folds, rng)
        self._order = rng.permutation(train.row_count)
        drawn = NoiseInjector(train, item_count, 0.0, distribution).draw_unseen(train, rng)
        self._drawn = dataclasses.replace(train, items=drawn)

    @generators_kept()
    def find(self, rounds: int, report: Callable[[str], None]) -> Detection:
        """What is found in so many rounds; `report` is called for each."""
        probability = np.zeros(len(self._train.items))
        for number in range(rounds):
            report(f"round {number + 1} of {rounds}")
            detection = self._round(1.0 - probability)
            probability = detection.probability
        return detection

    def _round(self, weights: np.ndarray) -> Detection:
        """Detectors by item vectors in which items have these weights, and what they find."""
        detectors = [self._detector(fold, weights) for fold in range(self._folds)]
        examples = [self._examples(fold, detector) for fold, detector in enumerate(detectors)]
        of_items, of_noise = np.zeros((2, len(self._train.items)), np.float32)
        for fold, detector in enumerate(detectors):
            others = [pair for other, pair in enumerate(examples) if other != fold]
            items, noise = (np.concatenate(parts) for parts in zip(*others, strict=True))
            at = int(len(items) * (1 - _WATCHED))
            self._trainer.fit(detector, items[:at], noise[:at], (items[at:], noise[at:]))
            where = np.repeat(self._fold_of_row, self._train.lengths) == fold
            of_items[where], of_noise[where] = self._log_ratios(fold, detector)
        is_noise = np.repeat([False, True], len(of_items))
        return Detection(
            NoiseScorer(tuple(detectors), noise_rate(of_items, of_noise)),
            of_items,
            roc_auc(-np.concatenate([of_items, of_noise]), is_noise),
        )

    def _detector(self, fold: int, weights: np.ndarray) -> Any:
        keras.utils.set_random_seed(self._seed + fold)
        kept = np.repeat(self._fold_of_row != fold, self._train.lengths)
        return self._make(self._train.keep(kept), weights[kept], fold)

    def _examples(self, fold: int, detector: Any) -> tuple[np.ndarray, np.ndarray]:
        """Features `[M, F]` of the items of some histories of the fold, and of drawn noise."""
        rows = self._order[self._fold_of_row[self._order] == fold][:_FITTED]
        item_ids, noise = (
            histories.last(self._max_length, rows) for histories in (self._train, self._drawn)
        )
        is_item = item_ids > 0
        items, drawn = (
            context_features(detector, item_ids, candidates)[is_item]
            for candidates in (item_ids, noise)
        )
        return items, drawn

    def _log_ratios(self, fold: int, detector: Any) -> tuple[np.ndarray, np.ndarray]:
        """Of every item of the fold, and of the noise drawn for its place."""
        rows = np.flatnonzero(self._fold_of_row == fold)
        windows = Windows.over(self._train, rows, self._max_length)
        item_ids = windows.cut(self._train)
        items, noise = (
            windows.join(log_ratios(detector, item_ids, windows.cut(candidates)))
            for candidates in (self._train, self._drawn)
        )
        return items, noise


def can_cross_fit(train: Histories, folds: int) -> bool:
    """Whether enough users have items to learn from: two for each fold."""
    return _teachers(train) >= 2 * folds


def check_can_cross_fit(train: Histories, folds: int) -> None:
    """Raise DataError unless `can_cross_fit`."""
    if not can_cross_fit(train, folds):
        raise DataError(
            f"Noise can be looked for where at least {2 * folds} users have two items or more to "
            "learn from: look for none, with `--detector none`. "
            f"Received: {_teachers(train)} such users"
        )


def _teachers(train: Histories) -> int:
    return int((train.lengths >= 2).sum())


def _folds(train: Histories, folds: int, rng: np.random.Generator) -> np.ndarray:
    """The fold of each row, [R], with as many rows to learn from in each as can be."""
    check_can_cross_fit(train, folds)
    order = rng.permutation(train.row_count) + train.row_count * (train.lengths < 2)
    return order.argsort().argsort() % folds
