"""From a score function to ranks, batch by batch."""

from __future__ import annotations

from typing import Protocol

import numpy as np

from tf_recdenoiser.evaluation.arrays import FloatArray, IntArray
from tf_recdenoiser.evaluation.metrics import DislikedRanks, Result
from tf_recdenoiser.evaluation.problem import EvaluationProblem, entries
from tf_recdenoiser.evaluation.protocols import Candidates, Negatives, draw_batches
from tf_recdenoiser.evaluation.ranks import best_ranks, rank_among


class ScoreFunction(Protocol):
    """A model under evaluation: the higher a score, the better the item fits."""

    def __call__(self, rows: IntArray, candidates: IntArray | None, /) -> FloatArray:
        """Score items for some rows of the problem.

        Parameters
        ----------
        rows
            [R] rows of the problem.
        candidates
            [R, C] items to score for each row, the target first; 0 stands for none
            and may be given any score. None asks for all items.

        Returns
        -------
        [R, C], or for None [R, item_count + 1], where column i is item i and column 0,
        padding, is ignored.
        """


def evaluate(
    score: ScoreFunction,
    problem: EvaluationProblem,
    protocol: str = "full",
    seed: int = 0,
    batch_size: int = 512,
    negatives: Negatives | None = None,
) -> Result:
    """Rank every row's target as a protocol says. Ties count against the model.

    Among the whole catalogue, disliked items are ranked too, where the problem has any.

    Candidates depend on the problem, the protocol and the seed, not on the model or the batch
    size, so that two results are paired. At most `batch_size` rows of scores exist at a time, and
    of a large catalogue as many as take 256 MB.

    Parameters
    ----------
    score
        The model.
    problem
        The rows to evaluate, their targets and histories.
    protocol
        A name of `PROTOCOLS`: "full", "paper" or "sasrec".
    seed
        Seed of the protocol's random choices, from 0; "full" makes none.
    batch_size
        Most rows to score at a time; of a large catalogue there are fewer.
    negatives
        What `draw_negatives` returned for this protocol and seed; None draws them.

    Raises
    ------
    ValueError
        For an unknown protocol, scores of the wrong shape, a NaN score, and
        `negatives` that belong to another protocol, seed or problem.

    Examples
    --------
    >>> history = np.array([0, 1]), np.array([1])
    >>> everything = np.array([0, 2]), np.array([1, 3])
    >>> problem = EvaluationProblem(4, np.array([3]), history, history, everything)
    >>> scores = np.array([[0.0, 9.0, 4.0, 7.0, 8.0]])  # one row; padding, then items 1 to 4
    >>> def score(rows, candidates):
    ...     return scores[rows] if candidates is None else scores[rows[:, None], candidates]
    >>> evaluate(score, problem).ranks.tolist()  # item 1 is in the history, item 4 is ahead
    [1]
    """
    if negatives is None:
        batches = draw_batches(problem, protocol, seed, batch_size)
    else:
        negatives.check_fit(problem, protocol, seed)
        batches = negatives.batches(batch_size)
    evaluated, ranks, disliked, short_rows = [], [], [], 0
    for rows, candidates in batches:
        rank = _rank_in_catalogue if candidates.items is None else _rank_in_sample
        batch_ranks, batch_disliked = rank(score, problem, rows, candidates)
        evaluated.append(rows)
        ranks.append(batch_ranks)
        disliked += [] if batch_disliked is None else [batch_disliked]
        short_rows += candidates.short_rows
    return Result(
        ranks=np.concatenate(ranks),
        rows=np.concatenate(evaluated),
        protocol=protocol,
        seed=seed,
        short_rows=short_rows,
        disliked=DislikedRanks(*np.concatenate(disliked, axis=1)) if disliked else None,
    )


def _rank_in_catalogue(
    score: ScoreFunction, problem: EvaluationProblem, rows: IntArray, candidates: Candidates
) -> tuple[IntArray, DislikedRanks | None]:
    scores = _checked(score(rows, None), (len(rows), problem.item_count + 1))
    target = np.arange(len(rows)), problem.targets[rows]
    ranks = rank_among(scores[target], scores, candidates.valid)
    if problem.disliked is None:
        return ranks, None
    positions, items = entries(problem.disliked, rows)
    others = candidates.valid.copy()
    others[target] = True
    others[positions, items] = False
    return ranks, DislikedRanks(rows[positions], best_ranks(scores, others, positions, items))


def _rank_in_sample(
    score: ScoreFunction, problem: EvaluationProblem, rows: IntArray, candidates: Candidates
) -> tuple[IntArray, None]:
    assert candidates.items is not None
    targets = problem.targets[rows]
    listed = np.concatenate([targets[:, None], candidates.items], axis=1, dtype=np.int64)
    scores = _checked(score(rows, listed), listed.shape)
    target_scores = scores[:, 0]
    # A drawn copy of the target must tie with it, though the model may have rounded the same
    # inner product differently in another column.
    is_target = candidates.items == targets[:, None]
    other_scores = np.where(is_target, target_scores[:, None], scores[:, 1:])
    return rank_among(target_scores, other_scores, candidates.valid), None


def _checked(scores: FloatArray, shape: tuple[int, ...]) -> FloatArray:
    scores = np.asarray(scores)
    if scores.shape != shape:
        raise ValueError(
            f"`score` must return an array of shape {shape}: a line per row, a column per "
            f"candidate, or per item with padding first. Received: shape {scores.shape}"
        )
    return scores
