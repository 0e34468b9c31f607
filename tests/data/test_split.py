"""Leave-one-out and windows against lists."""

from __future__ import annotations

import math
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tf_recdenoiser.data import DataError, Dataset, EvaluationSet, Histories, leave_one_out
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


# --- By what people liked ---------------------------------------------------------------------

LIKED, NEITHER, DISLIKED, UNKNOWN = 0.0, 0.5, 1.0, math.nan
feedback_of_users = st.lists(
    st.lists(
        st.tuples(st.integers(1, 9), st.sampled_from([LIKED, LIKED, NEITHER, DISLIKED, UNKNOWN])),
        min_size=1,
        max_size=9,
    ),
    max_size=6,
)
# Someone who is always evaluated, so that there is somebody.
EVA = [(1, UNKNOWN), (2, LIKED), (3, DISLIKED), (4, LIKED), (2, DISLIKED), (5, DISLIKED)]


def dataset_with(sequences: list[list[tuple[int, float]]]) -> Dataset:
    feedback = np.array([value for row in sequences for _, value in row], np.float32)
    return replace(dataset_of([[item for item, _ in row] for row in sequences]), disliked=feedback)


def slow_part(rows: list[list[tuple[int, float]]], which: int) -> list[tuple]:
    """User, history, target and held-out dislikes of all who are evaluated, by a loop."""
    found = []
    for user, row in enumerate(rows):
        liked = [place for place, (_, value) in enumerate(row) if value == LIKED]
        if len(liked) < 2 or liked[-2] == 0:
            continue
        begin, end = liked[-2], liked[which]
        between = [item for item, value in row[begin:end] if value != DISLIKED]
        history, target = [item for item, _ in row[:begin]] + between, row[end][0]
        disliked = []
        for item, value in row[begin:]:
            if value == DISLIKED and item not in [*history, target, *disliked]:
                disliked.append(item)
        found.append((user, history, target, disliked))
    return found


@given(sequences=feedback_of_users)
@settings(max_examples=100, deadline=None)
def test_liked_targets_are_the_reference(sequences: list[list[tuple[int, float]]]) -> None:
    rows = [*sequences, EVA]
    split = leave_one_out(dataset_with(rows), "liked")

    def check(part: EvaluationSet, which: int) -> None:
        users, histories, targets, disliked = map(list, zip(*slow_part(rows, which), strict=True))
        assert part.users.tolist() == users
        assert rows_of(part.histories) == histories
        assert part.targets.tolist() == targets
        assert part.disliked is not None
        assert rows_of(part.disliked) == disliked

    check(split.valid, -2)
    check(split.test, -1)
    trained = {user: history for user, history, *_ in slow_part(rows, -2)}
    whole = [[item for item, _ in row] for row in rows]
    assert rows_of(split.train) == [trained.get(user, row) for user, row in enumerate(whole)]


@given(sequences=feedback_of_users)
@settings(max_examples=50, deadline=None)
def test_every_interaction_of_an_evaluated_user_is_in_one_part(
    sequences: list[list[tuple[int, float]]],
) -> None:
    dataset = dataset_with([*sequences, EVA])
    # Each place an item of its own, to be known by.
    places = np.arange(1, len(dataset.items) + 1, dtype=np.int32)
    split = leave_one_out(replace(dataset, items=places, item_ids=places), "liked")
    test = split.test
    assert test.disliked is not None
    for row, user in enumerate(test.users):
        target, whole = test.targets[row], places[slice(*dataset.offsets[user : user + 2])]
        disliked = test.disliked.row(row).tolist()
        after = [place for place in whole if place > target and place not in disliked]
        parts = [*test.histories.row(row), target, *disliked, *after]
        assert sorted(parts) == whole.tolist()
        assert set(split.train.row(user)) <= set(test.histories.row(row))
        assert split.valid.targets[row] in test.histories.row(row)


@given(sequences=feedback_of_users)
@settings(max_examples=50, deadline=None)
def test_feedback_changes_nothing_for_last_targets(
    sequences: list[list[tuple[int, float]]],
) -> None:
    dataset = dataset_with(sequences)
    with_it, without = leave_one_out(dataset), leave_one_out(replace(dataset, disliked=None))
    assert rows_of(with_it.train) == rows_of(without.train)
    for mine, theirs in ((with_it.valid, without.valid), (with_it.test, without.test)):
        assert mine.disliked is None
        assert rows_of(mine.histories) == rows_of(theirs.histories)
        assert mine.targets.tolist() == theirs.targets.tolist()


def test_times_and_feedback_stay_with_their_items_where_something_is_held_out() -> None:
    histories = leave_one_out(dataset_with([EVA]), "liked").test.histories
    assert times_by_row(histories) == [[0.0, 10.0]]
    np.testing.assert_array_equal(histories.disliked, [UNKNOWN, LIKED])


def test_nothing_is_held_out_where_nobody_disliked_anything() -> None:
    split = leave_one_out(dataset_with([[(1, LIKED), (2, LIKED), (3, LIKED)]]), "liked")
    assert split.valid.disliked is None
    assert split.test.disliked is None


def test_liked_targets_need_feedback() -> None:
    with pytest.raises(DataError, match=r"`targets='liked'` needs.*--feedback-column.* Received: "):
        leave_one_out(dataset_of([[1, 2, 3]]), "liked")


def test_somebody_must_like_two_items() -> None:
    rows = [[(1, LIKED), (2, DISLIKED), (3, LIKED)], [(1, UNKNOWN), (2, LIKED), (3, NEITHER)]]
    with pytest.raises(DataError, match=r"two items that they liked.* Received: 2 users, none"):
        leave_one_out(dataset_with(rows), "liked")


def test_other_targets_are_refused() -> None:
    with pytest.raises(ValueError, match=r"one of last, liked\. Received: 'best'"):
        leave_one_out(dataset_of([[1, 2, 3]]), "best")


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
