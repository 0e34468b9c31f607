"""Negatives: never seen, and every unseen item exactly as likely as every other."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tf_recdenoiser.data import DataError, Dataset, Histories, TrainingBatches, UnseenSampler
from tf_recdenoiser.data.histories import offsets_of
from tf_recdenoiser.data.split import leave_one_out

ITEMS = 12
seen_by_users = st.lists(
    st.lists(st.integers(1, ITEMS), max_size=14).filter(lambda seen: len(set(seen)) < ITEMS),
    min_size=1,
    max_size=6,
)


def histories_of(sequences: list[list[int]]) -> Histories:
    items = np.array([item for sequence in sequences for item in sequence], np.int32)
    return Histories(offsets_of([len(sequence) for sequence in sequences]), items)


@given(seen=seen_by_users)
@settings(max_examples=150, deadline=None)
def test_ranks_enumerate_the_unseen_items(seen: list[list[int]]) -> None:
    """Each rank gives another unseen item, so uniform ranks give uniform items."""
    sampler = UnseenSampler(histories_of(seen), ITEMS)
    for user, items in enumerate(seen):
        unseen = sorted(set(range(1, ITEMS + 1)) - set(items))
        ranks = np.arange(len(unseen))[None]
        assert sampler.unseen(np.array([user]), ranks).tolist() == [unseen]


class UniformRanks:
    """Stands for a generator: notes the bounds it is asked for and gives the highest rank."""

    def integers(
        self, low: int, high: npt.NDArray[np.int64], size: tuple[int, ...]
    ) -> npt.NDArray[np.int64]:
        assert low == 0
        self.counts = np.broadcast_to(high, size)
        return self.counts - 1


@given(seen=seen_by_users, data=st.data())
@settings(max_examples=50, deadline=None)
def test_ranks_are_drawn_from_all_of_them(seen: list[list[int]], data: st.DataObject) -> None:
    users = data.draw(st.lists(st.integers(0, len(seen) - 1), min_size=1, max_size=8))
    rng: Any = UniformRanks()
    drawn = UnseenSampler(histories_of(seen), ITEMS).sample(np.array(users), (3, 2), rng)
    unseen = [sorted(set(range(1, ITEMS + 1)) - set(seen[user])) for user in users]
    expected_counts = [np.full((3, 2), len(items)).tolist() for items in unseen]
    assert rng.counts.tolist() == expected_counts
    assert drawn.tolist() == [np.full((3, 2), items[-1]).tolist() for items in unseen]
    assert drawn.dtype == np.int32


def test_sampling_repeats_with_the_generator() -> None:
    sampler = UnseenSampler(histories_of([[1, 2], [3]]), 50)
    users = np.array([1, 0, 1])
    first, again, other = (
        sampler.sample(users, (20,), np.random.default_rng(seed)) for seed in (5, 5, 6)
    )
    assert first.shape == (3, 20)
    assert (first == again).all()
    assert (first != other).any()


def test_a_user_who_has_seen_everything_is_refused() -> None:
    sampler = UnseenSampler(histories_of([[1], [3, 1, 2, 1], []]), 3)
    rng = np.random.default_rng(0)
    with pytest.raises(DataError, match=r"of the 3 items.*1 such user,.*row 1"):
        sampler.sample(np.array([0, 1]), (2,), rng)
    assert sampler.sample(np.array([0, 2]), (2,), rng).shape == (2, 2)
    # Who draws nothing needs nothing unseen.
    assert sampler.sample(np.array([0, 1]), (2, 0), rng).shape == (2, 2, 0)


@pytest.mark.parametrize("code", [0, 4, -1])
def test_codes_outside_the_catalogue_are_refused(code: int) -> None:
    with pytest.raises(ValueError, match="from 1 to `item_count`=3"):
        UnseenSampler(histories_of([[1, code]]), 3)


def test_who_has_seen_everything_is_named_as_in_the_log() -> None:
    """Also when rows are shortened, chosen, or closed up."""
    dataset = Dataset(
        user_ids=np.array(["ann", "bob", "eve"], object),
        item_ids=np.array([10, 20, 30]),
        items=np.array([1, 2, 1, 3, 2, 1, 1, 2, 3, 3, 1], np.int32),
        times=None,
        offsets=offsets_of([3, 5, 3]),
    )
    train = leave_one_out(dataset).train
    assert train.row(1).tolist() == [3, 2, 1]
    with pytest.raises(DataError, match=r"1 such user, the first of them user bob$"):
        TrainingBatches(train, 3, max_length=2, batch_size=2, negatives=1, seed=0)
    chosen = dataset.histories.prefixes([2, 1], [3, 5])
    kept = chosen.keep([False, True, True, *[True] * 5])
    assert [kept.name(row) for row in range(2)] == ["user eve", "user bob"]
