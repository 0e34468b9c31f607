"""Leave-one-out: what is trained on, and what is predicted from what."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from tf_recdenoiser.data.dataset import Dataset
from tf_recdenoiser.data.histories import Histories


@dataclass(frozen=True, eq=False)
class EvaluationSet:
    """One target for each of E users, and what may be known when predicting it.

    Attributes
    ----------
    users
        int64 [E], user numbers in increasing order.
    histories
        E rows, row e being all of user `users[e]`'s interactions before the target.
    targets
        int32 [E], the item codes to predict.
    """

    users: npt.NDArray[np.int64]
    histories: Histories
    targets: npt.NDArray[np.int32]


@dataclass(frozen=True, eq=False)
class Split:
    """A data set in three parts.

    Attributes
    ----------
    train
        U rows, row u being user u's training sequence.
    valid
        The second-to-last item of every user with three interactions or more.
    test
        The last item of the same users; the validation item is part of the history.
    """

    train: Histories
    valid: EvaluationSet
    test: EvaluationSet


def leave_one_out(dataset: Dataset) -> Split:
    """Hold out each user's last item for test and the one before it for validation.

    Users with fewer than three interactions are in the training part whole, and in no other.

    Examples
    --------
    >>> from tf_recdenoiser.data.histories import offsets_of
    >>> ids = np.arange(1, 6)
    >>> dataset = Dataset(
    ...     user_ids=ids[:2],
    ...     item_ids=ids,
    ...     items=np.array([4, 2, 5, 1, 3, 3]),
    ...     times=None,
    ...     offsets=offsets_of([4, 2]),
    ... )
    >>> split = leave_one_out(dataset)
    >>> split.train.row(0), split.train.row(1), split.valid.targets, split.test.targets
    (array([4, 2]), array([3, 3]), array([5]), array([1]))
    """
    whole = dataset.histories
    lengths = whole.lengths
    is_evaluated = lengths >= 3
    users = np.flatnonzero(is_evaluated)

    def held_out(from_end: int) -> EvaluationSet:
        return EvaluationSet(
            users=users,
            histories=whole.prefixes(users, lengths[users] - from_end),
            targets=whole.items[whole.offsets[users + 1] - from_end],
        )

    train = whole.prefixes(np.arange(whole.row_count), np.where(is_evaluated, lengths - 2, lengths))
    return Split(train=train, valid=held_out(2), test=held_out(1))


def user_codes(train: Histories) -> npt.NDArray[np.int32]:
    """The code of each user, int32 [U]: 1, 2, … for those of whom something can be learned.

    Those are the users with two training items or more; the others have the code 0.

    Examples
    --------
    >>> from tf_recdenoiser.data.histories import offsets_of
    >>> user_codes(Histories(offsets_of([2, 1, 3]), np.arange(6, dtype=np.int32)))
    array([1, 0, 2], dtype=int32)
    """
    is_learned = train.lengths >= 2
    return (np.cumsum(is_learned) * is_learned).astype(np.int32)
