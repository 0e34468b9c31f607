"""Find the noise of a log: detectors fitted on some users and asked about the others."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from typing import Any

import numpy as np

from tf_recdenoiser._keras import keras
from tf_recdenoiser.data import DetectionBatches, Histories, NoisePlanter
from tf_recdenoiser.training import Recommender
from tf_recdenoiser.training.noise import (
    build_detector,
    log_ratios,
    noise_probability,
    noise_rate,
)

FOLDS = 2


@dataclasses.dataclass(frozen=True, eq=False)
class Detection:
    """What was found of noise in training sequences.

    Attributes
    ----------
    detectors
        One for each fold of users, trained on the others.
    rate
        The estimated share of noise.
    log_ratios
        float32 [N], of each item of the training sequences, by the detector that was not
        trained on its user.
    """

    detectors: tuple[Recommender, ...]
    rate: float
    log_ratios: np.ndarray

    @property
    def probability(self) -> np.ndarray:
        """P(noise) of each item of the training sequences, float32 [N]."""
        return noise_probability(self.log_ratios, self.rate)

    def noise_scores(self, item_ids: np.ndarray) -> np.ndarray:
        """P(noise) of each item of some histories `[B, n]`, 0 where padded.

        The detectors' log ratios are averaged.
        """
        found = np.mean([log_ratios(detector, item_ids) for detector in self.detectors], axis=0)
        return noise_probability(found, self.rate) * (item_ids > 0)


def detect_noise(
    train: Histories,
    item_count: int,
    law: str = "popularity",
    max_length: int = 50,
    width: int = 50,
    dropout: float = 0.2,
    batch_size: int = 128,
    epochs: int = 100,
    patience: int = 5,
    seed: int = 0,
    callbacks: Sequence[Any] = (),
) -> Detection:
    """Fit a detector on each half of the users, and ask it about the other half.

    A detector that has been trained on a history holds all of it for meant, so every item is
    judged by one that has not seen its user. Training stops when the loss on the users left out
    no longer falls.

    Parameters
    ----------
    train
        The users' training sequences.
    item_count
        Number of items.
    law
        Of the noise looked for; see `data.plant_noise`.
    max_length, width, dropout
        Of the detectors; see `build_detector`.
    batch_size, epochs, patience
        Of their training: at most so many epochs, fewer if the loss has not fallen for
        `patience` epochs.
    seed
        Of everything random.
    callbacks
        Further Keras callbacks.
    """
    fold_of_row = np.random.default_rng(seed).permutation(train.row_count) % FOLDS
    detectors, ratios = [], np.zeros(len(train.items), np.float32)
    of_noise = np.zeros(len(train.items), np.float32)
    noise = NoisePlanter(train, item_count, 0.0, law).draw(
        ratios.shape, np.random.default_rng([seed, 1])
    )
    for fold in range(FOLDS):
        fitted, left_out = (
            DetectionBatches(
                _only(train, rows), item_count, max_length, batch_size, seed + fold, law
            )
            for rows in (fold_of_row != fold, fold_of_row == fold)
        )
        keras.utils.set_random_seed(seed + fold)
        detector = build_detector(item_count, max_length, width, dropout, seed=seed + fold)
        _fit(detector, fitted, left_out, epochs, patience, callbacks)
        detectors.append(detector)
        rows = np.flatnonzero(fold_of_row == fold)
        where = np.repeat(fold_of_row, train.lengths) == fold
        windows = _Windows.over(train, rows, max_length)
        item_ids = windows.cut(train)
        ratios[where] = windows.join(log_ratios(detector, item_ids))
        drawn = windows.cut(dataclasses.replace(train, items=noise))
        of_noise[where] = windows.join(log_ratios(detector, item_ids, drawn))
    return Detection(tuple(detectors), noise_rate(ratios, of_noise), ratios)


def without_noise(item_ids: np.ndarray, probability: np.ndarray, above: float) -> np.ndarray:
    """Histories without the items that are probably noise, closed up towards the newest.

    The item of a history with the least probability of noise always stays.

    Parameters
    ----------
    item_ids
        `[B, n]`, left-padded with 0.
    probability
        P(noise) of each, `[B, n]`.
    above
        What is left out is above this.

    Examples
    --------
    >>> without_noise(np.array([[0, 3, 7, 5]]), np.array([[0.0, 0.1, 0.2, 0.9]]), above=0.5)
    array([[0, 0, 3, 7]])
    """
    is_item = item_ids > 0
    least = np.where(is_item, probability, np.inf).min(axis=1, keepdims=True)
    kept = is_item & (probability <= np.maximum(above, least))
    order = np.argsort(kept, axis=1, kind="stable")
    return np.take_along_axis(item_ids * kept, order, axis=1)


def _only(histories: Histories, rows: np.ndarray) -> Histories:
    """The histories with every row emptied that `rows`, bool [R], does not choose."""
    return histories.keep(np.repeat(rows, histories.lengths))


def _fit(
    detector: Recommender,
    fitted: DetectionBatches,
    left_out: DetectionBatches,
    epochs: int,
    patience: int,
    callbacks: Sequence[Any],
) -> None:
    example = detector.objective.example
    detector.fit(
        fitted.dataset(0, epochs).map(example),
        epochs=epochs,
        steps_per_epoch=fitted.steps_per_epoch,
        validation_data=left_out.dataset(0, 1).map(example),
        callbacks=[
            keras.callbacks.EarlyStopping("val_loss", patience=patience, restore_best_weights=True),
            *callbacks,
        ],
        shuffle=False,
        verbose=0,
    )


@dataclasses.dataclass(frozen=True, eq=False)
class _Windows:
    """Windows of n positions over whole sequences, in which each item is near the middle.

    Attributes
    ----------
    rows, skipped
        [W] the row of each window, and how many of the row's newest items come after it.
    window, column
        [M] for each item of the rows, in their order, where it is looked up.
    length
        n.
    """

    rows: np.ndarray
    skipped: np.ndarray
    window: np.ndarray
    column: np.ndarray
    length: int

    @classmethod
    def over(cls, histories: Histories, rows: np.ndarray, length: int) -> _Windows:
        step = max(1, length // 2)
        lengths = histories.lengths[rows]
        counts = np.where(lengths > 0, 1 + -(-np.maximum(lengths - length, 0) // step), 0)
        first = np.cumsum(counts) - counts
        ends = np.cumsum(lengths)
        from_end = np.repeat(ends, lengths) - 1 - np.arange(lengths.sum())
        number = np.clip((from_end - length // 4) // step, 0, np.repeat(counts - 1, lengths))
        return cls(
            rows=np.repeat(rows, counts),
            skipped=step * (np.arange(counts.sum()) - np.repeat(first, counts)),
            window=np.repeat(first, lengths) + number,
            column=length - 1 - (from_end - step * number),
            length=length,
        )

    def cut(self, histories: Histories) -> np.ndarray:
        """The windows `[W, n]`."""
        return histories.last(self.length, self.rows, self.skipped)

    def join(self, values: np.ndarray) -> np.ndarray:
        """[M], the value `[W, n]` of each item."""
        return values[self.window, self.column]
