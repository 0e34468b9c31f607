"""The rank of a target, and of what had better not be recommended, by counting."""

from __future__ import annotations

import numpy as np

from tf_recdenoiser.evaluation.arrays import BoolArray, FloatArray, IntArray


def rank_among(
    target_scores: FloatArray, other_scores: FloatArray, valid: BoolArray | None = None
) -> IntArray:
    """How many other candidates score at least as high as the target: 0 is the best rank.

    A tie counts against the target, so a model that gives everything one score gets the worst
    rank and not, as with a sort, whatever its order happens to be.

    Parameters
    ----------
    target_scores
        [R] scores of the targets; infinities are allowed.
    other_scores
        [R, C] scores of the other candidates, the target itself not among them.
    valid
        [R, C], False where a column is no candidate; its score is then ignored, even a
        NaN. None: all are.

    Returns
    -------
    [R] integers from 0 to the row's number of valid candidates.

    Raises
    ------
    ValueError
        For shapes that do not agree, and for a NaN score of a target or of a valid
        candidate, which no order has a place for.

    Examples
    --------
    >>> rank_among(np.array([0.5, 0.5]), np.array([[0.7, 0.5, 0.1], [0.1, 0.2, 0.3]])).tolist()
    [2, 0]
    """
    if valid is None:
        valid = np.ones(other_scores.shape, dtype=bool)
    _check_shapes(target_scores, other_scores, valid)
    _check_numbers(target_scores, other_scores, valid)
    return np.count_nonzero((other_scores >= target_scores[:, None]) & valid, axis=1)


def best_ranks(scores: FloatArray, others: BoolArray, rows: IntArray, items: IntArray) -> IntArray:
    """The ranks of some items of each row, put before whatever they tie with: 0 is the best rank.

    For items that had better not be recommended a tie thus counts against the model, as it does
    in `rank_among` for those that had better be. No two items of a row have one rank.

    Parameters
    ----------
    scores
        [R, C] scores of all candidates.
    others
        [R, C], True where a column is a candidate and none of the items to rank.
    rows
        [T] row of each item, never falling.
    items
        [T] column of each item, in a row each once.

    Returns
    -------
    [T] integers: in the places of a row the ranks of its items, rising.

    Examples
    --------
    >>> scores, others = np.array([[0.5, 0.7, 0.5, 0.5]]), np.array([[True, True, False, False]])
    >>> best_ranks(scores, others, rows=np.array([0, 0]), items=np.array([2, 3])).tolist()
    [1, 2]
    """
    own = scores[rows, items]
    own = own[np.lexsort((-own, rows))]
    before = np.arange(len(rows)) - np.searchsorted(rows, rows)
    # An item at a time: rows have few of them, and [T, C] at once may not fit into memory.
    ahead = [
        np.count_nonzero((scores[row] > score) & others[row])
        for row, score in zip(rows, own, strict=True)
    ]
    return before + np.array(ahead, np.int64)


def _check_shapes(target_scores: FloatArray, other_scores: FloatArray, valid: BoolArray) -> None:
    shapes = target_scores.shape, other_scores.shape, valid.shape
    if other_scores.ndim != 2 or shapes[0] != shapes[1][:1] or shapes[1] != shapes[2]:
        raise ValueError(
            "`target_scores`, `other_scores` and `valid` must have shapes [R], [R, C] and [R, C]. "
            f"Received: {shapes[0]}, {shapes[1]} and {shapes[2]}"
        )


def _check_numbers(target_scores: FloatArray, other_scores: FloatArray, valid: BoolArray) -> None:
    unordered = np.isnan(target_scores) | (np.isnan(other_scores) & valid).any(axis=1)
    if unordered.any():
        raise ValueError(
            "Scores must not be NaN: a NaN has no rank. Look for a diverged model or a division "
            f"by zero. Received: NaN in {np.count_nonzero(unordered)} of {len(unordered)} rows"
        )
