"""How good a recommender is on a split, by a named protocol."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from tf_recdenoiser.data import DataError, Dataset, EvaluationSet, Split
from tf_recdenoiser.evaluation import EvaluationProblem, Result, evaluate
from tf_recdenoiser.training import Recommender

PARTS = ("valid", "test")


def evaluation_problem(dataset: Dataset, split: Split, part: str) -> EvaluationProblem:
    """The ranking problem of one part of a split."""
    chosen = evaluation_set(split, part)
    if not len(chosen.users):
        raise DataError(
            "The log must have users with at least three interactions, to evaluate by. Received: "
            f"{dataset.user_count} users, none with so many"
        )
    whole = dataset.histories
    everything = whole.heads(chosen.users, whole.lengths[chosen.users])
    train = split.train.heads(chosen.users, split.train.lengths[chosen.users])
    return EvaluationProblem(
        item_count=dataset.item_count,
        targets=chosen.targets,
        seen=(chosen.histories.offsets, chosen.histories.items),
        train=(train.offsets, train.items),
        interacted=(everything.offsets, everything.items),
    )


def evaluation_set(split: Split, part: str) -> EvaluationSet:
    """The part of a split by its name."""
    if part not in PARTS:
        raise ValueError(f"`split` must be one of {', '.join(PARTS)}. Received: split={part!r}")
    chosen: EvaluationSet = getattr(split, part)
    return chosen


class Scorer:
    """Ranks a recommender's recommendations for one part of a split.

    Parameters
    ----------
    dataset, split, part
        What is evaluated: `part` is `"valid"` or `"test"`.
    max_length
        n, how much of a history the recommender reads.
    clean
        What is done to the histories `[E, n]` before the recommender reads them; None
        (default): nothing. Items it takes out still count as seen.
    """

    def __init__(
        self,
        dataset: Dataset,
        split: Split,
        part: str,
        max_length: int,
        clean: Callable[[np.ndarray], np.ndarray] | None = None,
    ) -> None:
        self.problem = evaluation_problem(dataset, split, part)
        histories = evaluation_set(split, part).histories.last(max_length)
        self._histories = histories if clean is None else clean(histories)

    def result(self, recommender: Recommender, protocol: str, seed: int = 0) -> Result:
        """The rank of each user's target."""

        def score(rows: np.ndarray, candidates: np.ndarray | None) -> np.ndarray:
            return recommender.score(self._histories[rows], candidates)

        return evaluate(score, self.problem, protocol, seed)

    def some_histories(self, count: int = 256) -> np.ndarray:
        """The first `count` users' histories, `[count, n]`, left-padded with 0."""
        return self._histories[:count]
