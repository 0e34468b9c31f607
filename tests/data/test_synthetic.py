"""The synthetic log is what its description says it is."""

from __future__ import annotations

from collections import defaultdict
from itertools import pairwise
from typing import Any

import numpy as np
import polars as pl
import pytest

from tf_recdenoiser.data import SyntheticLog, prepare, synthetic_log


def sequences(made: SyntheticLog) -> list[tuple[list[str], list[bool]]]:
    """Each user's items and which of them are noise."""
    table = made.log.table.with_columns(is_noise=pl.Series(made.is_noise))
    by_user = table.group_by("user", maintain_order=True).agg("item", "is_noise")
    return [(row["item"], row["is_noise"]) for row in by_user.iter_rows(named=True)]


def clean_items(made: SyntheticLog) -> list[list[str]]:
    return [
        [item for item, is_noise in zip(items, noise, strict=True) if not is_noise]
        for items, noise in sequences(made)
    ]


def cluster_of(item: str) -> str:
    return item.partition("-")[0]


def test_it_has_the_size_that_was_asked_for() -> None:
    made = synthetic_log(users=300, items=50, clusters=7, length=(5, 9), seed=2)
    lengths = [len(items) for items, _ in sequences(made)]
    assert len(lengths) == 300
    assert set(lengths) == {5, 6, 7, 8, 9}
    items = sorted(set(made.log.table["item"]))
    assert len(items) == 50
    sizes = pl.Series(map(cluster_of, items)).value_counts()["count"]
    assert sorted(sizes) == [7, 7, 7, 7, 7, 7, 8]
    assert "c03-i006" in items
    assert made.log.table["user"][0] == "u00000"


def test_the_defaults_are_of_the_size_of_a_demonstration() -> None:
    report = synthetic_log().log.report
    assert (report.user_count, report.item_count, report.short_users) == (2500, 600, 0)


def test_it_depends_on_its_seed_alone() -> None:
    first, again, other = (synthetic_log(users=20, seed=seed) for seed in (1, 1, 2))
    assert first.log.table.equals(again.log.table)
    assert (first.is_noise == again.is_noise).all()
    assert not first.log.table.equals(other.log.table)


@pytest.mark.parametrize("noise", [0.1, 0.25, 0.6])
def test_noise_breaks_no_walk(noise: float) -> None:
    """The clean items are the beginning of the walk that a log without noise shows."""
    walks = clean_items(synthetic_log(users=100, noise=0.0, seed=4))
    for walk, clean in zip(
        walks, clean_items(synthetic_log(users=100, noise=noise, seed=4)), strict=True
    ):
        assert clean == walk[: len(clean)]


def test_walks_follow_few_successors_and_few_interests() -> None:
    successors: dict[str, dict[str, int]] = defaultdict(lambda: defaultdict(int))
    switches = steps = 0
    for items in clean_items(synthetic_log(users=2000, items=80, clusters=4, seed=5)):
        assert len(set(map(cluster_of, items))) <= 3
        for item, following in pairwise(items):
            steps += 1
            if cluster_of(item) == cluster_of(following):
                successors[item][following] += 1
            else:
                switches += 1
    assert len(successors) == 80
    assert {len(counts) for counts in successors.values()} == {3}
    shares = np.array([sorted(counts.values(), reverse=True) for counts in successors.values()])
    by_rank = shares.sum(axis=0) / shares.sum()
    np.testing.assert_allclose(by_rank, [0.5, 0.3, 0.2], atol=0.02)
    assert switches / steps == pytest.approx(0.08, abs=0.005)
    assert all(item not in counts for item, counts in successors.items())


def test_popularity_is_skewed() -> None:
    counts = synthetic_log(noise=0.0).log.table["item"].value_counts()["count"].to_numpy()
    assert np.sort(counts)[-60:].sum() > 0.35 * counts.sum()


@pytest.mark.parametrize("noise", [0.0, 0.1, 0.25])
def test_the_share_of_noise(noise: float) -> None:
    made = synthetic_log(noise=noise, seed=6)
    history = np.concatenate([marks[:-2] for _, marks in sequences(made)])
    five_sigma = 5 * np.sqrt(noise * (1 - noise) / len(history))
    assert abs(history.mean() - noise) <= five_sigma
    assert not any(any(marks[-2:]) for _, marks in sequences(made))


def test_targets_may_be_noise_on_request() -> None:
    made = synthetic_log(noisy_targets=True, seed=7)
    targets = np.array([marks[-2:] for _, marks in sequences(made)])
    assert abs(targets.mean() - 0.25) <= 5 * np.sqrt(0.25 * 0.75 / targets.size)


def test_noise_is_uniform_over_the_items_and_positions() -> None:
    made = synthetic_log(noise=0.5, items=100, clusters=5, length=(30, 30), seed=8)
    noise_items = made.log.table["item"].filter(pl.Series(made.is_noise))
    by_item = noise_items.value_counts()["count"].to_numpy()
    by_position = made.is_noise.reshape(-1, 30)[:, :-2].sum(axis=0)
    for counts, cells in ((by_item, 100), (by_position, 28)):
        assert len(counts) == cells
        excess = ((counts - counts.mean()) ** 2 / counts.mean()).sum() - (cells - 1)
        assert excess < 5 * np.sqrt(2 * (cells - 1))  # a chi-square's deviation is sqrt(2 df)


def test_noise_marks_stay_aligned_when_the_log_is_prepared() -> None:
    made = synthetic_log(users=120, seed=9)
    dataset = prepare(made.log)
    assert dataset.item_ids[dataset.items - 1].tolist() == made.log.table["item"].to_list()
    assert len(dataset.items) == len(made.is_noise)
    assert dataset.times is not None
    assert (np.delete(np.diff(dataset.times), dataset.offsets[1:-1] - 1) > 0).all()


def test_one_cluster_has_nowhere_to_switch_to() -> None:
    made = synthetic_log(users=5, items=4, clusters=1, noise=0.0)
    following = {pair for items in clean_items(made) for pair in pairwise(items)}
    assert len(following) == 4 * 3


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"users": 0}, r"`users` must be at least 1. Received: 0"),
        ({"clusters": 0}, r"`clusters` must be at least 1. Received: 0"),
        ({"items": 11, "clusters": 3}, r"`items` must be at least 12. Received: 11"),
        ({"seed": -1}, r"`seed` must be at least 0. Received: -1"),
        ({"length": (2, 5)}, r"`length` must .* Received: \(2, 5\)"),
        ({"length": (6, 5)}, r"`length` must .* Received: \(6, 5\)"),
        ({"noise": 1.0}, r"`noise` must be at least 0 and below 1. Received: 1.0"),
        ({"noise": -0.1}, r"`noise` must be at least 0 and below 1. Received: -0.1"),
    ],
)
def test_arguments_out_of_range_are_refused(changes: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        synthetic_log(**changes)
