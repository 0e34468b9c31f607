"""Histories without noise, against lists."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tf_recdenoiser.noise import Cleaning

# Eighths: TensorFlow takes the smallest floats for 0, NumPy does not.
EIGHTHS = st.integers(0, 8).map(lambda number: number / 8)


def kept_of(items: list[tuple[int, float]], cleaning: Cleaning) -> list[int]:
    """One history, oldest first, by the words of the docstring."""
    least = min((p for _, p in items), default=0)
    alone = [item for item, p in items if p == least][-1:]
    items = list(items)
    while items and items[-1][1] > cleaning.newest_above:
        items.pop()
    return [item for item, p in items if p <= cleaning.above] or alone


@given(
    rows=st.lists(
        st.lists(st.tuples(st.integers(0, 9), EIGHTHS), min_size=4, max_size=4),
        min_size=1,
        max_size=5,
    ),
    above=EIGHTHS,
    newest_above=EIGHTHS,
)
@settings(max_examples=100, deadline=None)
def test_histories_are_closed_up(
    rows: list[list[tuple[int, float]]], above: float, newest_above: float
) -> None:
    # Padding stands before the items.
    rows = [sorted(row, key=lambda pair: pair[0] > 0) for row in rows]
    item_ids = np.array([[item for item, _ in row] for row in rows], np.int32)
    probability = np.array([[p for _, p in row] for row in rows], np.float32)
    cleaning = Cleaning(above, newest_above)
    inputs = {"item_ids": item_ids, "times": item_ids / 2, "user_ids": np.arange(len(rows))}
    found = cleaning(inputs, probability)
    for row, cleaned in zip(rows, found["item_ids"], strict=True):
        kept = kept_of([pair for pair in row if pair[0] > 0], cleaning)
        assert cleaned.tolist() == [0] * (4 - len(kept)) + kept
    np.testing.assert_array_equal(found["times"], found["item_ids"] / 2)
    np.testing.assert_array_equal(found["user_ids"], inputs["user_ids"])


def test_from_one_on_nothing_goes() -> None:
    item_ids = np.array([[0, 3, 7, 5]])
    found = Cleaning(1.0, 1.0)({"item_ids": item_ids}, np.ones([1, 4]))
    np.testing.assert_array_equal(found["item_ids"], item_ids)


def test_a_threshold_below_zero_is_an_error() -> None:
    with pytest.raises(ValueError, match=r"`newest_above` must be at least 0.*newest_above=-1"):
        Cleaning(0.5, -1)
