"""Injected noise: how much, where, of which distribution; all else stays as it was."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tf_recdenoiser.data import Dataset, Histories, leave_one_out, prepare, synthetic_log
from tf_recdenoiser.data.histories import offsets_of
from tf_recdenoiser.noise import NOISE_DISTRIBUTIONS, NoisySplit, inject_noise
from tf_recdenoiser.noise.injection import PLACES, NoiseInjector


@pytest.fixture(scope="module")
def clean() -> Dataset:
    return prepare(synthetic_log(users=300, items=200, clusters=10, noise=0, seed=3).log)


@pytest.mark.parametrize("distribution", NOISE_DISTRIBUTIONS)
def test_marks_are_where_items_differ(clean: Dataset, distribution: str) -> None:
    noisy = inject_noise(clean, distribution=distribution, seed=1)
    split = leave_one_out(clean)
    for mine, marks, theirs in (
        (noisy.split.train, noisy.train, split.train),
        (noisy.split.valid.histories, noisy.valid, split.valid.histories),
        (noisy.split.test.histories, noisy.test, split.test.histories),
    ):
        np.testing.assert_array_equal(mine.offsets, theirs.offsets)
        np.testing.assert_array_equal(marks.items, mine.items != theirs.items)


@pytest.mark.parametrize("distribution", NOISE_DISTRIBUTIONS)
def test_targets_stay_clean(clean: Dataset, distribution: str) -> None:
    noisy, split = (
        inject_noise(clean, distribution=distribution, seed=1).split,
        leave_one_out(clean),
    )
    np.testing.assert_array_equal(noisy.valid.targets, split.valid.targets)
    np.testing.assert_array_equal(noisy.test.targets, split.test.targets)


@pytest.mark.parametrize("distribution", NOISE_DISTRIBUTIONS)
def test_noise_is_new_to_its_user(clean: Dataset, distribution: str) -> None:
    noisy = inject_noise(clean, distribution=distribution, seed=1)
    for row in range(clean.user_count):
        items, is_noise = noisy.split.train.row(row), noisy.train.row(row) == 1
        injected = items[is_noise]
        assert not set(injected) & set(clean.sequence(row))
        assert len(set(injected)) == len(injected)


@pytest.mark.parametrize(("distribution", "least"), [("uniform", 0.24), ("popularity", 0.2)])
def test_the_rate_is_what_was_asked(clean: Dataset, distribution: str, least: float) -> None:
    assert (
        least
        < inject_noise(clean, rate=0.25, distribution=distribution, seed=2).train.items.mean()
        < 0.27
    )


def test_a_rate_of_zero_changes_nothing(clean: Dataset) -> None:
    assert not inject_noise(clean, rate=0.0).test.items.any()


def test_distributions_draw_as_they_say() -> None:
    # One row of one item each, so that everything else may be drawn; item 3 is ten times as
    # frequent in the source as item 2.
    rows = 20_000
    histories = _rows(np.ones([rows, 1], np.int32))
    source = _rows(np.array([[2] + [3] * 10 + [4] * 5], np.int32))
    for distribution, expected in (("popularity", [1, 10, 5]), ("uniform", [1, 1, 1])):
        injector = NoiseInjector(source, item_count=4, rate=0.999, distribution=distribution)
        drawn = injector.inject(histories, np.random.default_rng(0))
        shares = np.bincount(drawn[drawn > 1], minlength=5)[2:] / (drawn > 1).sum()
        np.testing.assert_allclose(shares, np.array(expected) / np.sum(expected), atol=0.015)


def test_a_burst_is_a_run_of_another_users_history() -> None:
    # Items of different rows never meet, and rise by one within a row.
    source = _rows(np.arange(1, 10_001, dtype=np.int32).reshape(100, 100))
    injector = NoiseInjector(source, item_count=10_000, rate=0.2, distribution="burst")
    injected = injector.inject(source, np.random.default_rng(0)).reshape(100, 100)
    is_noise = injected != source.items.reshape(100, 100)
    assert 0.1 < is_noise.mean() < 0.25
    both = is_noise[:, 1:] & is_noise[:, :-1]
    follows = np.diff(injected, axis=1) == 1
    # All but those at the seam of two runs (or next to a position with nothing to plant).
    assert follows[both].mean() > 0.7
    assert both.sum() / is_noise.sum() > 0.7


@pytest.mark.parametrize("places", PLACES)
def test_places(clean: Dataset, places: str) -> None:
    noisy = inject_noise(clean, places=places, seed=4)
    assert bool(noisy.train.items.any()) == (places in ("train", "both"))
    assert bool(noisy.test.items.any()) == (places in ("test", "both"))


def test_the_newest_item_of_a_test_history_can_be_noise(clean: Dataset) -> None:
    assert 0.1 < inject_noise(clean, seed=5).test.last(1).mean() < 0.4


def test_noise_of_the_synthetic_log_is_carried_over() -> None:
    made = synthetic_log(users=40, items=80, seed=1)
    noisy = NoisySplit.of(prepare(made.log), made.is_noise)
    assert noisy.train.items.sum() == made.is_noise.sum()  # its last two items are clean


@pytest.mark.parametrize("distribution", NOISE_DISTRIBUTIONS)
def test_what_is_held_out_by_feedback_stays_clean(clean: Dataset, distribution: str) -> None:
    feedback = np.random.default_rng(0).choice([0.0, 0.0, 0.5, 1.0, np.nan], len(clean.items))
    rated = dataclasses.replace(clean, disliked=feedback.astype(np.float32))
    noisy = inject_noise(rated, distribution=distribution, seed=1, targets="liked")
    split = leave_one_out(rated, "liked")
    for mine, marks, theirs in (
        (noisy.split.valid, noisy.valid, split.valid),
        (noisy.split.test, noisy.test, split.test),
    ):
        np.testing.assert_array_equal(mine.users, theirs.users)
        np.testing.assert_array_equal(mine.targets, theirs.targets)
        assert mine.disliked is not None and theirs.disliked is not None
        np.testing.assert_array_equal(mine.disliked.offsets, theirs.disliked.offsets)
        np.testing.assert_array_equal(mine.disliked.items, theirs.disliked.items)
        _check_noise_is_unknown(mine.histories, marks, theirs.histories)
    _check_noise_is_unknown(noisy.split.train, noisy.train, split.train)


def _check_noise_is_unknown(mine: Histories, marks: Histories, theirs: Histories) -> None:
    """Noise stands where items differ, and there nobody knows how it was liked."""
    np.testing.assert_array_equal(mine.offsets, theirs.offsets)
    np.testing.assert_array_equal(marks.items, mine.items != theirs.items)
    assert marks.items.any()
    expected = np.where(marks.items == 1, np.nan, theirs.disliked)
    np.testing.assert_array_equal(mine.disliked, expected)


@given(
    seed=st.integers(0, 2**31),
    rate=st.floats(0, 0.9),
    distribution=st.sampled_from(NOISE_DISTRIBUTIONS),
)
@settings(max_examples=30, deadline=None)
def test_a_seed_gives_the_same_noise(
    clean: Dataset, seed: int, rate: float, distribution: str
) -> None:
    once, again = (inject_noise(clean, rate, distribution, seed=seed) for _ in range(2))
    np.testing.assert_array_equal(once.split.test.histories.items, again.split.test.histories.items)


@pytest.mark.parametrize(
    ("wrong", "name"),
    [({"rate": 1.0}, "rate"), ({"distribution": "x"}, "distribution"), ({"places": "x"}, "places")],
)
def test_wrong_arguments_are_named(clean: Dataset, wrong: dict, name: str) -> None:
    with pytest.raises(ValueError, match=f"`{name}` must be .* Received: "):
        inject_noise(clean, **wrong)


def _rows(matrix: np.ndarray) -> Histories:
    offsets = np.arange(len(matrix) + 1, dtype=np.int64) * matrix.shape[1]
    return Histories(offsets, matrix.reshape(-1))


@pytest.mark.parametrize("distribution", NOISE_DISTRIBUTIONS)
def test_items_drawn_for_a_row_are_not_of_it(clean: Dataset, distribution: str) -> None:
    histories = clean.histories
    injector = NoiseInjector(histories, clean.item_count, 0.0, distribution)
    drawn = injector.draw_unseen(histories, np.random.default_rng(0))
    assert drawn.shape == histories.items.shape
    for row in range(histories.row_count):
        start, end = histories.offsets[row : row + 2]
        assert not set(drawn[start:end]) & set(histories.row(row))


def test_items_drawn_for_a_row_follow_the_distribution_among_those_it_lacks() -> None:
    histories = Histories(offsets_of([20_000, 6]), np.array([1] * 20_000 + [2, 2, 2, 3, 3, 4]))
    injector = NoiseInjector(histories, 4, 0.0, "popularity")
    drawn = injector.draw_unseen(histories, np.random.default_rng(0))[:20_000]
    shares = np.bincount(drawn[drawn > 1], minlength=5)[2:] / (drawn > 1).sum()
    np.testing.assert_allclose(shares, [3 / 6, 2 / 6, 1 / 6], atol=0.1)
