"""Find the noise of a log: detectors fitted on some users and asked about the others."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from typing import Any

import numpy as np

from tf_recdenoiser._keras import keras
from tf_recdenoiser.data import DetectionBatches, Histories, NoisePlanter
from tf_recdenoiser.evaluation import roc_area
from tf_recdenoiser.training.noise import (
    NoiseScorer,
    build_detector,
    calibration,
    log_ratios,
    noise_probability,
    noise_rate,
)

FOLDS = 2
# Histories by which it is judged when a detector is trained enough.
_WATCHED = 2048


@dataclasses.dataclass(frozen=True, eq=False)
class Detection:
    """What was found of noise in training sequences.

    Attributes
    ----------
    scorer
        Of histories, with a detector for each fold of users, trained on the others.
    log_ratios
        float32 [N], of each item of the training sequences, by the detector that was not
        trained on its user.
    """

    scorer: NoiseScorer
    log_ratios: np.ndarray

    @property
    def probability(self) -> np.ndarray:
        """P(noise) of each item of the training sequences, float32 [N]."""
        return noise_probability(self.log_ratios, self.scorer.rate)


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
    judged by one that has not seen its user. Training stops when the area under the ROC curve,
    log items against drawn noise on the users left out, no longer rises; their scores also say
    how sure of itself the detector may be (`calibration`).

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
        Of their training: at most so many epochs, fewer if the area has not risen for
        `patience` epochs.
    seed
        Of everything random.
    callbacks
        Further Keras callbacks.
    """
    fold_of_row = np.random.default_rng(seed).permutation(train.row_count) % FOLDS
    planter = NoisePlanter(train, item_count, 0.0, law)
    drawn = planter.draw(train.items.shape, np.random.default_rng([seed, 1]))
    detectors, lines = [], []
    of_items, of_noise = np.zeros((2, len(train.items)), np.float32)
    for fold in range(FOLDS):
        keras.utils.set_random_seed(seed + fold)
        detector = build_detector(item_count, max_length, width, dropout, seed=seed + fold)
        fitted = _only(train, fold_of_row != fold)
        batches = DetectionBatches(fitted, item_count, max_length, batch_size, seed + fold, law)
        left_out = np.flatnonzero(fold_of_row == fold)
        watched = left_out[:_WATCHED]
        watch = _Watch(train.last(max_length, watched), planter, seed)
        _fit(detector, batches, epochs, patience, [watch, *callbacks])
        windows = _Windows.over(train, left_out, max_length)
        item_ids = windows.cut(train)
        of_left_out = windows.join(log_ratios(detector, item_ids))
        noise = windows.cut(dataclasses.replace(train, items=drawn))
        of_drawn = windows.join(log_ratios(detector, item_ids, noise))
        scale, shift = calibration(of_left_out, of_drawn)
        where = np.repeat(fold_of_row, train.lengths) == fold
        of_items[where], of_noise[where] = scale * of_left_out + shift, scale * of_drawn + shift
        detectors.append(detector)
        lines.append((scale, shift))
    rate = noise_rate(of_items, of_noise)
    return Detection(NoiseScorer(tuple(detectors), tuple(lines), rate), of_items)


class _Watch(keras.callbacks.Callback):
    """Adds `val_area` to an epoch's logs: how well items are told from noise on some histories."""

    def __init__(self, item_ids: np.ndarray, planter: NoisePlanter, seed: int) -> None:
        super().__init__()
        self._item_ids = item_ids
        self._drawn = planter.draw(item_ids.shape, np.random.default_rng([seed, 2]))

    def on_epoch_end(self, epoch: int, logs: dict[str, Any] | None = None) -> None:
        is_item = self._item_ids > 0
        items = log_ratios(self.model, self._item_ids)[is_item]
        noise = log_ratios(self.model, self._item_ids, self._drawn)[is_item]
        logs = {} if logs is None else logs
        logs["val_area"] = roc_area(
            -np.concatenate([items, noise]), np.repeat([False, True], len(items))
        )


def _only(histories: Histories, rows: np.ndarray) -> Histories:
    """The histories with every row emptied that `rows`, bool [R], does not choose."""
    return histories.keep(np.repeat(rows, histories.lengths))


def _fit(
    detector: Any,
    batches: DetectionBatches,
    epochs: int,
    patience: int,
    callbacks: Sequence[Any],
) -> None:
    stopping = keras.callbacks.EarlyStopping(
        "val_area", mode="max", patience=patience, restore_best_weights=True
    )
    detector.fit(
        batches.dataset(0, epochs).map(detector.objective.example),
        epochs=epochs,
        steps_per_epoch=batches.steps_per_epoch,
        callbacks=[*callbacks, stopping],
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
