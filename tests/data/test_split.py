"""Leave-one-out and windows against lists."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tf_recdenoiser.data import Dataset, EvaluationSet, Histories, leave_one_out
from tf_recdenoiser.data.histories import offsets_of

sequences_of_users = st.lists(st.lists(st.integers(1, 9), min_size=1, max_size=7), max_size=8)


def dataset_of(sequences: list[list[int]]) -> Dataset:
    items = np.array([item for sequence in sequences for item in sequence], np.int32)
    return Dataset(
        user_ids=np.arange(len(sequences)),
        item_ids=np.arange(1, 10),
        items=items,
        times=np.arange(0, 10 * len(items), 10).astype(np.float64),
        offsets=offsets_of([len(sequence) for sequence in sequences]),
    )


def rows_of(histories: Histories) -> list[list[int]]:
    return [histories.row(row).tolist() for row in range(histories.row_count)]


def times_by_row(histories: Histories) -> list[list[float]]:
    assert histories.times is not None
    return [part.tolist() for part in np.split(histories.times, histories.offsets[1:-1])]


@given(sequences=sequences_of_users)
@settings(max_examples=100, deadline=None)
def test_leave_one_out_is_the_reference(sequences: list[list[int]]) -> None:
    dataset = dataset_of(sequences)
    split = leave_one_out(dataset)
    evaluated = [user for user, items in enumerate(sequences) if len(items) >= 3]

    assert rows_of(split.train) == [items[:-2] if len(items) >= 3 else items for items in sequences]

    def check(part: EvaluationSet, from_end: int) -> None:
        assert part.users.tolist() == evaluated
        assert rows_of(part.histories) == [sequences[user][:-from_end] for user in evaluated]
        assert part.targets.tolist() == [sequences[user][-from_end] for user in evaluated]

    check(split.valid, 2)
    check(split.test, 1)


def test_times_stay_with_their_items() -> None:
    split = leave_one_out(dataset_of([[1, 2], [3, 4, 5, 6]]))
    assert times_by_row(split.train) == [[0.0, 10.0], [20.0, 30.0]]
    assert times_by_row(split.test.histories) == [[20.0, 30.0, 40.0]]


@given(sequences=sequences_of_users, n=st.integers(1, 9), data=st.data())
@settings(max_examples=100, deadline=None)
def test_last_is_the_newest_left_padded(
    sequences: list[list[int]], n: int, data: st.DataObject
) -> None:
    histories = dataset_of([*sequences, [5]]).histories
    rows = data.draw(st.lists(st.integers(0, len(sequences)), max_size=5))
    padded = [([0] * n + items)[-n:] for items in [*sequences, [5]]]
    assert histories.last(n).tolist() == padded
    assert histories.last(n, rows).tolist() == [padded[row] for row in rows]
    assert histories.last(n).dtype == np.int32


def test_last_of_empty_rows_is_padding() -> None:
    empty = Histories(offsets_of([0, 0]), np.zeros(0, np.int32))
    assert empty.last(2).tolist() == [[0, 0], [0, 0]]


def test_last_wants_a_position() -> None:
    with pytest.raises(ValueError, match=r"`n` must be at least 1. Received: 0"):
        dataset_of([[1]]).histories.last(0)
