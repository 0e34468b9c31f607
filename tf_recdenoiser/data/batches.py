"""Training batches: inputs, their successors, and fresh negatives."""

from __future__ import annotations

import math
from abc import ABC, abstractmethod
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from tf_recdenoiser.data.histories import Histories
from tf_recdenoiser.data.log import DataError, counted
from tf_recdenoiser.data.negatives import UnseenSampler
from tf_recdenoiser.data.split import user_codes
from tf_recdenoiser.data.tasks import NextItem, Task, Window

if TYPE_CHECKING:
    import tensorflow as tf

WINDOWS = ("newest", "random")

MOST_DRAWN = 2**24
"""How many negatives a batch may have; their vectors take some gigabytes."""

INPUTS = ("item_ids", "user_ids", "times", "clean_probability")
"""What a backbone may read of a batch; all else is for the objective."""

_TYPES = {
    "item_ids": "int32",
    "user_ids": "int32",
    "times": "float64",
    "clean_probability": "float32",
    "positives": "int32",
    "negatives": "int32",
    "unseen_counts": "int32",
    "weights": "float32",
    "epoch": "float32",
}

Batch = tuple[dict[str, npt.NDArray[Any]], dict[str, npt.NDArray[Any]]]


class Batches(ABC):
    """Batches in epochs, of which each is a function of its number."""

    @property
    @abstractmethod
    def steps_per_epoch(self) -> int:
        """Batches in an epoch, smaller ones included."""

    @abstractmethod
    def epoch(self, epoch: int) -> Iterator[Batch]:
        """The batches of the epoch with this number, counted from 0."""

    @property
    @abstractmethod
    def shapes(self) -> dict[str, tuple[int | None, ...]]:
        """The shapes of what a batch holds, by name."""

    def dataset(self, start_epoch: int = 0, epochs: int = 1, pieces: int = 1) -> tf.data.Dataset:
        """The batches of several epochs, one after the other, as a `tf.data.Dataset`.

        Hand it to `fit` together with `steps_per_epoch`; without that, Keras would start it anew,
        and so repeat its first epoch, at every epoch.

        Parameters
        ----------
        start_epoch
            The first epoch's number.
        epochs
            How many epochs; the dataset ends after them.
        pieces
            In how many elements to hand out a batch, one after the other; 1 by default. With
            fewer rows than pieces some are empty.
        """
        # Imported here so that reading and preparing a log does not have to wait for it.
        import tensorflow as tf

        def batches() -> Iterator[Batch]:
            for epoch in range(start_epoch, start_epoch + epochs):
                for batch in self.epoch(epoch):
                    for piece in range(pieces):
                        yield _piece(batch, piece, pieces)

        specs = {name: tf.TensorSpec(shape, _TYPES[name]) for name, shape in self.shapes.items()}
        inputs = {name: specs.pop(name) for name in INPUTS if name in specs}
        dataset = tf.data.Dataset.from_generator(batches, output_signature=(inputs, specs))
        options = tf.data.Options()
        # The autotune thread makes every epoch end late, by seconds.
        options.autotune.enabled = False
        cardinality = tf.data.experimental.assert_cardinality(
            epochs * self.steps_per_epoch * pieces
        )
        return dataset.apply(cardinality).prefetch(2).with_options(options)


class PartOfBatches(Batches):
    """Of each batch the rows that are for one of several workers.

    Parameters
    ----------
    batches
        What all workers train on together.
    worker
        Which worker, from 0.
    workers
        How many there are.
    """

    def __init__(self, batches: Batches, worker: int, workers: int) -> None:
        self._batches, self._worker, self._workers = batches, worker, workers

    @property
    def steps_per_epoch(self) -> int:
        return self._batches.steps_per_epoch

    @property
    def shapes(self) -> dict[str, tuple[int | None, ...]]:
        return self._batches.shapes

    def epoch(self, epoch: int) -> Iterator[Batch]:
        for batch in self._batches.epoch(epoch):
            yield _piece(batch, self._worker, self._workers)


