"""The synthetic log is what its description says it is."""

from __future__ import annotations

from typing import Any

import numpy as np
import polars as pl
import pytest

from tf_recdenoiser.data import Dataset, SyntheticLog, item_vectors, prepare, synthetic_log

APART = (1, 2, 4, 8, 16, 32)
LIKENESS = {
    "ml-1m.txt": (1.0, 0.93, 0.83, 0.70, 0.52, 0.33),
    "ml-100k.inter": (1.0, 0.95, 0.86, 0.74, 0.59, 0.41),
    "ml-latest-small/ratings.csv": (1.0, 0.92, 0.86, 0.79, 0.70, 0.59),
    "games.txt": (1.0, 0.92, 0.84, 0.76, 0.68, 0.59),
    "beauty.txt": (1.0, 0.96, 0.94, 0.94, 0.95, 0.90),
}
"""How like each other items of a history are that stand so far APART in it, in real logs."""


def likeness(dataset: Dataset) -> list[float]:
    """The mean cosine less that of random pairs, relative to neighbours."""
    items = dataset.items
    user = np.repeat(np.arange(len(dataset.user_ids)), np.diff(dataset.offsets))
    vectors = item_vectors(dataset.histories, dataset.item_count)[:, 0]

    def cosine(left: np.ndarray, right: np.ndarray) -> float:
        return float((vectors[left] * vectors[right]).sum(axis=1).mean())

    random = cosine(items, np.random.default_rng(0).permutation(items))
    apart = []
    for distance in APART:
        one_user = user[distance:] == user[:-distance]
        apart.append(cosine(items[distance:][one_user], items[:-distance][one_user]) - random)
    return [one / apart[0] for one in apart]


@pytest.fixture(scope="module")
def by_default() -> SyntheticLog:
    return synthetic_log()


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


def test_the_defaults_are_of_the_size_of_a_demonstration(by_default: SyntheticLog) -> None:
    report = by_default.log.report
    assert (report.user_count, report.item_count, report.short_users) == (2500, 1000, 0)


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


def test_an_item_is_followed_by_its_successors_and_else_by_popularity() -> None:
    made = synthetic_log(40_000, items=10, clusters=1, length=(3, 3), noise=0.0, seed=5)
    follows = np.zeros((10, 10))
    for first, second, _ in clean_items(made):
        follows[number_of(first, 10), number_of(second, 10)] += 1
    popularity = 1 / np.arange(1, 11) / (1 / np.arange(1, 11)).sum()
    for item, counts in enumerate(follows[:4]):
        # Of what is drawn by popularity, the item itself is known, and not drawn.
        by_successor = counts / counts.sum() * (1 - 0.8 * popularity[item]) - 0.8 * popularity
        by_successor[item] = 0.0
        expected = [0.1, 0.06, 0.04, *[0.0] * 7]
        np.testing.assert_allclose(np.sort(by_successor)[::-1], expected, atol=0.02)


def number_of(item: str, size: int) -> int:
    cluster, _, place = item.partition("-i")
    return int(cluster[1:]) * size + int(place)


def test_users_take_hardly_anything_twice() -> None:
    made = sequences(synthetic_log(users=500, seed=3))
    different = sum(len(set(items)) for items, _ in made)
    assert different / sum(len(items) for items, _ in made) > 0.999


def test_where_all_is_known_what_was_taken_least_is_taken_again() -> None:
    made = synthetic_log(users=20, items=8, clusters=2, length=(40, 40), noise=0.0, seed=3)
    for items in clean_items(made):
        for cluster in ("c00", "c01"):
            counts = [items.count(f"{cluster}-i{place:03d}") for place in range(4)]
            assert max(counts) - min(counts) <= 1


def test_interests_change() -> None:
    """One step in fifty leads to another of three interests; half of those that are left are lost.

    So from the second interest it is to the first again with ½ · ½.
    """
    made = synthetic_log(users=2000, length=(90, 90), noise=0.0, seed=4)
    walks = np.array([list(map(cluster_of, items)) for items in clean_items(made)])
    changes = walks[:, 1:] != walks[:, :-1]
    assert changes.mean() == pytest.approx(0.02, abs=5 * np.sqrt(0.02 * 0.98 / changes.size))
    ends = np.pad(changes, [(0, 0), (0, 1)], constant_values=True)
    visits = [walk[end] for walk, end in zip(walks, ends, strict=True)]
    returns = [visit[2] == visit[0] for visit in visits if len(visit) > 2]
    assert len(returns) > 500
    assert np.mean(returns) == pytest.approx(0.25, abs=5 * np.sqrt(0.25 * 0.75 / len(returns)))


