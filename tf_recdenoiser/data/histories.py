"""Item sequences of many lengths, concatenated."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt


@dataclass(frozen=True, eq=False)
class Histories:
    """R item sequences, each oldest first, as one array and the offsets that cut it.

    Attributes
    ----------
    offsets
        int64 [R+1]; row i is `items[offsets[i]:offsets[i + 1]]`.
    items
        int32 [N], item codes from 1; 0 is padding and never occurs.
    times
        float64 [N], in seconds if the log says when things happened; or None.
    user_ids
        [R], the log's id of each row's user, by which messages name it, or None.
    disliked
        float32 [N], what is known of how users liked the items: 1 where they disliked them, 0
        where they liked them, 0.5 for neither, NaN where nothing is known; or None.

    Examples
    --------
    >>> histories = Histories(offsets_of([3, 1]), np.array([5, 6, 7, 8], np.int32))
    >>> histories.row(0)
    array([5, 6, 7], dtype=int32)
    >>> histories.last(2)
    array([[6, 7],
           [0, 8]], dtype=int32)
    """

    offsets: npt.NDArray[np.int64]
    items: npt.NDArray[np.int32]
    times: npt.NDArray[np.float64] | None = None
    user_ids: npt.NDArray[Any] | None = None
    disliked: npt.NDArray[np.float32] | None = None

    @property
    def row_count(self) -> int:
        """R, the number of sequences, empty ones included."""
        return len(self.offsets) - 1

    @property
    def lengths(self) -> npt.NDArray[np.int64]:
        """int64 [R], the items in each row."""
        return np.diff(self.offsets)

    def name(self, row: int) -> str:
        """What a message calls a row: `user …`, by the log's id, or `row …` where it is unknown."""
        return f"row {row}" if self.user_ids is None else f"user {self.user_ids[row]}"

    def row(self, row: int) -> npt.NDArray[np.int32]:
        """int32 [length], the items of one row, oldest first."""
        return self.items[self.offsets[row] : self.offsets[row + 1]]

    def last(
        self, n: int, rows: npt.ArrayLike | None = None, skipped: npt.ArrayLike = 0
    ) -> npt.NDArray[np.int32]:
        """The newest `n` items of each row, left-padded with 0.

        Parameters
        ----------
        n
            At least 1.
        rows
            int [B], the rows to take; None takes all of them.
        skipped
            int [B] or one number: how many of a row's newest items to pass over first.

        Returns
        -------
        [B, n], of the items' type; the newest item is the last of its row.
        """
        return self._last(self.items, n, rows, skipped)

    def last_times(
        self, n: int, rows: npt.ArrayLike | None = None, skipped: npt.ArrayLike = 0
    ) -> npt.NDArray[np.float64]:
        """The times of what `last` returns for the same arguments, left-padded with 0."""
        if self.times is None:
            raise ValueError("`times` must be known to be asked for. Received: times=None")
        return self._last(self.times, n, rows, skipped)

    def last_disliked(
        self, n: int, rows: npt.ArrayLike | None = None, skipped: npt.ArrayLike = 0
    ) -> npt.NDArray[np.float32]:
        """What is known of how users liked what `last` returns for the same arguments.

        NaN at the padding too, and everywhere if nothing is known of any item.
        """
        if self.disliked is None:
            count = self.row_count if rows is None else len(np.asarray(rows))
            return np.full([count, n], np.nan, np.float32)
        return self._last(self.disliked, n, rows, skipped, np.nan)

    def _last(
        self,
        values: npt.NDArray[Any],
        n: int,
        rows: npt.ArrayLike | None,
        skipped: npt.ArrayLike,
        padding: float = 0,
    ) -> npt.NDArray[Any]:
        if n < 1:
            raise ValueError(f"`n` must be at least 1. Received: {n!r}")
        taken = np.arange(self.row_count) if rows is None else np.asarray(rows, np.int64)
        ends = self.offsets[taken + 1] - np.asarray(skipped, np.int64)
        index = ends[:, None] + np.arange(-n, 0)
        is_item = index >= self.offsets[taken, None]
        matrix = np.full(index.shape, padding, values.dtype)
        matrix[is_item] = values[index[is_item]]
        return matrix

    def prefixes(self, rows: npt.ArrayLike, lengths: npt.ArrayLike) -> Histories:
        """The oldest `lengths[i]` items of each row `rows[i]`, with all that is known of them.

        Parameters
        ----------
        rows
            int [B].
        lengths
            int [B], each at most the length of its row.
        """
        offsets, taken = offsets_of(lengths), np.asarray(rows, np.int64)
        shifts = self.offsets[taken] - offsets[:-1]
        index = np.arange(offsets[-1]) + np.repeat(shifts, np.diff(offsets))
        user_ids = None if self.user_ids is None else self.user_ids[taken]
        return self._taken(offsets, index, user_ids)

    def keep(self, kept: npt.ArrayLike) -> Histories:
        """The items at which `kept`, bool [N], holds, with the rows closed up.

        Examples
        --------
        >>> histories = Histories(offsets_of([3, 1]), np.array([5, 6, 7, 8], np.int32))
        >>> histories.keep([True, False, True, False]).offsets
        array([0, 2, 2])
        """
        kept = np.asarray(kept, bool)
        offsets = np.concatenate([np.zeros(1, np.int64), np.cumsum(kept)])[self.offsets]
        return self._taken(offsets, kept, self.user_ids)

    def _taken(
        self,
        offsets: npt.NDArray[np.int64],
        index: npt.NDArray[Any],
        user_ids: npt.NDArray[Any] | None,
    ) -> Histories:
        times, disliked = (
            None if values is None else values[index] for values in (self.times, self.disliked)
        )
        return Histories(offsets, self.items[index], times, user_ids, disliked)


def offsets_of(lengths: npt.ArrayLike) -> npt.NDArray[np.int64]:
    """int64 [R+1], where sequences of these lengths begin and end when concatenated.

    Examples
    --------
    >>> offsets_of([2, 0, 3])
    array([0, 2, 2, 5])
    """
    return np.concatenate([np.zeros(1, np.int64), np.cumsum(lengths, dtype=np.int64)])