def _piece(batch: Batch, piece: int, pieces: int) -> Batch:
    """Of a batch cut into so many pieces, as even as can be, the one with this number."""
    if pieces == 1:
        return batch
    rows = len(batch[0]["item_ids"])
    own = slice(rows * piece // pieces, rows * (piece + 1) // pieces)
    inputs, targets = ({name: values[own] for name, values in part.items()} for part in batch)
    return inputs, targets


class TrainingBatches(Batches):
    """Batches of B rows, each a window of one user's training sequence.

    An element is `({"item_ids": int32 [B, n]}, {"positives": int32 [B, n], "negatives":
    int32 [B, n, m], "unseen_counts": int32 [B], "weights": float32 [B, n]})`. With s a window of
    n + 1 items of the user, or the whole sequence if it has no more, the inputs are s without its
    last item and the positives s without its first, so that `positives[b, t]` is the item after
    `item_ids[b, t]`; another `task` makes others of a window. The negatives are m items for each
    positive that are not in the user's training sequence, uniformly drawn; or, if a sequence's
    positions share them, m for each sequence, int32 [B, m]. The unseen counts say how many items
    the user has not seen. The weights are those of the positives, 1 unless `target_weights` says
    otherwise. All that have positions are left-padded with 0 at the same ones.

    Every epoch shuffles the rows and draws new negatives, by a generator that depends on the seed
    and the number of the epoch alone: a run resumed at epoch e sees what an unbroken one sees.

    Parameters
    ----------
    train
        One training sequence a row. Rows with fewer than two items hold no pair to learn
        from and give no row in a batch.
    item_count
        I, the items to draw negatives from.
    max_length
        N, the positions of a row.
    batch_size
        Rows in a batch; the last batch of an epoch may have fewer.
    negatives
        M, the negatives for a position; 0 for none.
    seed
        Not negative.
    windows
        "newest" for each user's newest n + 1 items in every epoch, as SASRec trains;
        "random" for a window that ends anywhere, another one in each epoch, so that older
        items are learned from too.
    target_weights
        What each item of `train` weighs as a target, float [N]; None (default) for 1.
    left_out
        The probability by which each item of `train` is left out of its sequence, which is closed
        up, drawn anew in every epoch, float [N]; None (default) for 0.
    clean_probability
        The probability that each item of `train` is no noise, float [N], for the input of that
        name; None (default) for 1.
    extra_inputs
        What the inputs hold beside `item_ids`: "user_ids", int32 [B], as `user_codes` numbers
        them; "times", float64 [B, n]; "clean_probability", float32 [B, n]. Nothing by default.
    task
        The inputs and targets of an example; None (default) for `NextItem`.
    share_negatives
        Draw negatives for each sequence rather than for each position; False by default.

    Raises
    ------
    ValueError
        If `windows` is another word, an argument is below its minimum (1; 0 for `negatives` and
        `seed`) or has not a number for each item, a batch would have more than `MOST_DRAWN`
        negatives, or times are wanted of a `train` without.
    DataError
        If no row has two items, or if a user has seen every item.

    Examples
    --------
    >>> from tf_recdenoiser.data.histories import offsets_of
    >>> train = Histories(offsets_of([3, 1]), np.array([1, 2, 3, 1], np.int32))
    >>> batches = TrainingBatches(
    ...     train, item_count=4, max_length=3, batch_size=2, negatives=1, seed=0
    ... )
    >>> inputs, targets = next(batches.epoch(0))
    >>> inputs["item_ids"], targets["positives"]
    (array([[0, 1, 2]], dtype=int32), array([[0, 2, 3]], dtype=int32))
    >>> targets["negatives"][:, :, 0]
    array([[0, 4, 4]], dtype=int32)
    """

    def __init__(
        self,
        train: Histories,
        item_count: int,
        max_length: int,
        batch_size: int,
        negatives: int,
        seed: int,
        windows: str = "newest",
        target_weights: npt.NDArray[np.floating] | None = None,
        left_out: npt.NDArray[np.floating] | None = None,
        clean_probability: npt.NDArray[np.floating] | None = None,
        extra_inputs: Sequence[str] = (),
        task: Task | None = None,
        share_negatives: bool = False,
    ) -> None:
        if windows not in WINDOWS:
            raise ValueError(
                f"`windows` must be one of {', '.join(WINDOWS)}. Received: {windows!r}"
            )
        for name, value, least in (
            ("max_length", max_length, 1),
            ("batch_size", batch_size, 1),
            ("negatives", negatives, 0),
            ("seed", seed, 0),
        ):
            if value < least:
                raise ValueError(f"`{name}` must be at least {least}. Received: {value!r}")
        self._train = train
        self._user_codes = user_codes(train)
        self._rows = np.flatnonzero(self._user_codes)
        if not self._rows.size:
            raise DataError(
                "`train` must have a row of at least two items to learn from; use a log in which "
                "some users have four or more. "
                f"Received: {counted(train.row_count, 'row')}, none so long"
            )
        self._sampler = UnseenSampler(train, item_count)
        if negatives:
            self._sampler.require_unseen(self._rows)
        self._max_length = max_length
        self._batch_size = batch_size
        self._drawn = (negatives,) if share_negatives else (max_length, negatives)
        _check_drawn(min(batch_size, len(self._rows)), self._drawn)
        self._seed = seed
        self._windows = windows
        self._extra_inputs = tuple(extra_inputs)
        self._task = task or NextItem()
        given = {
            "target_weights": target_weights,
            "left_out": left_out,
            "clean_probability": clean_probability,
        }
        for name, values in given.items():
            if values is not None and values.shape != train.items.shape:
                raise ValueError(
                    f"`{name}` must have a number for each of the "
                    f"{counted(len(train.items), 'item')} of `train`. "
                    f"Received: shape {values.shape}"
                )
        self._left_out = left_out
        ones = np.ones(len(train.items))
        self._clean_probability, self._weights = (
            Histories(train.offsets, (ones if values is None else values).astype(np.float32))
            for values in (clean_probability, target_weights)
        )

    @property
    def row_count(self) -> int:
        """Rows in an epoch."""
        return len(self._rows)

    @property
    def steps_per_epoch(self) -> int:
        return -(-self.row_count // self._batch_size)

    def epoch(self, epoch: int) -> Iterator[Batch]:
        rng = np.random.default_rng(np.random.SeedSequence(self._seed, spawn_key=(epoch,)))
        rows = rng.permutation(self._rows)
        train, weights = self._train, self._weights
        if self._left_out is not None:
            kept = rng.random(len(self._left_out)) >= self._left_out
            train, weights = train.keep(kept), weights.keep(kept)
        for start in range(0, len(rows), self._batch_size):
            chosen = rows[start : start + self._batch_size]
            cut = self._length, chosen, self._skipped(train.lengths[chosen], rng)
            window: Window = {"item_ids": train.last(*cut)}
            if "times" in self._extra_inputs:
                window["times"] = train.last_times(*cut)
            if "clean_probability" in self._extra_inputs:
                window["clean_probability"] = self._clean_probability.last(*cut)
            inputs, positives, its_weights = self._task(window, weights.last(*cut), rng)
            if "user_ids" in self._extra_inputs:
                inputs["user_ids"] = self._user_codes[chosen]
            drawn = self._sampler.sample(chosen, self._drawn, rng)
            yield (
                inputs,
                {
                    "positives": positives,
                    "negatives": drawn * (positives > 0)[:, :, None] if drawn.ndim == 3 else drawn,
                    "unseen_counts": self._sampler.unseen_counts[chosen],
                    "weights": its_weights,
                    "epoch": np.full(len(chosen), epoch + start / len(rows), np.float32),
                },
            )

    @property
    def _length(self) -> int:
        """Items in a window."""
        return self._max_length + self._task.further

    @property
    def shapes(self) -> dict[str, tuple[int | None, ...]]:
        row = (None, self._max_length)
        inputs = {"item_ids": row, "user_ids": (None,), "times": row, "clean_probability": row}
        return {
            **{name: inputs[name] for name in ("item_ids", *self._extra_inputs)},
            "positives": row,
            "negatives": (None, *self._drawn),
            "unseen_counts": (None,),
            "weights": row,
            "epoch": (None,),
        }

    def _skipped(
        self, lengths: npt.NDArray[np.int64], rng: np.random.Generator
    ) -> npt.NDArray[np.int64]:
        """How many of the newest items each row's window leaves out."""
        spare = np.maximum(lengths - self._length, 0)
        return rng.integers(spare + 1) if self._windows == "random" else np.zeros_like(spare)


def _check_drawn(rows: int, drawn: tuple[int, ...]) -> None:
    """ValueError before so much is drawn for a batch that no memory holds it."""
    count = rows * math.prod(drawn)
    if count > MOST_DRAWN:
        raise ValueError(
            f"`negatives` must make at most {MOST_DRAWN:,} draws in a batch, for what is in memory "
            "at once; choose fewer, a smaller `batch_size`, or share them among the positions of a "
            f"sequence. Received: negatives={drawn[-1]}, which makes {count:,} draws"
        )
