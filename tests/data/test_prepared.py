"""Prepared data sets against what is read and prepared in memory."""

from __future__ import annotations

import json
import os
import pickle
import shutil
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tf_recdenoiser.data import (
    DataError,
    Dataset,
    PreparedDataset,
    is_prepared,
    prepare,
    prepare_files,
    read_log,
)
from tf_recdenoiser.data.prepared import ENGINES, Engine, parts
from tf_recdenoiser.data.prepared.engines.base import Piece

FEEDBACK = {"feedback_column": "stars", "disliked_below": 3.0}

rows = st.tuples(
    st.sampled_from(["7", "8", "9", "ann", "007"]),
    st.integers(1, 5),
    st.integers(0, 3),
    st.sampled_from(["1", "2", "5", ""]),
)
files = st.lists(st.lists(rows, min_size=1, max_size=12), min_size=1, max_size=4)


def write(folder: Path, content: list[list[Any]], names: str = "user,item,time,stars") -> list[str]:
    """A CSV file for each list of rows."""
    paths = []
    for number, lines in enumerate(content):
        path = folder / f"{number}.csv"
        width = names.count(",") + 1
        text = [",".join(map(str, line[:width])) for line in lines]
        path.write_text("\n".join([names, *text]) + "\n")
        paths.append(str(path))
    return paths


def assert_same(found: Dataset, expected: Dataset) -> None:
    assert found.fingerprint() == expected.fingerprint()
    for name in ("user_ids", "item_ids", "items", "times", "offsets", "disliked"):
        one, other = getattr(found, name), getattr(expected, name)
        assert (one is None) == (other is None)
        if one is not None:
            assert one.dtype == other.dtype
            np.testing.assert_array_equal(one, other)


@given(
    content=files,
    shards=st.integers(1, 4),
    k_core=st.sampled_from([0, 2, 3]),
    repeats=st.sampled_from(["keep", "drop"]),
    timed=st.booleans(),
)
@settings(max_examples=60, deadline=None)
def test_they_hold_what_is_prepared_in_memory(
    tmp_path_factory: pytest.TempPathFactory,
    content: list[list[Any]],
    shards: int,
    k_core: int,
    repeats: str,
    timed: bool,
) -> None:
    folder = tmp_path_factory.mktemp("log")
    log = write(folder, content, "user,item,time,stars" if timed else "user,item")
    reading: dict[str, Any] = {"repeats": repeats, **(FEEDBACK if timed else {})}
    out = folder / "prepared"
    try:
        expected = prepare(read_log(log, **reading), k_core)
    except DataError as error:
        with pytest.raises(DataError, match="`k_core` must leave at least one"):
            prepare_files(log, out, k_core, shards, **reading)
        assert "k_core" in str(error)
        return
    manifest = prepare_files(log, out, k_core, shards, **reading)
    prepared = PreparedDataset(out)
    assert_same(prepared.dataset(), expected)
    assert prepared.manifest == manifest
    assert len(prepared.shards) == shards
    assert manifest.interactions == len(expected.items)
    assert manifest.rows_read == sum(map(len, content))
    assert manifest.repeated_rows == len(read_log(log, **reading).report.repeated_rows)


def test_times_of_all_units_are_compared_in_the_finest(tmp_path: Path) -> None:
    seconds = 1_600_000_000
    logs = write(
        tmp_path,
        [
            [("7", "1", seconds + 5)],
            [("7", "2", 1000 * seconds + 4999), ("7", "3", 1000 * seconds)],
        ],
        "user,item,time",
    )
    prepare_files(logs, tmp_path / "prepared", shards=2)
    found = PreparedDataset(tmp_path / "prepared").dataset()
    assert_same(found, prepare(read_log(logs)))
    assert found.sequence(0).tolist() == [3, 2, 1]


