"""Windows of n positions over sequences of any length."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable

import numpy as np

from tf_recdenoiser.data import Histories

_SHORTEST, _LONGEST = 16, 512


@dataclasses.dataclass(frozen=True, eq=False)
class Windows:
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
    def over(cls, histories: Histories, rows: np.ndarray, length: int) -> Windows:
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

    def cut_disliked(self, histories: Histories) -> np.ndarray:
        """What is known of how the items of the windows were liked, `[W, n]`."""
        return histories.last_disliked(self.length, self.rows, self.skipped)

    def join(self, values: np.ndarray) -> np.ndarray:
        """[M, …], the value `[W, n, …]` of each item."""
        return values[self.window, self.column]


def of_each_item(
    histories: Histories, rows: np.ndarray, function: Callable[[Windows], np.ndarray]
) -> np.ndarray:
    """What a function says of each item of some rows, `[M, …]`, in their order.

    Parameters
    ----------
    histories
        R rows.
    rows
        Numbers of the rows, rising, at least one.
    function
        Called with windows that hold a row whole, or 512 of its items where it has more; gives
        `[W, n, …]`. Rows of a like length come together.
    """
    lengths = histories.lengths[rows]
    sizes = np.clip(2 ** np.ceil(np.log2(np.maximum(lengths, 1))).astype(int), _SHORTEST, _LONGEST)
    parts = []
    for size in np.unique(sizes):
        windows = Windows.over(histories, rows[sizes == size], int(size))
        parts.append((np.repeat(sizes == size, lengths), windows.join(function(windows))))
    found = np.zeros((lengths.sum(), *parts[0][1].shape[1:]), parts[0][1].dtype)
    for where, values in parts:
        found[where] = values
    return found
