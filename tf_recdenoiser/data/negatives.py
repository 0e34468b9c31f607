"""Items a user has not seen, drawn exactly uniformly."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from tf_recdenoiser.data.histories import Histories, offsets_of
from tf_recdenoiser.data.log import DataError, counted


class UnseenSampler:
    """Draws items that a user has not seen, each of them with the same probability.

    The draw is r ~ U{0, …, I − |seen_u| − 1}, and the item is the r-th that user u has not seen.
    With the distinct seen items s_0 < s_1 < …, counted from 0, there are s_i − i unseen items
    below s_i; hence the r-th unseen item is r + |{i : s_i − i ≤ r}|. The counts of all draws come
    from one binary search in the users' values of s_i − i, laid end to end. No draw is rejected.

    Parameters
    ----------
    histories
        R rows of item codes in 1 … `item_count`: what each user has seen.
    item_count
        I, the items to draw from.

    Raises
    ------
    ValueError
        If an item code is outside 1 … I.

    Attributes
    ----------
    unseen_counts
        int32 [R], how many items each user has not seen.

    Examples
    --------
    >>> from tf_recdenoiser.data.histories import offsets_of
    >>> seen = Histories(offsets_of([2]), np.array([4, 1], np.int32))
    >>> sampler = UnseenSampler(seen, item_count=5)
    >>> sampler.unseen(np.array([0]), np.array([[0, 1, 2]]))
    array([[2, 3, 5]], dtype=int32)
    """

    def __init__(self, histories: Histories, item_count: int) -> None:
        if len(histories.items) and not 1 <= histories.items.min() <= histories.items.max() <= (
            item_count
        ):
            raise ValueError(
                f"`histories` must hold item codes from 1 to `item_count`={item_count}. "
                f"Received: codes from {histories.items.min()} to {histories.items.max()}"
            )
        self._name = histories.name
        rows = np.repeat(np.arange(histories.row_count), histories.lengths)
        seen = np.sort(rows * item_count + histories.items - 1)
        row, item = np.divmod(seen[np.diff(seen, prepend=-1) > 0], item_count)
        counts = np.bincount(row, minlength=histories.row_count)
        self._starts = offsets_of(counts)[:-1]
        self.unseen_counts: npt.NDArray[np.int32] = (item_count - counts).astype(np.int32)
        # Ranks and s_i − i are both below I, so that a stride of I keeps the rows apart.
        self._stride = item_count
        self._keys = row * self._stride + item - (np.arange(len(row)) - self._starts[row])

    def require_unseen(self, users: npt.NDArray[np.integer]) -> None:
        """Raise DataError if one of these rows, int [B], has seen every item."""
        if (full := users[self.unseen_counts[users] == 0]).size:
            raise DataError(
                f"Every user must have at least one of the {counted(self._stride, 'item')} left "
                "unseen; leave out the users who have seen them all, or choose the objective "
                "cross_entropy, which draws no items. "
                f"Received: {counted(full.size, 'such user')}, the first "
                f"of them {self._name(full[0])}"
            )

    def unseen(
        self, users: npt.NDArray[np.integer], ranks: npt.NDArray[np.integer]
    ) -> npt.NDArray[np.int32]:
        """The items at these ranks among those each user has not seen, in increasing order.

        Parameters
        ----------
        users
            int [B], rows of the histories.
        ranks
            int [B, …], from 0 to the user's number of unseen items, exclusive.

        Returns
        -------
        int32 [B, …], item codes.
        """
        user = np.reshape(users, (-1,) + (1,) * (ranks.ndim - 1)).astype(np.int64)
        passed = np.searchsorted(self._keys, user * self._stride + ranks, side="right")
        return (ranks + (passed - self._starts[user]) + 1).astype(np.int32)

    def sample(
        self,
        users: npt.NDArray[np.integer],
        shape_tail: Sequence[int],
        rng: np.random.Generator,
    ) -> npt.NDArray[np.int32]:
        """Draw unseen items, independently and with replacement.

        Parameters
        ----------
        users
            int [B], rows of the histories.
        shape_tail
            The shape of the draws for one user.
        rng
            Where the randomness comes from.

        Returns
        -------
        int32 [B, *shape_tail], item codes.

        Raises
        ------
        DataError
            If there is something to draw, and one of the rows has seen every item.
        """
        if 0 in shape_tail:
            return np.zeros((len(users), *shape_tail), np.int32)
        self.require_unseen(users)
        counts = self.unseen_counts[users].reshape((-1,) + (1,) * len(shape_tail))
        ranks = rng.integers(0, counts, size=(len(users), *shape_tail))
        return self.unseen(users, ranks)