def test_a_shard_holds_the_whole_sequences_of_its_users(tmp_path: Path) -> None:
    content = [[(user, item, item, "") for user in range(40)] for item in range(1, 4)]
    prepare_files(write(tmp_path, content), tmp_path / "prepared", shards=4)
    prepared = PreparedDataset(tmp_path / "prepared")
    sizes = []
    for shard in prepared.shards:
        histories = prepared.dataset([shard]).histories
        sizes.append(histories.row_count)
        assert histories.last(3).tolist() == [[1, 2, 3]] * histories.row_count
    assert sum(sizes) == 40
    assert min(sizes) > 0


class Interrupt:
    """Raises when so many things have been done."""

    def __init__(self, after: int) -> None:
        self.left = after

    def begin(self, what: str, count: int) -> None:
        pass

    def advance(self) -> None:
        self.left -= 1
        if self.left == 0:
            raise KeyboardInterrupt


@pytest.mark.parametrize("after", range(1, 8))
def test_it_goes_on_where_it_was_interrupted(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, after: int
) -> None:
    content = [[(user, item, item, "") for user in range(9)] for item in range(1, 5)]
    log, out = write(tmp_path, content), tmp_path / "prepared"
    with pytest.raises(KeyboardInterrupt):
        prepare_files(log, out, shards=3, observer=Interrupt(after))
    assert not is_prepared(out)
    read = []
    monkeypatch.setattr(parts, "read_log", lambda path, **how: read.append(path) or read_log(path))
    prepare_files(log, out, shards=3)
    assert len(read) == max(4 - after, 0)
    assert_same(PreparedDataset(out).dataset(), prepare(read_log(log)))
    assert not (out / "work").exists()


class Elsewhere(Engine):
    """Does pieces last to first, each in what another process would make of it, and some twice."""

    def run(self, piece: Piece, count: int, advance: Callable[[], None]) -> None:
        for number in [*reversed(range(count)), 0]:
            pickle.loads(pickle.dumps(piece))(number)


@pytest.mark.parametrize("k_core", [0, 2])
def test_other_processes_can_do_the_pieces(tmp_path: Path, k_core: int) -> None:
    rng = np.random.default_rng(0)
    content = [[(rng.integers(9), rng.integers(12), 5, "") for _ in range(9)] for _ in range(4)]
    log, out = write(tmp_path, content), tmp_path / "prepared"
    prepare_files(log, out, k_core, shards=3, engine=Elsewhere())
    assert_same(PreparedDataset(out).dataset(), prepare(read_log(log), k_core))


@pytest.mark.slow
def test_beam_makes_the_same_of_a_million_rows(tmp_path: Path) -> None:
    pytest.importorskip("apache_beam")
    rng = np.random.default_rng(0)
    for number in range(4):
        columns = {"user": rng.integers(0, 20_000, 250_000), "item": rng.integers(0, 5000, 250_000)}
        rows = pl.DataFrame({**columns, "time": rng.integers(0, 10**9, 250_000)})
        rows.write_parquet(tmp_path / f"{number}.parquet")
    log = str(tmp_path / "*.parquet")
    one, other = (
        prepare_files(log, tmp_path / name, k_core=5, shards=4, engine=ENGINES[name]())
        for name in ("local", "beam")
    )
    assert one == other
    assert_same(PreparedDataset(tmp_path / "beam").dataset(), prepare(read_log(log), 5))


def test_without_beam_it_is_said_what_to_install(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "apache_beam", None)
    log = write(tmp_path, [[("7", "1", 1, "")]])
    with pytest.raises(DataError, match=r"install tf_recdenoiser\[beam\]"):
        prepare_files(log, tmp_path / "prepared", engine=ENGINES["beam"]())


def test_nothing_else_is_gone_on_with(tmp_path: Path) -> None:
    log, out = write(tmp_path, [[("7", "1", 1, "")], [("7", "2", 2, "")]]), tmp_path / "prepared"
    with pytest.raises(KeyboardInterrupt):
        prepare_files(log, out, observer=Interrupt(1))
    for changed in ({"k_core": 2}, {"shards": 9}, {"repeats": "drop"}):
        with pytest.raises(ValueError, match="The preparation of another log, or in another way"):
            prepare_files(log, out, **changed)
    Path(log[0]).write_text("user,item,time,stars\n8,1,1,\n8,1,1,\n")
    with pytest.raises(ValueError, match="The preparation of another log"):
        prepare_files(log, out)


