"""Real logs, where they are present: the published counts come out exactly."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from tf_recdenoiser.data import leave_one_out, prepare, read_log


@pytest.mark.parametrize(
    ("name", "users", "items", "interactions"),
    [
        ("ml-1m.txt", 6_040, 3_416, 994_083),
        ("games.txt", 31_013, 23_715, 287_107),
        ("beauty.txt", 40_226, 54_542, 353_962),
        ("ml-100k.inter", 943, 1_682, 100_000),
    ],
)
def test_counts(shared_data: Path, name: str, users: int, items: int, interactions: int) -> None:
    log = read_log(shared_data / name)
    found = prepare(log).fingerprint()
    assert (found.users, found.items, found.interactions) == (users, items, interactions)
    assert (log.report.user_count, log.report.item_count) == (users, items)
    assert log.report.bad_rows == ()


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
