"""Ranks by counting, against a sort that puts the target behind its equals."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from tf_recdenoiser.evaluation import rank_among

FEW_VALUES = st.sampled_from([-np.inf, -1.0, 0.0, 0.5, 2.0, np.inf])


def sorted_rank(target: float, others: list[float]) -> int:
    """Sort best first, the target last among equals, and look where it stands."""
    order = sorted([(-score, 0) for score in others] + [(-target, 1)])
    return order.index((-target, 1))


@st.composite
def scored(draw):
    shape = draw(st.tuples(st.integers(1, 5), st.integers(0, 6)))
    return (
        draw(hnp.arrays(np.float64, shape[0], elements=FEW_VALUES)),
        draw(hnp.arrays(np.float64, shape, elements=FEW_VALUES)),
        draw(hnp.arrays(np.bool_, shape)),
    )


@settings(max_examples=100, deadline=None)
@given(scored())
def test_ranks_are_those_of_a_pessimistic_sort(case) -> None:
    targets, others, valid = case
    expected = [
        sorted_rank(target, [score for score, ok in zip(row, oks, strict=True) if ok])
        for target, row, oks in zip(targets, others, valid, strict=True)
    ]
    assert rank_among(targets, others, valid).tolist() == expected


def test_every_candidate_counts_when_all_scores_are_equal() -> None:
    assert rank_among(np.full(3, 0.25), np.full((3, 7), 0.25)).tolist() == [7, 7, 7]


def test_a_target_below_all_others_is_last() -> None:
    assert rank_among(np.array([-3.0]), np.arange(10.0)[None]).tolist() == [10]


def test_without_other_candidates_the_target_is_first() -> None:
    assert rank_among(np.array([-np.inf]), np.empty((1, 0))).tolist() == [0]
    assert rank_among(np.array([0.0]), np.ones((1, 4)), np.zeros((1, 4), bool)).tolist() == [0]


def test_minus_infinity_is_a_score_like_any_other() -> None:
    others = np.array([[-np.inf, 0.0, -np.inf], [-np.inf, 0.0, -np.inf]])
    assert rank_among(np.array([-np.inf, -5.0]), others).tolist() == [3, 1]


@pytest.mark.parametrize("dtype", [np.float16, np.float32, np.float64, np.int32])
def test_scores_of_any_number_type_are_ranked(dtype) -> None:
    others = np.array([[3, 1, 2, 0]], dtype=dtype)
    assert rank_among(np.array([2], dtype=dtype), others).tolist() == [2]


@pytest.mark.parametrize(
    ("targets", "others"), [([np.nan, 1.0], [[0.0], [0.0]]), ([1.0, 1.0], [[0.0], [np.nan]])]
)
def test_a_nan_is_refused(targets, others) -> None:
    with pytest.raises(ValueError, match=r"must not be NaN.*Received: NaN in 1 of 2 rows"):
        rank_among(np.array(targets), np.array(others))


def test_a_nan_that_is_no_candidate_is_ignored() -> None:
    valid = np.array([[False, True]])
    assert rank_among(np.array([1.0]), np.array([[np.nan, 2.0]]), valid).tolist() == [1]


@pytest.mark.parametrize(
    ("targets", "others", "valid"), [(2, (3, 4), (3, 4)), (3, (3, 4), (3, 5)), (3, (3,), (3,))]
)
def test_shapes_must_agree(targets, others, valid) -> None:
    with pytest.raises(ValueError, match=r"must have shapes.*Received: "):
        rank_among(np.zeros(targets), np.zeros(others), np.ones(valid, bool))