def test_one_that_was_killed_at_once_is_begun_again(tmp_path: Path) -> None:
    log = write(tmp_path, [[("7", "1", 1, "")]])
    (tmp_path / "prepared" / "work").mkdir(parents=True)
    assert prepare_files(log, tmp_path / "prepared").users == 1


def test_a_folder_with_something_in_it_is_left_as_it_is(tmp_path: Path) -> None:
    log = write(tmp_path, [[("7", "1", 1, "")]])
    with pytest.raises(ValueError, match=r"must be new or empty.*which holds other files"):
        prepare_files(log, tmp_path)
    prepare_files(log, tmp_path / "prepared")
    with pytest.raises(ValueError, match="which holds a prepared data set"):
        prepare_files(log, tmp_path / "prepared")


def test_a_bad_file_is_named(tmp_path: Path) -> None:
    log = write(tmp_path, [[("7", "1", 1, "")], [("7", "", 1, "")]])
    with pytest.raises(DataError, match=r"1\.csv"):
        prepare_files(log, tmp_path / "prepared")
    with pytest.raises(DataError, match="must hold at least one usable"):
        prepare_files(log, tmp_path / "another", on_bad_row="skip")
    for path, why in ((tmp_path / "none.csv", "No such file"), (tmp_path, "a folder")):
        with pytest.raises(DataError, match=rf"such as can be read again.*{path}.*{why}"):
            prepare_files([*log, path], tmp_path / "third")
    os.mkfifo(tmp_path / "pipe")
    with pytest.raises(DataError, match="no file"):
        prepare_files(tmp_path / "pipe", tmp_path / "third")


def test_files_with_and_without_times_do_not_go_together(tmp_path: Path) -> None:
    first, second = write(tmp_path, [[("7", "1", 1, "")], [("7", "2", 1, "")]])
    Path(second).write_text("user,item\n7,2\n")
    with pytest.raises(DataError, match=r"'0\.csv' with times and '1\.csv' without"):
        prepare_files([first, second], tmp_path / "prepared")
    Path(second).write_text("user,item,time\n7,2,1600000000\n")
    with pytest.raises(DataError, match=r"'1\.csv', which says when .*'0\.csv', whose times"):
        prepare_files([first, second], tmp_path / "another")


@pytest.mark.parametrize("damage", ["gone", "changed", "manifest", "version"])
def test_what_was_damaged_is_refused(tmp_path: Path, damage: str) -> None:
    out = tmp_path / "prepared"
    prepare_files(write(tmp_path, [[("7", "1", 1, "")]]), out, shards=1)
    shard, manifest = out / "shard-00000.parquet", out / "manifest.json"
    if damage == "gone":
        shard.unlink()
    elif damage == "changed":
        shutil.copy(out / "items.parquet", shard)
    elif damage == "manifest":
        manifest.write_text(manifest.read_text()[:50])
    else:
        manifest.write_text(json.dumps({**json.loads(manifest.read_text()), "format": 0}))
    with pytest.raises(DataError, match="prepare it anew"):
        PreparedDataset(out).dataset()


def test_numbers_that_cannot_be_are_refused(tmp_path: Path) -> None:
    log = write(tmp_path, [[("7", "1", 1, "")]])
    for wrong in ({"k_core": -1}, {"shards": 0}):
        with pytest.raises(ValueError, match=f"`{next(iter(wrong))}` must be at least"):
            prepare_files(log, tmp_path / "prepared", **wrong)


def test_parquet_and_its_types(tmp_path: Path) -> None:
    log = tmp_path / "log.parquet"
    table = {"user": ["b", "a", "b"], "item": [30, 30, 10], "time": [9.5, 5.0, 4.25]}
    pl.DataFrame(table).write_parquet(log)
    prepare_files(log, tmp_path / "prepared", shards=2)
    assert_same(PreparedDataset(tmp_path / "prepared").dataset(), prepare(read_log(log)))
