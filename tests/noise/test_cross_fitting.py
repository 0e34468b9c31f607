"""Every item is judged once, by what knows nothing of its user."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tf_recdenoiser.data import DataError, Histories
from tf_recdenoiser.data.histories import offsets_of
from tf_recdenoiser.noise import ContextModel
from tf_recdenoiser.noise.windows import Windows


@given(lengths=st.lists(st.integers(0, 40), min_size=1, max_size=6), n=st.integers(1, 12))
@settings(max_examples=100, deadline=None)
def test_windows_give_every_item_its_own_value(lengths: list[int], n: int) -> None:
    items = np.arange(1, sum(lengths) + 1, dtype=np.int32)
    histories = Histories(offsets_of(lengths), items)
    rows = np.arange(0, len(lengths), 2)
    windows = Windows.over(histories, rows, n)
    expected = np.concatenate([histories.row(row) for row in rows])
    np.testing.assert_array_equal(windows.join(windows.cut(histories)), expected)


def test_items_of_long_sequences_are_looked_up_away_from_a_windows_ends() -> None:
    histories = Histories(offsets_of([100]), np.arange(1, 101, dtype=np.int32))
    column = Windows.over(histories, np.array([0]), 20).column
    assert (column[10:-10] >= 4).all() and (column[10:-10] <= 15).all()


def test_a_log_with_too_few_users_to_learn_from_is_refused() -> None:
    # Four folds of two: one of these nine rows has a single item, and is no reason to refuse.
    items = np.random.default_rng(0).integers(1, 30, 33).astype(np.int32)
    enough = Histories(offsets_of([1, *[4] * 8]), items)
    detection = ContextModel(30, max_length=5, hidden_dim=4).cross_fit(enough, rounds=1)
    assert np.isfinite(detection.log_ratios).all() and 0 <= detection.scorer.rate <= 1
    few = Histories(offsets_of([1, 1, *[4] * 7]), items[:30])
    with pytest.raises(DataError, match=r"at least 8 users.*`--detector none`.*Received: 7"):
        ContextModel(30, max_length=5, hidden_dim=4).cross_fit(few)
