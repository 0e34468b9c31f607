"""Draws without chance in the test: known outputs, enumerated grids, complements by set."""

from __future__ import annotations

from collections import Counter
from itertools import combinations, product
from math import comb

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tf_recdenoiser.evaluation.sampling import (
    random_bits,
    random_key,
    remaining_items,
    uniforms,
    with_replacement,
    without_replacement,
)


def grid(steps: int, draws: int) -> np.ndarray:
    """Every combination of `draws` numbers in the middle of `steps` equal parts of [0, 1)."""
    return np.array(list(product((np.arange(steps) + 0.5) / steps, repeat=draws)))


def splitmix64(state: int, count: int) -> list[int]:
    """The generator as published: add, shift, multiply, in Python's own integers."""
    mask, outputs = 2**64 - 1, []
    for _ in range(count):
        state = (state + 0x9E3779B97F4A7C15) & mask
        z = ((state ^ (state >> 30)) * 0xBF58476D1CE4E5B9) & mask
        z = ((z ^ (z >> 27)) * 0x94D049BB133111EB) & mask
        outputs.append(z ^ (z >> 31))
    return outputs


def test_random_bits_are_splitmix64() -> None:
    known = [
        6457827717110365317,
        3203168211198807973,
        9817491932198370423,
        4593380528125082431,
        16408922859458223821,
    ]
    assert splitmix64(1234567, 5) == known
    assert random_bits(np.uint64(1234567), np.arange(5)).tolist() == known


@settings(max_examples=30, deadline=None)
@given(key=st.integers(0, 2**64 - 1), first=st.integers(0, 50))
def test_random_bits_wrap_around_like_the_sequence(key, first) -> None:
    got = random_bits(np.uint64(key), np.arange(first, first + 3))
    assert got.tolist() == splitmix64(key, first + 3)[first:]


def test_uniforms_depend_on_the_key_and_the_row_alone() -> None:
    key = random_key(7, "test")
    rows = np.arange(20)
    numbers = uniforms(key, rows, 5)
    np.testing.assert_array_equal(uniforms(key, rows[::-3], 5), numbers[::-3])
    assert len(np.unique(numbers)) == numbers.size
    assert not np.isin(uniforms(random_key(8, "test"), rows, 5), numbers).any()
    assert not np.isin(uniforms(random_key(7, "other"), rows, 5), numbers).any()


def test_uniforms_fill_the_unit_interval_evenly() -> None:
    numbers = uniforms(random_key(0, "test"), np.arange(2_000), 50)
    assert numbers.min() >= 0 and numbers.max() < 1
    counts = np.histogram(numbers, bins=20, range=(0, 1))[0]
    chi_square = ((counts - 5_000) ** 2 / 5_000).sum()
    assert 5 < chi_square < 45  # 19 degrees of freedom: outside once in about 2,000 keys


def test_a_negative_seed_is_refused() -> None:
    with pytest.raises(ValueError, match=r"`seed` must not be negative. Received: seed=-1"):
        random_key(-1)


def test_draws_with_replacement_are_independent_and_even() -> None:
    uniform = grid(steps=6, draws=2)
    picks = with_replacement(np.full(len(uniform), 3), uniform)
    assert Counter(map(tuple, picks.tolist())) == dict.fromkeys(product(range(3), repeat=2), 4)


def test_draws_with_replacement_stay_below_what_is_available() -> None:
    highest = np.full((4, 1), 1 - 2.0**-53)
    available = np.array([1, 3, 4096, 10**9 + 7])
    assert with_replacement(available, highest)[:, 0].tolist() == (available - 1).tolist()


def test_nothing_is_drawn_where_nothing_is_available() -> None:
    uniform = np.full((2, 3), 0.5)
    for draw in (with_replacement, without_replacement):
        assert draw(np.array([0, 1]), uniform)[0].tolist() == [-1, -1, -1]


@pytest.mark.parametrize(("available", "draws"), [(6, 1), (4, 2), (4, 3), (3, 3)])
def test_every_set_without_replacement_is_equally_likely(available, draws) -> None:
    # Each draw chooses one of so many that 12 is a multiple: the grid weighs all choices alike.
    uniform = grid(12, draws)
    picks = without_replacement(np.full(len(uniform), available), uniform)
    share = len(uniform) // comb(available, draws)
    expected = dict.fromkeys(map(frozenset, combinations(range(available), draws)), share)
    assert Counter(map(frozenset, picks.tolist())) == expected


@settings(max_examples=50, deadline=None)
@given(
    available=st.lists(st.integers(0, 12), min_size=1, max_size=5),
    draws=st.integers(1, 8),
    seed=st.integers(0, 2**32),
)
def test_draws_without_replacement_differ_and_fall_short_only_when_they_must(
    available, draws, seed
) -> None:
    uniform = uniforms(random_key(seed), np.arange(len(available)), draws)
    drawn = without_replacement(np.array(available), uniform)
    for limit, picks in zip(available, drawn, strict=True):
        size = min(limit, draws)
        assert len(set(picks[:size].tolist())) == size
        assert set(picks[:size].tolist()) <= set(range(limit))
        assert (picks[size:] == -1).all()


@settings(max_examples=100, deadline=None)
@given(st.data())
def test_remaining_items_are_the_complement_in_order(data) -> None:
    item_count = data.draw(st.integers(1, 12))
    a_list = st.lists(st.integers(1, item_count), max_size=20)
    lists = data.draw(st.lists(a_list, min_size=1, max_size=5))
    offsets = np.cumsum([0, *map(len, lists)])
    items = np.array([item for row in lists for item in row], dtype=np.int64)
    rows = data.draw(st.permutations(range(len(lists))))
    expected = [sorted(set(range(1, item_count + 1)) - set(lists[row])) for row in rows]

    remaining = remaining_items((offsets, items), np.array(rows), item_count)

    assert remaining.available.tolist() == [len(row) for row in expected]
    picks = np.array([[k if k < len(row) else -1 for k in range(item_count)] for row in expected])
    padded = [row + [0] * (item_count - len(row)) for row in expected]
    assert remaining.items(picks).tolist() == padded
