"""Random items that a user has not interacted with: vectorised over users, and addressable by row.

Nothing here keeps a state. A row's numbers follow from a key and the row alone, so they are the
same in whatever batches the rows come. Nothing is rejected either: a draw picks the k-th of the
items that remain.
"""

from __future__ import annotations

import zlib
from dataclasses import dataclass

import numpy as np

from tf_recdenoiser.evaluation.arrays import FloatArray, IntArray
from tf_recdenoiser.evaluation.problem import Seen, entries

_GAMMA = np.uint64(0x9E3779B97F4A7C15)
_MIX_1 = np.uint64(0xBF58476D1CE4E5B9)
_MIX_2 = np.uint64(0x94D049BB133111EB)


def random_key(seed: int, *purpose: str) -> np.uint64:
    """A key for `uniforms`: another one for every seed and every purpose.

    Raises
    ------
    ValueError
        For a negative seed.
    """
    if seed < 0:
        raise ValueError(f"`seed` must not be negative. Received: seed={seed}")
    words = [seed, *(zlib.crc32(word.encode()) for word in purpose)]
    return np.uint64(np.random.SeedSequence(words).generate_state(1, np.uint64)[0])


def random_bits(key: np.uint64, index: IntArray) -> IntArray:
    """Outputs number `index`, from 0, of the generator SplitMix64 that starts at `key`.

    SplitMix64 (Steele, Lea and Flood 2014) mixes the bits of an arithmetic sequence, which is
    why any of its outputs can be had without those before it. Shape of `index`, 64-bit unsigned.
    """
    state = key + (index.astype(np.uint64) + np.uint64(1)) * _GAMMA
    state = (state ^ (state >> np.uint64(30))) * _MIX_1
    state = (state ^ (state >> np.uint64(27))) * _MIX_2
    return state ^ (state >> np.uint64(31))


def uniforms(key: np.uint64, rows: IntArray, count: int) -> FloatArray:
    """[R, count] numbers, uniform on [0, 1), that depend on the key, the row and `count` only.

    Examples
    --------
    >>> key = random_key(0, "an example")
    >>> together = uniforms(key, np.array([4, 7]), count=3)
    >>> np.array_equal(together[1:], uniforms(key, np.array([7]), count=3))
    True
    """
    bits = random_bits(key, rows[:, None] * count + np.arange(count))
    return (bits >> np.uint64(11)) * 2.0**-53


def with_replacement(available: IntArray, uniform: FloatArray) -> IntArray:
    """Independent draws from 0 … available - 1; -1 where nothing is available.

    Parameters
    ----------
    available
        [R] number of things to draw from.
    uniform
        [R, C] numbers in [0, 1), one a draw.

    Returns
    -------
    [R, C] integers.
    """
    picks = np.floor(uniform * available[:, None]).astype(np.int64)
    return np.where(available[:, None] > 0, picks, -1)


def without_replacement(available: IntArray, uniform: FloatArray) -> IntArray:
    """Draws of C different numbers from 0 … available - 1, every set of them equally likely.

    Floyd's method (Bentley and Floyd 1987): to take s of a numbers, for j = a - s … a - 1 draw t
    from 0 … j and take it, or take j if t has been taken. It is a loop over draws, not rows.

    Parameters
    ----------
    available
        [R] number of things to draw from. Where it is below C, all are taken.
    uniform
        [R, C] numbers in [0, 1), one a draw.

    Returns
    -------
    [R, C] integers, those of a row different; -1 in the last columns where fewer than C are
    available.
    """
    count = uniform.shape[1]
    size = np.minimum(available, count)
    picks = np.full((count, len(available)), -1, dtype=np.int64)
    for draw in range(count):
        last = available - size + draw
        pick = np.floor(uniform[:, draw] * (last + 1)).astype(np.int64)
        taken = (picks[:draw] == pick).any(axis=0)
        picks[draw] = np.where(draw < size, np.where(taken, last, pick), -1)
    return picks.T


@dataclass(frozen=True, eq=False)
class RemainingItems:
    """For each of R rows, the items of the catalogue that are not on the row's list.

    Attributes
    ----------
    available
        [R] number of items that remain.
    starts
        [R] where the row's part of `thresholds` begins.
    thresholds
        [T] one number per listed item, repeats left out, never falling: the row's index, from 0
        to R - 1, times `stride`, plus how many of the row's remaining items have a smaller code.
    stride
        More than any row's number of remaining items, so that rows stay apart.
    """

    available: IntArray
    starts: IntArray
    thresholds: IntArray
    stride: int

    def items(self, picks: IntArray) -> IntArray:
        """The remaining items number `picks` [R, C], from 0 in the order of codes; 0 for a -1.

        The k-th remaining item is k + 1 plus the number of listed items below it, and a listed
        item is below it if at most k remaining items are smaller: one binary search a pick.
        """
        keys = np.arange(len(picks))[:, None] * self.stride + picks
        below = np.searchsorted(self.thresholds, keys, side="right") - self.starts[:, None]
        return np.where(picks >= 0, picks + 1 + below, 0)


def remaining_items(lists: Seen, rows: IntArray, item_count: int) -> RemainingItems:
    """The items from 1 to `item_count` that are not on the lists of some rows.

    Parameters
    ----------
    lists
        One list of items per row.
    rows
        [R] rows to look at.
    item_count
        Number of items in the catalogue.

    Examples
    --------
    >>> remaining = remaining_items((np.array([0, 3]), np.array([4, 1, 4])), np.array([0]), 5)
    >>> remaining.available.tolist(), remaining.items(np.array([[0, 1, 2, -1]])).tolist()
    ([3], [[2, 3, 5, 0]])
    """
    stride = item_count + 1
    positions, items = entries(lists, rows)
    # Not np.unique: since NumPy 2.3 it hashes, which takes far longer than this sort.
    keys = np.sort(positions * stride + items.astype(np.int64))
    positions, items = np.divmod(keys[np.diff(keys, prepend=-1) > 0], stride)
    listed = np.bincount(positions, minlength=len(rows))
    starts = np.cumsum(listed) - listed
    smaller_listed = np.arange(len(items)) - starts[positions]
    return RemainingItems(
        available=item_count - listed,
        starts=starts,
        thresholds=positions * stride + (items - 1 - smaller_listed),
        stride=stride,
    )
