"""Leave-one-out: what is trained on, and what is predicted from what."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Literal, get_args

import numpy as np
import numpy.typing as npt

from tf_recdenoiser.data.dataset import Dataset
from tf_recdenoiser.data.histories import Histories
from tf_recdenoiser.data.log import DataError

Targets = Literal["last", "liked"]
"""Which items of a user may be targets: the last ones, or the last that the user liked."""


@dataclass(frozen=True, eq=False)
class EvaluationSet:
    """One target for each of E users, and what may be known when predicting it.

    Attributes
    ----------
    users
        int64 [E], user numbers in increasing order.
    histories
        E rows, row e being user `users[e]`'s interactions before the target, all of them but what
        is held out as disliked.
    targets
        int32 [E], the item codes to predict.
    disliked
        E rows, row e being the items, each once, that user `users[e]` disliked after the training
        sequence, and that are neither in the history nor the target; None if there are none, or
        if nobody asks what users liked.
    """

    users: npt.NDArray[np.int64]
    histories: Histories
    targets: npt.NDArray[np.int32]
    disliked: Histories | None = None


@dataclass(frozen=True, eq=False)
class Split:
    """A data set in three parts.

    Attributes
    ----------
    train
        U rows, row u being user u's training sequence: all that comes before the validation item.
    valid
        The second-to-last item, or liked item, of every user who is evaluated.
    test
        The last item, or liked item, of the same users; the validation item is part of the
        history.
    """

    train: Histories
    valid: EvaluationSet
    test: EvaluationSet


def leave_one_out(dataset: Dataset, targets: Targets = "last") -> Split:
    """Hold out each user's last item for test and the one before it for validation.

    Users who have no two such items, or nothing before them, are in the training part whole, and
    in no other.

    Parameters
    ----------
    dataset
        The users' sequences.
    targets
        `"last"` (default): a user's last two items, whatever they are; `"liked"`: the last two
        that the user liked. Then what users disliked after their training sequence is held out
        too: it is in no history, and had better not be recommended.

    Raises
    ------
    DataError
        If what users liked is asked for and not known, or nobody liked enough.
    ValueError
        For other targets.

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
    ...     disliked=np.array([0, 0, 1, 0, 0, 0], np.float32),
    ... )
    >>> split = leave_one_out(dataset)
    >>> split.train.row(0), split.train.row(1), split.valid.targets, split.test.targets
    (array([4, 2]), array([3, 3]), array([5]), array([1]))
    >>> split = leave_one_out(dataset, targets="liked")
    >>> split.train.row(0), split.valid.targets, split.test.targets, split.test.histories.row(0)
    (array([4]), array([2]), array([1]), array([4, 2]))
    >>> split.test.disliked.row(0)
    array([5])
    """
    whole = dataset.histories
    users, valid, test = _last_two(whole, _may_be_target(dataset, targets))
    if targets == "liked" and not len(users):
        raise DataError(
            "The log must have users with two items that they liked and an interaction before "
            f"them, to evaluate by. Received: {dataset.user_count} users, none with so many"
        )
    lengths = whole.lengths
    lengths[users] = valid
    train = whole.prefixes(np.arange(whole.row_count), lengths)
    parts = [
        EvaluationSet(users, whole.prefixes(users, at), whole.items[whole.offsets[users] + at])
        for at in (valid, test)
    ]
    if targets == "liked":
        parts = [_hold_out_disliked(part, dataset, valid) for part in parts]
    return Split(train, *parts)


def _may_be_target(dataset: Dataset, targets: Targets) -> npt.NDArray[np.bool_]:
    """Which interactions may be targets, bool [R]."""
    if targets not in get_args(Targets):
        raise ValueError(
            f"`targets` must be one of {', '.join(get_args(Targets))}. Received: {targets!r}"
        )
    if targets == "last":
        return np.ones(len(dataset.items), bool)
    if dataset.disliked is None:
        raise DataError(
            "`targets='liked'` needs feedback: the log must say which items users liked. Give the "
            "name of its column with --feedback-column. Received: data without feedback"
        )
    return dataset.disliked == 0


def _last_two(
    whole: Histories, may_be: npt.NDArray[np.bool_]
) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.int64], npt.NDArray[np.int64]]:
    """Who is evaluated, and where in their rows the last two items that may be targets stand.

    They are the rows with two of these, the first of which has something before it: int64 [E] each.
    """
    places = np.flatnonzero(may_be)
    ends = np.searchsorted(places, whole.offsets)
    users = np.flatnonzero(np.diff(ends) >= 2)
    last = ends[users + 1] - 1
    valid, test = (places[one] - whole.offsets[users] for one in (last - 1, last))
    evaluated = valid > 0
    return users[evaluated], valid[evaluated], test[evaluated]


def _hold_out_disliked(
    part: EvaluationSet, dataset: Dataset, first: npt.NDArray[np.int64]
) -> EvaluationSet:
    """The part with what users disliked from place `first[e]` on held out of its histories."""
    whole = dataset.histories
    histories = part.histories.keep(~_disliked_from(part.histories, first))
    everything = whole.prefixes(part.users, whole.lengths[part.users])
    disliked = everything.keep(_disliked_from(everything, first))

    # What users have in their history, or like in the end, may be recommended after all.
    fine = (histories, Histories(np.arange(len(first) + 1), part.targets))
    disliked = _each_once(disliked, fine, dataset.item_count)
    return replace(part, histories=histories, disliked=disliked if len(disliked.items) else None)


def _disliked_from(rows: Histories, first: npt.NDArray[np.int64]) -> npt.NDArray[np.bool_]:
    """Where rows hold what was disliked, from place `first[e]` of row e on: bool [N]."""
    begins = np.repeat(rows.offsets[:-1] + first, rows.lengths)
    return (rows.disliked == 1) & (np.arange(len(begins)) >= begins)


def _each_once(rows: Histories, without: Sequence[Histories], item_count: int) -> Histories:
    """Each item of a row once, but for those that are `without` in the same row."""

    def keys(some: Histories) -> npt.NDArray[np.int64]:
        row = np.repeat(np.arange(some.row_count), some.lengths)
        return row * (item_count + 1) + some.items

    own = keys(rows)
    kept = np.zeros(len(own), bool)
    kept[np.unique(own, return_index=True)[1]] = True
    return rows.keep(kept & ~np.isin(own, np.concatenate([*map(keys, without)])))


def training_lengths(lengths: npt.NDArray[np.integer]) -> npt.NDArray[np.int64]:
    """How long training sequences are where users' last two items are held out, int64 [U].

    Examples
    --------
    >>> training_lengths(np.array([1, 2, 3, 9]))
    array([1, 2, 1, 7])
    """
    return np.where(lengths >= 3, lengths - 2, lengths).astype(np.int64)


def is_learned(lengths: npt.NDArray[np.integer]) -> npt.NDArray[np.bool_]:
    """Whether something can be learned of training sequences of these lengths, bool [U]."""
    return lengths >= 2


def user_codes(train: Histories) -> npt.NDArray[np.int32]:
    """The code of each user, int32 [U]: 1, 2, … for those of whom something can be learned.

    Those are the users with two training items or more; the others have the code 0.

    Examples
    --------
    >>> from tf_recdenoiser.data.histories import offsets_of
    >>> user_codes(Histories(offsets_of([2, 1, 3]), np.arange(6, dtype=np.int32)))
    array([1, 0, 2], dtype=int32)
    """
    learned = is_learned(train.lengths)
    return (np.cumsum(learned) * learned).astype(np.int32)