@pytest.mark.parametrize(("length", "greatest"), [((4, 100), 20), ((30, 100), 30)])
def test_no_user_takes_more_than_half_of_the_items(length: tuple[int, int], greatest: int) -> None:
    made = synthetic_log(users=300, items=40, clusters=4, length=length)
    assert max(len(items) for items, _ in sequences(made)) == greatest


def test_lengths_are_skewed() -> None:
    """As many users have 10 to 31 items as have 32 to 100."""
    made = synthetic_log(users=4000, items=200, length=(10, 100), seed=2)
    lengths = np.array([len(items) for items, _ in sequences(made)])
    assert (lengths.min(), lengths.max()) == (10, 100)
    assert (lengths <= 31).mean() == pytest.approx(0.5, abs=0.04)
    assert (lengths <= 17).mean() == pytest.approx(0.25, abs=0.03)


def test_interests_last_as_long_as_in_real_logs(by_default: SyntheticLog) -> None:
    found = likeness(prepare(by_default.log))
    real = np.array(list(LIKENESS.values()))
    assert (real.min(axis=0) <= np.round(found, 2)).all()
    assert (np.round(found, 2) <= real.max(axis=0)).all()


def test_popularity_is_skewed(by_default: SyntheticLog) -> None:
    counts = by_default.log.table["item"].value_counts()["count"].to_numpy()
    assert np.sort(counts)[-100:].sum() > 0.3 * counts.sum()


@pytest.mark.parametrize("noise", [0.0, 0.1, 0.25])
def test_the_share_of_noise(noise: float) -> None:
    made = synthetic_log(items=200, noise=noise, seed=6)
    history = np.concatenate([marks[:-2] for _, marks in sequences(made)])
    five_sigma = 5 * np.sqrt(noise * (1 - noise) / len(history))
    assert abs(history.mean() - noise) <= five_sigma
    assert not any(any(marks[-2:]) for _, marks in sequences(made))


def test_targets_may_be_noise_on_request() -> None:
    made = synthetic_log(items=200, noisy_targets=True, seed=7)
    targets = np.array([marks[-2:] for _, marks in sequences(made)])
    assert abs(targets.mean() - 0.25) <= 5 * np.sqrt(0.25 * 0.75 / targets.size)


def test_noise_is_uniform_over_positions() -> None:
    made = synthetic_log(noise=0.5, items=100, clusters=5, length=(30, 30), seed=8)
    counts = made.is_noise.reshape(-1, 30)[:, :-2].sum(axis=0)
    excess = ((counts - counts.mean()) ** 2 / counts.mean()).sum() - 27
    assert excess < 5 * np.sqrt(2 * 27)  # a chi-square's deviation is sqrt(2 df)


def test_noise_is_as_popular_as_what_is_meant() -> None:
    """But for what a user knows, which noise is not."""
    made = synthetic_log(users=3000, noise=0.2, length=(8, 8), seed=8)
    clean, noise = (
        np.bincount(
            [number_of(item, 100) for item in made.log.table["item"].filter(pl.Series(which))],
            minlength=1000,
        )
        for which in (~made.is_noise, made.is_noise)
    )
    expected = clean * noise.sum() / clean.sum()
    often = expected > 20
    assert often.sum() > 20
    np.testing.assert_allclose(noise[often].sum() / expected[often].sum(), 1.0, atol=0.1)
    assert np.corrcoef(noise, expected)[0, 1] > 0.9


def test_noise_marks_stay_aligned_when_the_log_is_prepared() -> None:
    made = synthetic_log(users=120, seed=9)
    dataset = prepare(made.log)
    assert dataset.item_ids[dataset.items - 1].tolist() == made.log.table["item"].to_list()
    assert len(dataset.items) == len(made.is_noise)
    assert dataset.times is not None
    assert (np.delete(np.diff(dataset.times), dataset.offsets[1:-1] - 1) > 0).all()


def test_one_cluster_has_nowhere_to_switch_to() -> None:
    made = synthetic_log(users=5, items=4, clusters=1, noise=0.0)
    assert {cluster_of(item) for items in clean_items(made) for item in items} == {"c00"}


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
