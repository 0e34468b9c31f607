"""The protocols against slow loops over users and lists, and the promises they make."""

from __future__ import annotations

import math
import tracemalloc
import weakref
from collections import Counter
from itertools import combinations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tf_recdenoiser.evaluation import (
    PROTOCOLS,
    EvaluationProblem,
    Negatives,
    SampledRanking,
    draw_negatives,
    evaluate,
)
from tf_recdenoiser.evaluation.sampling import with_replacement

SAMPLED = [name for name, chosen in PROTOCOLS.items() if isinstance(chosen, SampledRanking)]


def lists_of(rows: list[list[int]]) -> tuple[np.ndarray, np.ndarray]:
    offsets = np.cumsum([0, *map(len, rows)])
    return offsets, np.array([item for row in rows for item in row], dtype=np.int64)


def problem_of(item_count: int, sequences: list[list[int]]) -> EvaluationProblem:
    """Leave-one-out at test: the last item is the target, the one before it validation."""
    return EvaluationProblem(
        item_count=item_count,
        targets=np.array([items[-1] for items in sequences]),
        seen=lists_of([items[:-1] for items in sequences]),
        train=lists_of([items[:-2] for items in sequences]),
        interacted=lists_of(sequences),
    )


def random_sequences(rows: int, item_count: int, longest: int, seed: int = 0) -> list[list[int]]:
    rng = np.random.default_rng(seed)
    lengths = rng.integers(3, longest + 1, rows)
    return [rng.integers(1, item_count + 1, length).tolist() for length in lengths]


class Table:
    """A system that looks its scores up, and records what it was asked."""

    def __init__(self, scores: np.ndarray) -> None:
        self.scores = scores
        self.shift: list[tuple[np.ndarray, np.ndarray | None]] = []

    def __call__(self, rows: np.ndarray, candidates: np.ndarray | None) -> np.ndarray:
        self.shift.append((rows, candidates))
        return self.scores[rows] if candidates is None else self.scores[rows[:, None], candidates]


def random_table(problem: EvaluationProblem, seed: int = 0, levels: int = 40) -> Table:
    """Scores with ties in them; NaN for padding, which no protocol may look at."""
    rng = np.random.default_rng(seed)
    scores = rng.integers(0, levels, (len(problem.targets), problem.item_count + 1)) / 8
    scores[:, 0] = np.nan
    return Table(scores)


def constant(problem: EvaluationProblem) -> Table:
    return Table(np.zeros((len(problem.targets), problem.item_count + 1)))


def slow_rank(scores: np.ndarray, target: int, others: list[int]) -> int:
    """Sort the items best first, the target behind its equals."""
    order = sorted([(-scores[item], 0) for item in others] + [(-scores[target], 1)])
    return order.index((-scores[target], 1))


def slow_full(problem: EvaluationProblem, sequences: list[list[int]], scores: np.ndarray):
    for row, items in enumerate(sequences):
        history, target = items[:-1], items[-1]
        catalogue = range(1, problem.item_count + 1)
        others = [item for item in catalogue if item not in history and item != target]
        yield slow_rank(scores[row], target, others)


# The whole catalogue.


@settings(max_examples=60, deadline=None)
@given(st.data())
def test_full_ranks_are_those_of_a_slow_loop(data) -> None:
    item_count = data.draw(st.integers(1, 8))
    items = st.lists(st.integers(1, item_count), min_size=3, max_size=7)
    sequences = data.draw(st.lists(items, min_size=1, max_size=6))
    values = st.sampled_from([-math.inf, 0.0, 0.5, 1.0, 2.0, math.inf])
    cells = len(sequences) * (item_count + 1)
    flat = data.draw(st.lists(values, min_size=cells, max_size=cells))
    scores = np.array(flat).reshape(len(sequences), item_count + 1)
    problem = problem_of(item_count, sequences)

    result = evaluate(Table(scores), problem, batch_size=data.draw(st.integers(1, 7)))

    assert result.ranks.tolist() == list(slow_full(problem, sequences, scores))
    assert result.rows.tolist() == list(range(len(sequences)))
    assert (result.protocol, result.short_rows) == ("full", 0)


