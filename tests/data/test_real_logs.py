"""Real logs, where they are present: the published counts come out exactly."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from tests.data.test_synthetic import LIKENESS, likeness
from tf_recdenoiser.data import DataError, leave_one_out, prepare, read_log


@pytest.mark.parametrize(
    ("name", "users", "items", "interactions"),
    [
        ("ml-1m.txt", 6_040, 3_416, 994_083),
        ("games.txt", 31_013, 23_715, 287_107),
        ("beauty.txt", 40_226, 54_542, 353_962),
        ("ml-100k.inter", 943, 1_682, 100_000),
        ("beauty-5core-time.txt", 22_363, 12_101, 198_502),
        ("ml-latest-small/ratings.csv", 610, 9_724, 100_836),
    ],
)
def test_counts(shared_data: Path, name: str, users: int, items: int, interactions: int) -> None:
    log = read_log(shared_data / name)
    found = prepare(log).fingerprint()
    assert (found.users, found.items, found.interactions) == (users, items, interactions)
    assert (log.report.user_count, log.report.item_count) == (users, items)
    assert log.report.bad_rows == ()


@pytest.mark.slow
@pytest.mark.parametrize("name", LIKENESS)
def test_how_long_interests_last(shared_data: Path, name: str) -> None:
    found = likeness(prepare(read_log(shared_data / name)))
    assert found == pytest.approx(LIKENESS[name], abs=0.01)


def test_the_five_core_of_beauty_is_the_published_one(shared_data: Path) -> None:
    found = prepare(read_log(shared_data / "beauty.txt"), k_core=5).fingerprint()
    assert (found.users, found.items, found.interactions) == (22_363, 12_101, 198_502)


def test_pairs_keep_their_order(shared_data: Path) -> None:
    path = shared_data / "games.txt"
    by_user: dict[int, list[int]] = {}
    for line in path.read_text().splitlines():
        user, item = map(int, line.split())
        by_user.setdefault(user, []).append(item)
    dataset = prepare(read_log(path))
    split = leave_one_out(dataset)
    assert dataset.user_ids.tolist() == sorted(by_user)
    for number, user in enumerate(dataset.user_ids.tolist()):
        assert dataset.item_ids[dataset.sequence(number) - 1].tolist() == by_user[user]
    assert len(split.test.users) == sum(len(items) >= 3 for items in by_user.values())


def test_unordered_times_are_sorted(shared_data: Path) -> None:
    path = shared_data / "ml-100k.inter"
    rows = [line.split("\t") for line in path.read_text().splitlines()[1:]]
    first_user = sorted((row for row in rows if row[0] == "1"), key=lambda row: int(row[3]))
    dataset = prepare(read_log(path))
    items = dataset.item_ids[dataset.sequence(0) - 1]
    assert items.tolist() == [int(row[1]) for row in first_user]
    assert dataset.times is not None
    times = dataset.times[: dataset.offsets[1]]
    np.testing.assert_array_equal(times, [float(row[3]) for row in first_user])


@pytest.mark.parametrize(("name", "separator"), [("ratings.dat", "::"), ("u.data", "\t")])
def test_movielens_as_it_is_published(
    shared_data: Path, tmp_path: Path, name: str, separator: str
) -> None:
    """Its ratings without a header, from which nothing is to be told but by what is in them."""
    rows = [
        line.split("\t") for line in (shared_data / "ml-100k.inter").read_text().splitlines()[1:]
    ]
    (tmp_path / name).write_text("".join(separator.join(row) + "\n" for row in rows))
    log = read_log(tmp_path / name)
    found = log.table.select("user", "item", "rating", "time").rows()
    assert found == [(int(u), int(i), float(r), int(t)) for u, i, r, t in rows]


def test_a_file_of_titles_is_no_log(shared_data: Path) -> None:
    with pytest.raises(DataError, match=r"the users\? The columns are 'movieId', 'title'"):
        read_log(shared_data / "ml-latest-small" / "movies.csv")
