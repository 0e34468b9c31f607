"""The share of disliked items among the first K, against a sorted list with ties at their worst."""

from __future__ import annotations

import math
import tracemalloc
import weakref

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tf_recdenoiser.evaluation import PROTOCOLS, DislikedRanks, EvaluationProblem, Result, evaluate
from tf_recdenoiser.evaluation.ranks import best_ranks

Rows = list[list[int]]


def lists_of(rows: Rows) -> tuple[np.ndarray, np.ndarray]:
    offsets = np.cumsum([0, *map(len, rows)])
    return offsets, np.array([item for row in rows for item in row], dtype=np.int64)


def problem_of(
    item_count: int, targets: list[int], seen: Rows, disliked: Rows | None
) -> EvaluationProblem:
    interacted = [[*row, target] for row, target in zip(seen, targets, strict=True)]
    return EvaluationProblem(
        item_count,
        np.array(targets),
        seen=lists_of(seen),
        train=lists_of(seen),
        interacted=lists_of(interacted),
        disliked=None if disliked is None else lists_of(disliked),
    )


class Table:
    """A model that looks its scores up."""

    def __init__(self, scores: np.ndarray) -> None:
        self.scores = scores

    def __call__(self, rows: np.ndarray, candidates: np.ndarray | None) -> np.ndarray:
        return self.scores[rows] if candidates is None else self.scores[rows[:, None], candidates]


@st.composite
def ranked(draw) -> tuple[int, list[int], Rows, Rows, np.ndarray]:
    """Catalogue, targets, histories, held-out dislikes and scores, with many ties."""
    item_count, rows = draw(st.integers(1, 9)), draw(st.integers(1, 5))
    targets, seen, disliked = [], [], []
    for _ in range(rows):
        order = draw(st.permutations(range(1, item_count + 1)))
        met, begin = draw(st.integers(0, item_count)), draw(st.integers(1, item_count))
        targets.append(order[0])
        # The target may be a repeated item.
        seen.append(order[draw(st.integers(0, 1)) : begin][:met])
        disliked.append(order[begin:][: draw(st.integers(0, item_count))])
    values = st.sampled_from([-math.inf, 0.0, 0.5, 1.0, math.inf])
    size = rows * (item_count + 1)
    scores = np.array(draw(st.lists(values, min_size=size, max_size=size)))
    return item_count, targets, seen, disliked, scores.reshape(rows, -1)


def worst_list(case, row: int) -> list[int]:
    """The items that can be recommended, best first; of equals the disliked first, the target last.

    One order for both metrics: what counts against the model is possible all at once.
    """
    item_count, targets, seen, disliked, scores = case
    target = targets[row]
    able = [i for i in range(1, item_count + 1) if i not in seen[row] or i == target]
    return sorted(able, key=lambda i: (-scores[row][i], i not in disliked[row], i == target))


@given(case=ranked(), batch_size=st.integers(1, 6))
@settings(max_examples=100, deadline=None)
def test_disliked_items_are_counted_in_the_worst_list_there_is(case, batch_size) -> None:
    item_count, targets, seen, disliked, scores = case
    problem = problem_of(item_count, targets, seen, disliked)
    result = evaluate(Table(scores), problem, batch_size=batch_size)
    for k in range(1, item_count + 2):
        firsts = [worst_list(case, row)[:k] for row in range(len(targets))]
        shares = [len({*first} & {*bad}) / k for first, bad in zip(firsts, disliked, strict=True)]
        hits = [target in first for target, first in zip(targets, firsts, strict=True)]
        assert result.per_user(f"disliked@{k}").tolist() == pytest.approx(shares)
        # No disliked item is a hit: there is room for both.
        assert result.per_user(f"hit@{k}").tolist() == hits
    assert result.mean("disliked@1") == result.per_user("disliked@1").mean()


@given(case=ranked(), protocol=st.sampled_from(sorted(PROTOCOLS)))
@settings(max_examples=60, deadline=None)
def test_targets_rank_as_if_nobody_had_disliked_anything(case, protocol) -> None:
    item_count, targets, seen, disliked, scores = case
    results = [
        evaluate(Table(scores), problem_of(item_count, targets, seen, held_out), protocol)
        for held_out in (disliked, None)
    ]
    np.testing.assert_array_equal(results[0].ranks, results[1].ranks)
    assert (results[0].disliked is not None) == (protocol == "full")
    assert results[1].disliked is None


def test_a_model_that_gives_everything_one_score_recommends_what_is_disliked() -> None:
    problem = problem_of(20, [1, 1], [[2], [2]], [[3, 4], [*range(3, 18)]])
    result = evaluate(lambda rows, _: np.zeros((len(rows), 21)), problem)
    assert result.per_user("disliked@10").tolist() == [0.2, 1.0]
    assert result.per_user("hit@10").tolist() == [0.0, 0.0]


def test_what_users_already_have_takes_no_place() -> None:
    problem = problem_of(5, [1], [[2, 3]], [[4]])
    result = evaluate(Table(np.array([[9.0, 1.0, 8.0, 7.0, 0.5, 2.0]])), problem)
    assert result.disliked is not None
    assert result.disliked.ranks.tolist() == [2]  # behind 5 and the target


def test_the_summary_counts_disliked_items_where_they_are_ranked() -> None:
    result = Result(np.array([0, 4]), np.array([3, 7]), protocol="full", seed=0)
    ranked = DislikedRanks(rows=np.array([7, 7]), ranks=np.array([1, 5]))
    with_them = Result(**{**vars(result), "disliked": ranked})
    assert with_them.per_user("disliked@5").tolist() == [0.0, 0.2]
    more = with_them.summary(ks=(1, 10)).items() - result.summary(ks=(1, 10)).items()
    assert dict(more) == {"disliked@1": 0.0, "disliked@10": 0.1}
    with pytest.raises(ValueError, match=r"one of hit, ndcg\. Received: 'disliked@10'"):
        result.per_user("disliked@10")


def test_without_any_held_out_item_the_share_is_zero() -> None:
    result = evaluate(Table(np.zeros([2, 4])), problem_of(3, [1, 2], [[3], [3]], [[], []]))
    assert result.per_user("disliked@1").tolist() == [0.0, 0.0]


def test_items_without_rivals_take_the_first_ranks() -> None:
    none = np.zeros([1, 3], bool)
    ranks = best_ranks(np.array([[1.0, 3.0, 2.0]]), none, np.zeros(3, int), np.arange(3))
    assert ranks.tolist() == [0, 1, 2]


def test_a_batch_of_scores_is_enough_memory() -> None:
    items, rows = 5_000, 200
    # More held-out items than would fit beside the scores, if each had a row of its own.
    disliked = [[*range(10, 60)] for _ in range(rows)]
    problem = problem_of(items, [1] * rows, [[2]] * rows, disliked)
    returned: list[weakref.ref[np.ndarray]] = []

    def score(asked: np.ndarray, _: None) -> np.ndarray:
        assert all(reference() is None for reference in returned)
        scores = np.zeros((len(asked), items + 1))
        returned.append(weakref.ref(scores))
        return scores

    tracemalloc.start()
    try:
        evaluate(score, problem, batch_size=16)
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert len(returned) == 13
    assert peak < 3 * 16 * (items + 1) * np.dtype(np.float64).itemsize
