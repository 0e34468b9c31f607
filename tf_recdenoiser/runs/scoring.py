"""How good a recommender is on a split, by a named protocol."""

from __future__ import annotations

from collections.abc import Callable, Collection, Sequence

import numpy as np

from tf_recdenoiser.data import DataError, Dataset, EvaluationSet, Histories, Split, user_codes
from tf_recdenoiser.evaluation import EvaluationProblem, Result, Seen, evaluate
from tf_recdenoiser.runs.finite import finite
from tf_recdenoiser.training import Recommender
from tf_recdenoiser.training.recommender import scores_of

PARTS = ("valid", "test")
_BATCH = 512

Inputs = dict[str, np.ndarray]
"""What a backbone reads of some users, by name; see `backbones.EXTRA_INPUTS`."""


def evaluation_problem(dataset: Dataset, split: Split, part: str) -> EvaluationProblem:
    """The ranking problem of one part of a split."""
    chosen = evaluation_set(split, part)
    if not len(chosen.users):
        raise DataError(
            "The log must have users with at least three interactions, to evaluate by. Received: "
            f"{dataset.user_count} users, none with so many"
        )
    whole = dataset.histories
    everything = whole.prefixes(chosen.users, whole.lengths[chosen.users])
    train = split.train.prefixes(chosen.users, split.train.lengths[chosen.users])
    return EvaluationProblem(
        item_count=dataset.item_count,
        targets=chosen.targets,
        seen=_lists(chosen.histories),
        train=_lists(train),
        interacted=_lists(everything),
        disliked=None if chosen.disliked is None else _lists(chosen.disliked),
    )


def _lists(histories: Histories) -> Seen:
    return histories.offsets, histories.items


def evaluation_set(split: Split, part: str) -> EvaluationSet:
    """The part of a split by its name."""
    if part not in PARTS:
        raise ValueError(f"`split` must be one of {', '.join(PARTS)}. Received: split={part!r}")
    chosen: EvaluationSet = getattr(split, part)
    return chosen


def evaluation_inputs(
    split: Split, part: str, max_length: int, extra_inputs: Sequence[str] = ()
) -> Inputs:
    """What a backbone reads of every user of a part: `item_ids` `[E, n]` and `extra_inputs`."""
    chosen = evaluation_set(split, part)
    inputs: Inputs = {"item_ids": chosen.histories.last(max_length)}
    if "user_ids" in extra_inputs:
        inputs["user_ids"] = user_codes(split.train)[chosen.users]
    if "times" in extra_inputs:
        inputs["times"] = chosen.histories.last_times(max_length)
    return inputs


class Scorer:
    """Ranks a recommender's recommendations for one part of a split.

    Parameters
    ----------
    dataset, split, part
        What is evaluated: `part` is `"valid"` or `"test"`.
    max_length
        n, how much of a history the recommender reads.
    clean
        What is done to the inputs before the recommender reads them; None (default): nothing.
        Items it takes out still count as seen.
    extra_inputs
        What the recommender's backbone reads beside the items; nothing by default.
    """

    def __init__(
        self,
        dataset: Dataset,
        split: Split,
        part: str,
        max_length: int,
        clean: Callable[[Inputs], Inputs] | None = None,
        extra_inputs: Sequence[str] = (),
    ) -> None:
        self.problem = evaluation_problem(dataset, split, part)
        inputs = evaluation_inputs(split, part, max_length, extra_inputs)
        self._inputs = inputs if clean is None else clean(inputs)

    def result(self, recommender: Recommender, protocol: str, seed: int = 0) -> Result:
        """The rank of each user's target, and of what they disliked later, where that is known."""
        return self.results(recommender, [protocol], seed)[protocol]

    def results(
        self, recommender: Recommender, protocols: Collection[str], seed: int = 0
    ) -> dict[str, Result]:
        """What `result` has of each protocol; the histories are read once."""
        rows = np.arange(len(self.problem.targets))
        parts = [
            recommender.encode(**{name: values[batch] for name, values in self._inputs.items()})
            for batch in np.split(rows, np.arange(_BATCH, len(rows), _BATCH))
        ]
        vectors, table = np.concatenate(parts), recommender.item_vectors()

        def score(rows: np.ndarray, candidates: np.ndarray | None) -> np.ndarray:
            return finite("Scores", scores_of(vectors[rows], table, candidates))

        return {name: evaluate(score, self.problem, name, seed) for name in protocols}

    def some_inputs(self, count: int = 256) -> Inputs:
        """What the recommender reads of the first `count` users."""
        return {name: values[:count] for name, values in self._inputs.items()}
