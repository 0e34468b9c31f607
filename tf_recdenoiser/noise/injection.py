"""Noise injected into a split, its positions remembered, so that denoising can be scored.

Noise is always an item that is new to the user, since a repeated item would give it away.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from tf_recdenoiser._settings import default
from tf_recdenoiser.data.dataset import Dataset
from tf_recdenoiser.data.histories import Histories
from tf_recdenoiser.data.split import EvaluationSet, Split, Targets, leave_one_out

PLACES = ("train", "test", "both")
NOISE_DISTRIBUTIONS = ("popularity", "uniform", "burst")
_BURST = 5
_ROUNDS = 20


def noise_frequencies(counts: npt.ArrayLike, distribution: str) -> npt.NDArray[np.float64]:
    """How often noise is each item, where 1 is as often as by a uniform distribution: `[I + 1]`.

    Parameters
    ----------
    counts
        How often each item occurs in training, `[I + 1]`; entry 0 is padding.
    distribution
        By `"uniform"` all are 1. By another distribution they are in proportion to the counts, an
        item that does not occur counting as if it occurred once.

    Examples
    --------
    >>> noise_frequencies([0, 3, 1], distribution="popularity")
    array([1. , 1.5, 0.5])
    """
    counts = np.asarray(counts)
    shares = np.ones(len(counts))
    if distribution != "uniform":
        shares[1:] = np.maximum(counts[1:], 1) / counts[1:].sum() * (len(counts) - 1)
    return shares


@dataclass(frozen=True, eq=False)
class NoisySplit:
    """A split and where noise stands in it; held-out targets are always clean.

    Attributes
    ----------
    split
        The parts, with noise.
    train, valid, test
        Like `split.train`, `split.valid.histories` and `split.test.histories`, with 1 in the
        place of each noisy item and 0 in that of a clean one.
    """

    split: Split
    train: Histories
    valid: Histories
    test: Histories

    @classmethod
    def of(
        cls,
        dataset: Dataset,
        is_noise: npt.ArrayLike,
        targets: Targets = default(leave_one_out, "targets"),
    ) -> NoisySplit:
        """The split of a log whose noise, bool [R], is known; see `leave_one_out`."""
        split = leave_one_out(dataset, targets)
        marks = dataclasses.replace(dataset, items=np.asarray(is_noise, np.int32))
        marked = leave_one_out(marks, targets)
        return cls(split, marked.train, marked.valid.histories, marked.test.histories)

    def without_feedback(self) -> NoisySplit:
        """The same, where nothing is known of how items of histories were liked."""

        def plain(histories: Histories) -> Histories:
            return dataclasses.replace(histories, disliked=None)

        parts = (
            dataclasses.replace(part, histories=plain(part.histories))
            for part in (self.split.valid, self.split.test)
        )
        return dataclasses.replace(self, split=Split(plain(self.split.train), *parts))


def inject_noise(
    dataset: Dataset,
    rate: float = 0.25,
    distribution: str = "popularity",
    places: str = "both",
    seed: int = 0,
    targets: Targets = default(leave_one_out, "targets"),
) -> NoisySplit:
    """Replace some of what users did by noise, and split the log.

    Every position but a user's last is chosen with probability `rate`, independently or in
    runs, and an item that is new to the user stands there instead; of that, nobody knows how it
    was liked. Held-out items stay clean, targets as well as what users disliked; the validation
    item may be noise where it is the newest of a test history.

    Parameters
    ----------
    dataset
        The log to inject noise into.
    rate
        In [0, 1).
    distribution
        `"uniform"`: any item that is new to the user, each with the same probability;
        `"popularity"` (default): by how often items occur in the log; `"burst"`: runs of 5
        items in a row that another user, drawn at random, has in a row.
    places
        `"train"`: the training sequences alone, while recommendations start from clean
        histories; `"test"`: the histories that recommendations start from alone; `"both"`
        (default), as in life.
    seed
        Not negative.
    targets
        See `leave_one_out`; what is held out goes by the clean log.

    Raises
    ------
    DataError
        If the log does not say what `targets` asks for.
    ValueError
        If an argument is out of its range.

    Examples
    --------
    >>> from tf_recdenoiser.data.prepare import prepare
    >>> from tf_recdenoiser.data.synthetic import synthetic_log
    >>> clean = prepare(synthetic_log(users=50, items=40, clusters=5, noise=0, seed=1).log)
    >>> noisy = inject_noise(clean, rate=0.2, distribution="uniform", seed=1)
    >>> share = noisy.train.items.mean()
    >>> bool(0.15 < share < 0.25)
    True
    """
    if places not in PLACES:
        raise ValueError(f"`places` must be one of {', '.join(PLACES)}. Received: {places!r}")
    whole = dataset.histories
    injector = NoiseInjector(whole, dataset.item_count, rate, distribution)
    noisy = injector.inject(whole, np.random.default_rng(seed), spared=1)
    is_noise = (noisy != whole.items).astype(np.int32)
    clean = NoisySplit.of(dataset, np.zeros_like(is_noise), targets)
    injected = NoisySplit.of(dataclasses.replace(dataset, items=noisy), is_noise, targets)
    split = Split(
        _without_feedback(injected.split.train, injected.train),
        _with_noise(clean.split.valid, injected.split.valid.histories, injected.valid),
        _with_noise(clean.split.test, injected.split.test.histories, injected.test),
    )
    injected = dataclasses.replace(injected, split=split)
    if places == "both":
        return injected
    trained, tested = (injected, clean) if places == "train" else (clean, injected)
    return NoisySplit(
        Split(trained.split.train, tested.split.valid, tested.split.test),
        trained.train,
        tested.valid,
        tested.test,
    )


def _with_noise(clean: EvaluationSet, noisy: Histories, marks: Histories) -> EvaluationSet:
    """What is held out of a clean log, after histories with noise."""
    return dataclasses.replace(clean, histories=_without_feedback(noisy, marks))


def _without_feedback(noisy: Histories, marks: Histories) -> Histories:
    """Histories in which nobody knows how noise was liked: what it replaced was another item."""
    if noisy.disliked is None:
        return noisy
    unknown = np.where(marks.items > 0, np.float32(np.nan), noisy.disliked)
    return dataclasses.replace(noisy, disliked=unknown)


class NoiseInjector:
    """Replaces items by noise of a distribution.

    Parameters
    ----------
    source
        R rows of items, from which popularity is counted and bursts are taken.
    item_count
        I, the items of the catalogue.
    rate, distribution
        As `inject_noise` takes them.

    Examples
    --------
    >>> from tf_recdenoiser.data.histories import offsets_of
    >>> source = Histories(offsets_of([4, 3]), np.array([1, 2, 3, 4, 5, 6, 1], np.int32))
    >>> injector = NoiseInjector(source, item_count=6, rate=0.5, distribution="popularity")
    >>> injector.inject(source, np.random.default_rng(0))
    array([5, 6, 3, 4, 5, 6, 1], dtype=int32)
    """

    def __init__(self, source: Histories, item_count: int, rate: float, distribution: str) -> None:
        if not 0 <= rate < 1:
            raise ValueError(f"`rate` must be at least 0 and below 1. Received: rate={rate}")
        if distribution not in NOISE_DISTRIBUTIONS:
            raise ValueError(
                f"`distribution` must be one of {', '.join(NOISE_DISTRIBUTIONS)}. "
                f"Received: distribution={distribution!r}"
            )
        self._source = source
        self._item_count = item_count
        self._rate = rate
        self._distribution = distribution
        counts = np.bincount(source.items, minlength=item_count + 1)[1:].astype(np.float64)
        self._cumulative = np.cumsum(np.ones(item_count) if distribution == "uniform" else counts)

    def draw(self, shape: Sequence[int], rng: np.random.Generator) -> npt.NDArray[np.int32]:
        """Items by the shares of the distribution, int32 of this shape, whatever their place.

        An item of a burst has, taken alone, the shares of popularity.
        """
        level = rng.random(tuple(shape)) * self._cumulative[-1]
        found = np.searchsorted(self._cumulative, level, side="right")
        return (np.minimum(found, self._item_count - 1) + 1).astype(np.int32)

    def draw_unseen(self, histories: Histories, rng: np.random.Generator) -> npt.NDArray[np.int32]:
        """An item for each place of some histories, int32 [N], that their row does not hold.

        Where all of twenty draws are known, the last of them stands.
        """
        row = np.repeat(np.arange(histories.row_count), histories.lengths)
        own = np.unique(self._keys(row, histories.items))
        items = self.draw(row.shape, rng)
        for _ in range(_ROUNDS):
            known = np.flatnonzero(_contains(own, self._keys(row, items)))
            items[known] = self.draw(known.shape, rng)
        return items

    def inject(
        self, histories: Histories, rng: np.random.Generator, spared: int = 0
    ) -> npt.NDArray[np.int32]:
        """The items of `histories` with a share of them replaced, int32 [N].

        An item stays where no other was found that is not in its row.

        Parameters
        ----------
        histories
            Rows of items.
        rng
            Where the randomness comes from.
        spared
            How many of each row's newest items stay as they are.
        """
        row = np.repeat(np.arange(histories.row_count), histories.lengths)
        from_end = histories.offsets[row + 1] - 1 - np.arange(len(row))
        run = _BURST if self._distribution == "burst" else 1
        # Runs begin at another phase in each row.
        place = from_end + rng.integers(run, size=histories.row_count)[row]
        start_of_run = histories.offsets[row] + 2 * run * row + place // run
        chosen = rng.random(len(row) + 2 * run * histories.row_count)[start_of_run] < self._rate
        pending = np.flatnonzero(chosen & (from_end >= spared))
        items = histories.items.copy()
        taken = np.unique(self._keys(row, items))
        for _ in range(1 if run > 1 else _ROUNDS):
            drawn = self._drawn(pending, start_of_run, place % run, rng)
            keys = self._keys(row[pending], drawn)
            unique, first = np.unique(keys, return_index=True)
            fresh = first[~_contains(taken, unique) & (drawn[first] > 0)]
            items[pending[fresh]] = drawn[fresh]
            taken = np.union1d(taken, keys[fresh])
            pending = np.delete(pending, fresh)
            if not len(pending):
                break
        return items

    def _keys(
        self, row: npt.NDArray[np.int64], items: npt.NDArray[np.int32]
    ) -> npt.NDArray[np.int64]:
        """A number for each pair of a row and an item."""
        return row * self._item_count + items - 1

    def _drawn(
        self,
        pending: npt.NDArray[np.int64],
        start_of_run: npt.NDArray[np.int64],
        step: npt.NDArray[np.int64],
        rng: np.random.Generator,
    ) -> npt.NDArray[np.int32]:
        """An item for each pending position; 0 where a burst's donor has no more."""
        if self._distribution != "burst":
            return self.draw([len(pending)], rng)
        runs, run = np.unique(start_of_run[pending], return_inverse=True)
        first = rng.integers(len(self._source.items), size=len(runs))
        row_end = np.searchsorted(self._source.offsets, first, side="right")
        # Positions are counted from the newest item, bursts run the other way.
        index = first[run] + _BURST - 1 - step[pending]
        inside = index < self._source.offsets[row_end][run]
        return np.where(inside, self._source.items[np.where(inside, index, 0)], 0).astype(np.int32)


def _contains(
    values: npt.NDArray[np.int64], wanted: npt.NDArray[np.int64]
) -> npt.NDArray[np.bool_]:
    """Whether each of `wanted` is among the sorted `values`."""
    place = np.minimum(np.searchsorted(values, wanted), len(values) - 1)
    return values[place] == wanted
