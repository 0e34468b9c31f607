"""What an evaluation problem accepts, and the lists it is made of."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tf_recdenoiser.evaluation import EvaluationProblem
from tf_recdenoiser.evaluation.problem import entries


def lists_of(*rows: list[int]) -> tuple[np.ndarray, np.ndarray]:
    offsets = np.cumsum([0, *map(len, rows)])
    return offsets, np.array([item for row in rows for item in row], dtype=np.int64)


def problem_with(**changes) -> EvaluationProblem:
    sound = {
        "item_count": 5,
        "targets": np.array([3, 5]),
        "seen": lists_of([1, 2], [4]),
        "train": lists_of([1], []),
        "interacted": lists_of([1, 2, 3], [4, 5]),
    }
    return EvaluationProblem(**(sound | changes))


@pytest.mark.parametrize("dtype", [np.int32, np.int64, np.uint16, np.uint64])
def test_integers_of_any_type_are_accepted(dtype) -> None:
    problem = problem_with(targets=np.array([3, 5], dtype))
    assert problem.targets.dtype == dtype


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"item_count": 0}, "`item_count` must be at least 1.*Received: item_count=0"),
        ({"targets": np.array([3.0, 5.0])}, "`targets` must be a one-dim.*Received: float64"),
        ({"targets": np.array([[3], [5]])}, r"`targets` must be a one-dim.*Received: .*\(2, 1\)"),
        ({"targets": [3, 5]}, r"`targets` must be a one-dim.*Received: list \[3, 5\]"),
        ({"targets": np.array([3, 6])}, "`targets` must lie from 1 to 5. Received: .*3 to 6"),
        ({"targets": np.array([0, 5])}, "`targets` must lie from 1 to 5. Received: .*0 to 5"),
        ({"targets": np.array([], int)}, "`targets` must hold at least one row.*Received: an em"),
        ({"targets": np.array([3])}, r"`seen` offsets must have one.*\(2,\).*Received: .*\(3,\)"),
        ({"seen": lists_of([1, 0], [4])}, "`seen items` must lie from 1 to 5"),
        ({"train": lists_of([1, 9], [4])}, "`train items` must lie from 1 to 5"),
        ({"train": (np.array([0, 2, 1]), np.array([1]))}, "`train` offsets must rise"),
        ({"train": (np.array([1, 1, 1]), np.array([1]))}, "`train` offsets must rise"),
        ({"seen": (np.array([0, 1, 1]), np.array([1, 2]))}, "`seen` offsets must rise"),
        ({"seen": (np.array([0.0, 1, 1]), np.array([1]))}, "`seen offsets` must be a one-dim"),
        (
            {"disliked": lists_of([4])},
            r"`disliked` offsets must have one.*Received: .*\(2,\)",
        ),
        ({"disliked": lists_of([4], [6])}, "`disliked items` must lie from 1 to 5"),
        (
            {"disliked": lists_of([2], [1])},
            "`disliked` must hold items.*Received: 1 others.*2",
        ),
        (
            {"disliked": lists_of([4], [5])},
            "`disliked` must hold items.*Received: 1 others.*2",
        ),
        ({"disliked": lists_of([4, 4], [])}, "`disliked` must hold.*each once.*Received: 1 others"),
        (
            {"interacted": lists_of([1, 2, 3], [4, 3])},
            "`interacted` must hold every item.*Received: 1 rows.*the first is row 1",
        ),
    ],
)
def test_an_unsound_problem_is_refused(changes, message) -> None:
    with pytest.raises(ValueError, match=message):
        problem_with(**changes)


@settings(max_examples=50, deadline=None)
@given(
    lists=st.lists(st.lists(st.integers(1, 9), max_size=5), min_size=1, max_size=6),
    picks=st.lists(st.integers(0, 5), max_size=6),
)
def test_entries_are_those_of_the_rows_asked_for(lists, picks) -> None:
    rows = [pick % len(lists) for pick in picks]
    positions, items = entries(lists_of(*lists), np.array(rows, dtype=np.int64))
    expected = [(i, item) for i, row in enumerate(rows) for item in lists[row]]
    assert list(zip(positions.tolist(), items.tolist(), strict=True)) == expected