@pytest.mark.parametrize("most", [1, 11, 12, 36, 1000])
def test_of_a_large_catalogue_few_rows_are_scored_at_a_time(
    monkeypatch: pytest.MonkeyPatch, most: int
) -> None:
    problem = problem_of(11, [[1, 2, 3, 4]] * 7)
    scores = np.random.default_rng(0).normal(size=[7, 12])
    expected = evaluate(Table(scores), problem).ranks
    monkeypatch.setattr("tf_recdenoiser.evaluation.protocols.MOST_SCORES", most)
    asked = []

    def score(rows: np.ndarray, candidates: np.ndarray | None) -> np.ndarray:
        asked.append(len(rows))
        return scores[rows]

    assert evaluate(score, problem, batch_size=5).ranks.tolist() == expected.tolist()
    assert max(asked) == min(max(most // 12, 1), 5)


def test_with_equal_scores_the_rank_is_the_number_of_other_candidates() -> None:
    problem = problem_of(10, [[1, 2, 3], [4, 4, 5, 4, 6]])
    result = evaluate(constant(problem), problem)
    assert result.ranks.tolist() == [10 - 3, 10 - 3]


def test_a_target_with_the_lowest_score_is_last() -> None:
    problem = problem_of(6, [[1, 2, 3]])
    scores = np.array([[9.0, 5.0, 5.0, -1.0, 4.0, 3.0, 2.0]])
    assert evaluate(Table(scores), problem).ranks.tolist() == [3]


def test_seen_items_do_not_compete_however_high_they_score() -> None:
    problem = problem_of(5, [[1, 2, 3]])
    scores = np.array([[math.inf, math.inf, 99.0, 1.0, 0.5, 0.25]])
    assert evaluate(Table(scores), problem).ranks.tolist() == [0]


def test_a_target_that_is_in_the_history_too_is_ranked_by_its_score() -> None:
    problem = problem_of(5, [[3, 2, 3], [3, 2, 3]])
    scores = np.array([[0.0, 0.0, 0.0, 5.0, 9.0, 1.0], [0.0, 3.0, 9.0, 2.0, 3.0, 3.0]])
    assert evaluate(Table(scores), problem).ranks.tolist() == [1, 3]


def test_minus_infinity_for_a_masked_target_ties_with_other_masked_items() -> None:
    problem = problem_of(5, [[1, 2, 3]])
    scores = np.array([[0.0, 0.0, 0.0, -math.inf, -math.inf, 1.0]])
    assert evaluate(Table(scores), problem).ranks.tolist() == [2]


@pytest.mark.parametrize("protocol", PROTOCOLS)
def test_in_a_catalogue_of_one_item_the_target_is_first(protocol) -> None:
    problem = problem_of(1, [[1, 1, 1]])
    result = evaluate(constant(problem), problem, protocol)
    assert result.ranks.tolist() == [0]
    assert result.short_rows == (1 if protocol in SAMPLED else 0)


# Sampled negatives.


@pytest.mark.parametrize("protocol", SAMPLED)
def test_sampled_ranks_are_those_of_a_slow_loop_over_the_drawn_items(protocol) -> None:
    sequences = random_sequences(rows=60, item_count=150, longest=80)
    problem = problem_of(150, sequences)
    system = random_table(problem)
    result = evaluate(system, problem, protocol, seed=5, batch_size=17)
    negatives = draw_negatives(problem, protocol, seed=5)

    expected = [
        slow_rank(system.scores[row], sequences[row][-1], [item for item in drawn if item])
        for row, drawn in zip(negatives.rows, negatives.items.tolist(), strict=True)
    ]
    assert result.ranks.tolist() == expected
    assert len(set(expected)) > 10
    for rows, candidates in system.shift:
        assert candidates is not None
        assert (candidates[:, 0] == problem.targets[rows]).all()


def test_paper_negatives_are_a_hundred_different_items_never_interacted_with() -> None:
    sequences = random_sequences(rows=80, item_count=160, longest=60)
    negatives = draw_negatives(problem_of(160, sequences), "paper", seed=1)
    assert negatives.items.shape == (80, 100)
    for items, drawn in zip(sequences, negatives.items.tolist(), strict=True):
        assert len(set(drawn)) == 100
        assert set(drawn) <= set(range(1, 161)) - set(items)


def test_paper_takes_all_unmet_items_where_there_are_fewer_and_says_where() -> None:
    sequences = [list(range(1, 21)), list(range(1, 22)), list(range(1, 121)), [1, 2, 3]]
    problem = problem_of(120, sequences)
    negatives = draw_negatives(problem, "paper", seed=0)
    drawn = [sorted(item for item in row if item) for row in negatives.items.tolist()]
    assert drawn[0] == list(range(21, 121))
    assert drawn[1] == list(range(22, 121))
    assert drawn[2] == []
    assert len(drawn[3]) == 100
    result = evaluate(constant(problem), problem, "paper")
    assert result.ranks.tolist() == [100, 99, 0, 100]
    assert result.short_rows == 2


def test_sasrec_excludes_training_items_and_nothing_else() -> None:
    sequences = [[1, 2, 3, 4, 5]] * 200
    drawn = draw_negatives(problem_of(8, sequences), "sasrec", seed=0).items
    assert drawn.shape == (200, 100)
    counts = Counter(drawn.ravel().tolist())
    # 4 is the validation item and 5 the target: drawn as often as the rest.
    assert counts.keys() == {4, 5, 6, 7, 8}
    spread = math.sqrt(20_000 * 0.2 * 0.8)
    assert all(abs(count - 4_000) < 5 * spread for count in counts.values())


def test_a_drawn_copy_of_the_target_counts_against_the_system() -> None:
    problem = problem_of(5, [[1, 2, 3, 4, 5]] * 50)
    scores = np.tile([0.0, 0.0, 0.0, 0.0, 1.0, 2.0], (50, 1))
    copies = (draw_negatives(problem, "sasrec", seed=3).items == 5).sum(axis=1)
    assert copies.min() > 20
    assert evaluate(Table(scores), problem, "sasrec", seed=3).ranks.tolist() == copies.tolist()


def test_a_drawn_copy_of_the_target_ties_even_if_it_is_rounded_differently() -> None:
    problem = problem_of(5, [[1, 2, 3, 4, 5]] * 20)
    scores = np.tile([0.0, 0.0, 0.0, 0.0, 1.0, 2.0], (20, 1))
    exact = Table(scores)

    def rounded(rows, candidates):
        return exact(rows, candidates) - 1e-7 * np.arange(candidates.shape[1])

    first = evaluate(rounded, problem, "sasrec").ranks
    assert first.tolist() == evaluate(exact, problem, "sasrec").ranks.tolist()


def test_sasrec_draws_nothing_where_training_covers_the_catalogue() -> None:
    problem = problem_of(3, [[1, 2, 3, 1, 2], [1, 2, 1, 2, 3]])
    negatives = draw_negatives(problem, "sasrec", seed=0).items
    assert negatives[0].tolist() == [0] * 100
    assert negatives[1].tolist() == [3] * 100
    result = evaluate(constant(problem), problem, "sasrec")
    assert result.ranks.tolist() == [0, 100]
    assert result.short_rows == 1


@pytest.mark.parametrize(
    ("protocol", "left_out"), [("paper", [0, 2, 200, 404, 405]), ("sasrec", [0, 2, 200])]
)
def test_every_item_a_user_has_not_met_is_drawn_equally_often(protocol, left_out) -> None:
    problem = problem_of(405, [[2, 2, 200, 404, 405]] * 400)
    items = draw_negatives(problem, protocol, seed=0).items
    counts = np.bincount(items.ravel(), minlength=406)
    assert not counts[left_out].any()
    drawable = np.delete(counts, left_out)
    mean = items.size / len(drawable)
    # Poisson at most: five standard deviations, for 400 items.
    assert (np.abs(drawable - mean) < 5 * math.sqrt(mean)).all()


# The same negatives for everyone.


@pytest.mark.parametrize("protocol", PROTOCOLS)
def test_two_systems_are_asked_about_the_same_rows_and_items(protocol) -> None:
    problem = problem_of(150, random_sequences(rows=40, item_count=150, longest=30))
    systems = [random_table(problem, seed) for seed in (1, 2)]
    results = [evaluate(system, problem, protocol, batch_size=16) for system in systems]
    assert results[0].ranks.tolist() != results[1].ranks.tolist()
    for (rows, items), (other_rows, other_items) in zip(
        systems[0].shift, systems[1].shift, strict=True
    ):
        np.testing.assert_array_equal(rows, other_rows)
        np.testing.assert_array_equal(items, other_items)


@pytest.mark.parametrize("protocol", PROTOCOLS)
def test_the_batch_size_changes_nothing(protocol) -> None:
    problem = problem_of(150, random_sequences(rows=40, item_count=150, longest=30))
    system = random_table(problem)
    ranks = [evaluate(system, problem, protocol, batch_size=size).ranks for size in (1, 7, 40, 512)]
    for other in ranks[1:]:
        np.testing.assert_array_equal(ranks[0], other)


@pytest.mark.parametrize("protocol", SAMPLED)
def test_a_rows_negatives_do_not_depend_on_the_other_rows(protocol) -> None:
    sequences = random_sequences(rows=30, item_count=150, longest=30)
    alone = draw_negatives(problem_of(150, sequences[:9]), protocol, seed=2)
    among = draw_negatives(problem_of(150, sequences), protocol, seed=2)
    np.testing.assert_array_equal(alone.items, among.items[:9])


def test_another_seed_or_another_protocol_draws_other_items() -> None:
    problem = problem_of(5_000, [[1, 2, 3]] * 5)
    drawn = []
    for name, seed in [("one", 0), ("one", 1), ("two", 0)]:
        protocol = SampledRanking(name, lambda problem: problem.train, with_replacement)
        drawn.append(set(protocol.candidates(problem, np.arange(5), seed).items.ravel().tolist()))
    # About 500 of 5,000 each: two independent draws share about 50.
    assert all(len(a & b) < 100 for a, b in combinations(drawn, 2))


@pytest.mark.parametrize("protocol", SAMPLED)
def test_negatives_can_be_drawn_beforehand(protocol) -> None:
    problem = problem_of(150, random_sequences(rows=40, item_count=150, longest=80))
    system = random_table(problem)
    negatives = draw_negatives(problem, protocol, seed=4)
    given_them = evaluate(system, problem, protocol, seed=4, batch_size=9, negatives=negatives)
    drawn = evaluate(system, problem, protocol, seed=4)
    np.testing.assert_array_equal(given_them.ranks, drawn.ranks)
    np.testing.assert_array_equal(given_them.rows, drawn.rows)
    assert given_them.short_rows == drawn.short_rows


def test_negatives_of_ones_own_are_used_as_they_are() -> None:
    problem = problem_of(6, [[1, 2, 3], [1, 2, 4], [1, 2, 5]])
    own = Negatives("paper", 0, np.array([0, 2]), np.array([[4, 5], [6, 0]], dtype=np.uint64))
    scores = np.tile([9.0, 0.0, 0.0, 2.0, 3.0, 1.0, 0.5], (3, 1))
    result = evaluate(Table(scores), problem, "paper", negatives=own)
    assert (result.rows.tolist(), result.ranks.tolist()) == ([0, 2], [1, 0])
    assert result.short_rows == 1


# Where there are many rows.


def many_rows(count: int) -> EvaluationProblem:
    return problem_of(4, [[1, 2, 3]] * count)


def test_sasrec_takes_ten_thousand_random_rows_where_there_are_more() -> None:
    problem = many_rows(10_500)
    result = evaluate(constant(problem), problem, "sasrec")
    assert len(result.rows) == len(result.ranks) == 10_000
    assert (np.diff(result.rows) > 0).all()
    assert result.rows[-1] < 10_500
    left_out = np.setdiff1d(np.arange(10_500), result.rows)
    # A uniform choice of 500: the mean row is within five standard errors of the middle.
    assert abs(left_out.mean() - 5_249.5) < 5 * 10_500 / math.sqrt(12 * 500)
    again = evaluate(constant(problem), problem, "sasrec", batch_size=3_000)
    np.testing.assert_array_equal(again.rows, result.rows)
    other = evaluate(constant(problem), problem, "sasrec", seed=1)
    assert (other.rows != result.rows).any()


@pytest.mark.parametrize(
    ("protocol", "rows"), [("sasrec", 10_000), ("paper", 10_500), ("full", 10_500)]
)
def test_all_rows_are_evaluated_otherwise(protocol, rows) -> None:
    problem = many_rows(rows)
    result = evaluate(constant(problem), problem, protocol)
    assert result.rows.tolist() == list(range(rows))


@pytest.mark.parametrize("protocol", PROTOCOLS)
def test_only_one_batch_of_scores_exists_at_a_time(protocol) -> None:
    problem = problem_of(300, random_sequences(rows=50, item_count=300, longest=9))
    returned: list[weakref.ref[np.ndarray]] = []

    def score(rows, candidates):
        assert len(rows) <= 8
        assert all(reference() is None for reference in returned)
        scores = np.zeros((len(rows), 301) if candidates is None else candidates.shape)
        returned.append(weakref.ref(scores))
        return scores

    evaluate(score, problem, protocol, batch_size=8)
    assert len(returned) == 7


def test_full_ranking_needs_memory_for_a_batch_and_not_for_all_rows() -> None:
    problem = problem_of(5_000, random_sequences(rows=1_000, item_count=5_000, longest=9))
    batch_bytes = 16 * 5_001 * np.dtype(np.float64).itemsize
    tracemalloc.start()
    try:
        evaluate(lambda rows, _: np.zeros((len(rows), 5_001)), problem, batch_size=16)
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert peak < 3 * batch_bytes


# Errors.


@pytest.mark.parametrize("protocol", PROTOCOLS)
def test_a_nan_score_is_refused(protocol) -> None:
    problem = problem_of(150, random_sequences(rows=5, item_count=150, longest=9))
    diverged = Table(np.full((5, 151), np.nan))
    with pytest.raises(ValueError, match=r"Scores must not be NaN.*Received: NaN in 5 of 5 rows"):
        evaluate(diverged, problem, protocol)


@pytest.mark.parametrize(
    ("protocol", "shape", "expected"),
    [("full", (2, 4), "(2, 5)"), ("full", (5,), "(2, 5)"), ("paper", (2, 100), "(2, 101)")],
)
def test_scores_of_the_wrong_shape_are_refused(protocol, shape, expected) -> None:
    problem = problem_of(4, [[1, 2, 3], [1, 2, 4]])
    with pytest.raises(ValueError, match="`score` must return") as error:
        evaluate(lambda rows, candidates: np.zeros(shape), problem, protocol)
    assert expected in str(error.value)
    assert str(error.value).endswith(f"Received: shape {shape}")


@pytest.mark.parametrize("batch_size", [0, -1])
def test_a_batch_holds_at_least_one_row(batch_size) -> None:
    problem = many_rows(2)
    with pytest.raises(ValueError, match=f"at least 1. Received: batch_size={batch_size}"):
        evaluate(constant(problem), problem, batch_size=batch_size)


def test_an_unknown_protocol_is_refused_with_the_known_ones() -> None:
    problem = many_rows(2)
    with pytest.raises(ValueError, match=r"one of full, paper, sasrec\. Received: protocol='all'"):
        evaluate(constant(problem), problem, "all")


def test_a_full_ranking_has_no_negatives_to_draw() -> None:
    with pytest.raises(ValueError, match=r"must be one that samples.*Received: protocol='full'"):
        draw_negatives(many_rows(2), "full", seed=0)


@pytest.mark.parametrize(("protocol", "seed"), [("paper", 1), ("sasrec", 0), ("full", 0)])
def test_negatives_go_with_their_protocol_and_seed(protocol, seed) -> None:
    problem = many_rows(2)
    negatives = draw_negatives(problem, "paper", seed=0)
    with pytest.raises(ValueError, match=f"Received: protocol='{protocol}' and seed={seed}"):
        evaluate(constant(problem), problem, protocol, seed=seed, negatives=negatives)


@pytest.mark.parametrize(
    ("rows", "items", "message"),
    [
        ([0, 2], [[1], [1]], "`negatives.rows` must lie from 0 to 1. Received: .*0 to 2"),
        ([0, 1], [[1], [5]], "`negatives.items` must lie from 0 to 4. Received: .*1 to 5"),
        ([1, 0], [[1], [1]], "`rows` must rise"),
        ([1, 1], [[1], [1]], "`rows` must rise"),
        ([], [[]], "`rows` must be a one-dim.*Received: float64"),
        (np.array([], int), np.empty((0, 1), int), "`rows` must hold at least one row"),
        ([0, 1], [[1]], r"`items` must be integers of shape \[2, C\].*Received: .*\(1, 1\)"),
        ([0, 1], [1, 2], r"`items` must be integers of shape \[2, C\].*Received: .*\(2,\)"),
        ([0, 1], [[1.5], [1.5]], "`items` must be integers.*Received: float64"),
    ],
)
def test_negatives_that_do_not_fit_are_refused(rows, items, message) -> None:
    problem = many_rows(2)
    with pytest.raises(ValueError, match=message):
        negatives = Negatives("paper", 0, np.asarray(rows), np.asarray(items))
        evaluate(constant(problem), problem, "paper", negatives=negatives)
