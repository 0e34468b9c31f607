"""What an evaluation is about: the targets, and which items each user has interacted with."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from tf_recdenoiser.evaluation.arrays import IntArray

Seen = tuple[IntArray, IntArray]
"""One list of items per row, as `(offsets [E + 1], items [T])`.

The items of row e are `items[offsets[e]:offsets[e + 1]]`, in any order, repeats allowed.
"""


@dataclass(frozen=True, eq=False)
class EvaluationProblem:
    """Next-item prediction with one relevant item per row; a row is a user at one point in time.

    Items are coded 1 to `item_count`; 0 is padding and never an item.

    Attributes
    ----------
    item_count
        Number of items in the catalogue.
    targets
        [E] integers, the item to be found in each row.
    seen
        Items in the history that the row is predicted from; not recommended again.
    train
        Items of the user's training history alone.
    interacted
        All items of the user, with the validation and the test item, so that every
        row's target is among them.
    disliked
        Items that the user disliked later on, each once, none of them seen or the target: what
        had better not be recommended. None (default) where it is not known or not asked.

    Raises
    ------
    ValueError
        For arrays of the wrong type or shape, items outside the catalogue, offsets
        that do not fit, no row at all, a target that is missing from `interacted`, and a
        disliked item that could not be recommended.

    Examples
    --------
    >>> history = (np.array([0, 2, 3]), np.array([1, 2, 4]))
    >>> everything = (np.array([0, 3, 5]), np.array([1, 2, 3, 4, 5]))
    >>> problem = EvaluationProblem(
    ...     item_count=5,
    ...     targets=np.array([3, 5]),
    ...     seen=history,
    ...     train=history,
    ...     interacted=everything,
    ... )
    """

    item_count: int
    targets: IntArray
    seen: Seen
    train: Seen
    interacted: Seen
    disliked: Seen | None = None

    def __post_init__(self) -> None:
        if self.item_count < 1:
            raise ValueError(
                "`item_count` must be at least 1: the number of items, padding not counted. "
                f"Received: item_count={self.item_count}"
            )
        check_items("targets", self.targets, lowest=1, item_count=self.item_count)
        if not len(self.targets):
            raise ValueError(
                "`targets` must hold at least one row: is there a user with enough interactions "
                "to be evaluated? Received: an empty array"
            )
        for name in ("seen", "train", "interacted"):
            self._check_lists(name, getattr(self, name))
        self._check_targets_are_interacted()
        if self.disliked is not None:
            self._check_lists("disliked", self.disliked)
            self._check_disliked_are_candidates(self.disliked)

    def _check_lists(self, name: str, lists: Seen) -> None:
        offsets, items = lists
        check_items(f"{name} items", items, lowest=1, item_count=self.item_count)
        check_vector(f"{name} offsets", offsets)
        expected = (len(self.targets) + 1,)
        if offsets.shape != expected:
            raise ValueError(
                f"`{name}` offsets must have one entry per target and one more, shape {expected}. "
                f"Received: shape {offsets.shape}"
            )
        if offsets[0] != 0 or offsets[-1] != len(items) or (offsets[1:] < offsets[:-1]).any():
            raise ValueError(
                f"`{name}` offsets must rise from 0 to the number of items, {len(items)}. "
                f"Received: {offsets}"
            )

    def _check_targets_are_interacted(self) -> None:
        rows, items = entries(self.interacted, np.arange(len(self.targets)))
        found = np.zeros(len(self.targets), dtype=bool)
        found[rows[items == self.targets[rows]]] = True
        if not found.all():
            raise ValueError(
                "`interacted` must hold every item of the user, the target included, or the "
                f"target could be drawn as a negative. Received: {np.count_nonzero(~found)} rows "
                f"without their target, the first is row {np.argmin(found)}"
            )

    def _check_disliked_are_candidates(self, disliked: Seen) -> None:
        every_row = np.arange(len(self.targets))
        own, seen, targets = (
            rows * (self.item_count + 1) + items
            for rows, items in (
                entries(disliked, every_row),
                entries(self.seen, every_row),
                (every_row, self.targets),
            )
        )
        kept = np.setdiff1d(own, np.concatenate([seen, targets]))
        if len(kept) < len(own):
            raise ValueError(
                "`disliked` must hold items that can be recommended, each once: neither seen nor "
                f"the target. Received: {len(own) - len(kept)} others among {len(own)}"
            )


def entries(lists: Seen, rows: IntArray) -> tuple[IntArray, IntArray]:
    """The items of some rows, laid end to end, each with the row it belongs to.

    Parameters
    ----------
    lists
        One list of items per row.
    rows
        [R] rows to take, in any order.

    Returns
    -------
    positions
        [T] index into `rows` that each item belongs to, never falling.
    items
        [T] the items, as they stand in their lists.

    Examples
    --------
    >>> positions, items = entries((np.array([0, 2, 2, 3]), np.array([7, 5, 9])), np.array([2, 0]))
    >>> positions.tolist(), items.tolist()
    ([0, 1, 1], [9, 7, 5])
    """
    offsets, items = lists
    starts = offsets[rows].astype(np.int64)
    lengths = offsets[rows + 1].astype(np.int64) - starts
    positions = np.repeat(np.arange(len(rows)), lengths)
    starts_here = np.cumsum(lengths) - lengths
    return positions, items[np.arange(len(positions)) + (starts - starts_here)[positions]]


def check_items(name: str, items: IntArray, *, lowest: int, item_count: int) -> None:
    """Raise ValueError unless `items` is a vector of item codes from `lowest` to `item_count`."""
    check_vector(name, items)
    check_range(name, items, lowest, item_count)


def check_range(name: str, items: IntArray, lowest: int, highest: int) -> None:
    """Raise ValueError unless every entry of an array lies from `lowest` to `highest`."""
    if items.size and not (lowest <= items.min() and items.max() <= highest):
        raise ValueError(
            f"`{name}` must lie from {lowest} to {highest}. "
            f"Received: values from {items.min()} to {items.max()}"
        )


def check_vector(name: str, values: Any) -> None:
    """Raise ValueError unless `values` is a one-dimensional integer array."""
    if not (isinstance(values, np.ndarray) and values.ndim == 1 and values.dtype.kind in "iu"):
        shown = (
            f"{values.dtype} array of shape {values.shape}"
            if isinstance(values, np.ndarray)
            else f"{type(values).__name__} {values!r}"
        )
        raise ValueError(
            f"`{name}` must be a one-dimensional NumPy array of integers. Received: {shown}"
        )
