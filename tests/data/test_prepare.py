"""Preprocessing against a slow reference in plain Python."""

from __future__ import annotations

from typing import Any

import numpy as np
import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tf_recdenoiser.data import DataError, Dataset, InteractionLog, checked_log, prepare

Row = tuple[Any, Any, int]  # user, item, time


def log_of(rows: list[Row], with_times: bool = True) -> InteractionLog:
    users, items, times = zip(*rows, strict=True)
    columns = {"line": range(1, len(rows) + 1), "user": users, "item": items}
    return checked_log(
        pl.DataFrame(columns | ({"time": times} if with_times else {}), strict=True),
        repeats="drop",  # as `reference` does
    )


def reference(rows: list[Row], with_times: bool, k: int) -> dict[Any, list[Any]]:
    """Each user's items, oldest first, by user in increasing order."""
    if with_times:
        rows = list(dict.fromkeys(rows))
    while True:  # take away one rare user or item at a time
        users, items = [row[0] for row in rows], [row[1] for row in rows]
        rare = [row for row in rows if users.count(row[0]) < k or items.count(row[1]) < k]
        if not rare:
            break
        rows = [row for row in rows if row != rare[0]]
    if with_times:
        rows = sorted(rows, key=lambda row: row[2])
    return {
        user: [item for who, item, _ in rows if who == user]
        for user in sorted({row[0] for row in rows})
    }


def decoded(dataset: Dataset) -> dict[Any, list[Any]]:
    return {
        user: dataset.item_ids[dataset.sequence(number) - 1].tolist()
        for number, user in enumerate(dataset.user_ids.tolist())
    }


ids = st.sampled_from([3, 20, 100, 1]), st.sampled_from(["b", "a", "é", "B", "aa"])
logs = st.one_of(
    *(
        st.lists(st.tuples(users, items, st.integers(0, 3)), min_size=1, max_size=30)
        for users in ids
        for items in ids
    )
)


@given(rows=logs, with_times=st.booleans(), k=st.integers(0, 4))
@settings(max_examples=150, deadline=None)
def test_prepare_is_the_reference(rows: list[Row], with_times: bool, k: int) -> None:
    expected = reference(rows, with_times, k)
    log = log_of(rows, with_times)
    if not expected:
        with pytest.raises(DataError, match=rf"`k_core` must leave .* Received: {k}"):
            prepare(log, k_core=k)
        return
    dataset = prepare(log, k_core=k)
    assert decoded(dataset) == expected
    assert dataset.item_ids.tolist() == sorted(set().union(*expected.values()))
    assert dataset.items.dtype == np.int32
    assert dataset.offsets.dtype == np.int64
    assert dataset.user_count == len(expected)
    if with_times:
        assert dataset.times is not None
        gaps = np.delete(np.diff(dataset.times), dataset.offsets[1:-1] - 1)
        assert (gaps >= 0).all()
    else:
        assert dataset.times is None


@given(rows=logs, seed=st.integers(0, 10))
@settings(max_examples=50, deadline=None)
def test_the_order_of_other_users_rows_does_not_matter(rows: list[Row], seed: int) -> None:
    users = list(dict.fromkeys(row[0] for row in rows))
    np.random.default_rng(seed).shuffle(users)
    regrouped = [row for user in users for row in rows if row[0] == user]
    assert prepare(log_of(rows)).fingerprint() == prepare(log_of(regrouped)).fingerprint()


@pytest.mark.parametrize("with_times", [True, False])
def test_the_sort_is_stable_in_a_large_log(with_times: bool) -> None:
    rng = np.random.default_rng(0)
    users, times = rng.integers(0, 5, 50_000).tolist(), rng.integers(0, 4, 50_000).tolist()
    rows = list(zip(users, range(50_000), times, strict=True))
    keyed = sorted(rows, key=lambda row: (row[0], row[2] * with_times))
    assert prepare(log_of(rows, with_times)).items.tolist() == [row[1] + 1 for row in keyed]


def test_large_integer_times_are_compared_exactly() -> None:
    rows = [("u", "late", 2**60 + 1), ("u", "early", 2**60)]
    assert decoded(prepare(log_of(rows))) == {"u": ["early", "late"]}


def test_the_fingerprint_tells_data_apart() -> None:
    base = [("u", "a", 1), ("u", "b", 2), ("v", "b", 3)]
    variants: dict[str, tuple[list[Row], bool]] = {
        "base": (base, True),
        "order": ([("u", "b", 1), ("u", "a", 2), ("v", "b", 3)], True),
        "user": ([("w", *row[1:]) if row[0] == "v" else row for row in base], True),
        "item": ([(user, item + "c", time) for user, item, time in base], True),
        "time": ([("u", "a", 0), *base[1:]], True),
        "no times": (base, False),
        "owner": ([("u", "a", 1), ("v", "b", 2), ("v", "b", 3)], True),
        "type": ([(1, 10, 1), (1, 20, 2), (2, 20, 3)], True),
    }
    fingerprints = {
        name: prepare(log_of(*variant)).fingerprint() for name, variant in variants.items()
    }
    assert len({fingerprint.sha256 for fingerprint in fingerprints.values()}) == len(variants)
    assert prepare(log_of(base)).fingerprint() == fingerprints["base"]
    base_print = fingerprints["base"]
    assert (base_print.users, base_print.items, base_print.interactions) == (2, 2, 3)


def test_a_negative_core_is_refused() -> None:
    with pytest.raises(ValueError, match=r"`k_core` must be at least 0. Received: -1"):
        prepare(log_of([("u", "a", 1)]), k_core=-1)


def test_one_long_id_does_not_make_all_ids_long() -> None:
    users = ["x" * 5000, *(f"u{number}" for number in range(20_000))]
    dataset = prepare(log_of([(user, user, 0) for user in users]))
    assert dataset.user_ids.tolist() == dataset.item_ids.tolist() == sorted(users)
    assert dataset.user_ids.nbytes + dataset.item_ids.nbytes < 500_000
