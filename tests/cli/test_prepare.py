"""`prepare`, and what takes its folder in the place of a log."""

from __future__ import annotations

import json
import signal
from pathlib import Path

import polars as pl
import pytest

from tests.cli.shell import PLAIN, tf_recdenoiser
from tf_recdenoiser.data.prepared import preparing
from tf_recdenoiser.runs import RunDirectory, sources

READERS = {".parquet": pl.read_parquet, ".csv": pl.read_csv, ".jsonl": pl.read_ndjson}


@pytest.fixture
def log(tmp_path: Path) -> str:
    """A pattern for two files with text ids and times, of which one has a bad row."""
    for month in range(2):
        lines = [
            f"u{user},i{(user * 7 + step * 3) % 20},{60 * month + step}"
            for user in range(12)
            for step in range(3)
        ]
        lines += ["u1,,5"] * month
        (tmp_path / f"{month}.csv").write_text("\n".join(["user,item,time", *lines]))
    return str(tmp_path / "*.csv")


def test_a_run_on_the_folder_is_the_run_on_the_log(tmp_path: Path, log: str) -> None:
    skip = ("--on-bad-row", "skip")
    done = tf_recdenoiser("prepare", log, "--out", tmp_path / "prepared", "--shards", 3, *skip)
    assert done.status == 0
    assert "Prepared: 72 interactions of 12 users with 20 items, in 3 shards." in done.out
    assert "Bad rows of the log, which were skipped: 1." in done.out
    found = []
    for name, source, options in (("log", log, skip), ("folder", tmp_path / "prepared", ())):
        trained = tf_recdenoiser("train", source, "--out", tmp_path / name, *PLAIN, *options)
        assert trained.status == 0, trained.err
        found.append(RunDirectory(tmp_path / name).metrics()["test"])
    assert found[0] == found[1]
    assert tf_recdenoiser("evaluate", tmp_path / "folder").status == 0


def test_how_it_was_done_can_be_had_as_json(tmp_path: Path, log: str) -> None:
    out = tmp_path / "prepared"
    done = tf_recdenoiser("prepare", log, "--out", out, "--json", "--on-bad-row", "skip")
    said = json.loads(done.out)
    assert (said["folder"], said["users"], said["rows_read"]) == (str(out), 12, 73)


def test_after_ctrl_c_it_is_said_how_to_go_on(
    tmp_path: Path, log: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    command = ("prepare", log, "--out", tmp_path / "prepared", "--on-bad-row", "skip")
    with monkeypatch.context() as patch:
        patch.setattr(preparing, "write_shard", lambda *piece: signal.raise_signal(signal.SIGINT))
        done = tf_recdenoiser(*command)
    assert done.status == 130
    assert done.err.splitlines()[0] == "Interrupted. The same command goes on where it was."
    assert tf_recdenoiser(*command).status == 0


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("LOG", "--out", "OUT"), "Every row of a log must be usable"),
        (("LOG", "--out", "HERE", "--on-bad-row", "skip"), "The folder must be new or empty"),
        (("synthetic", "--out", "OUT"), "The files of a log must be given"),
        (("--out", "OUT"), "The files of a log must be given"),
        (("LOG", "--out", "OUT", "--epochs", "3"), "No such option"),
    ],
)
def test_what_is_wrong_is_said(
    tmp_path: Path, log: str, arguments: tuple[str, ...], message: str
) -> None:
    places = {"LOG": log, "OUT": str(tmp_path / "out"), "HERE": str(tmp_path)}
    done = tf_recdenoiser("prepare", *(places.get(one, one) for one in arguments))
    assert done.status in (1, 2)
    assert message in done.err
    assert "Traceback" not in done.err


def test_how_to_read_is_not_told_twice(tmp_path: Path, log: str) -> None:
    out = tmp_path / "prepared"
    assert tf_recdenoiser("prepare", log, "--out", out, "--on-bad-row", "skip").status == 0
    done = tf_recdenoiser(
        "train", out, "--out", tmp_path / "run", "--user-column", "user", "--set", "log.k_core=2"
    )
    assert done.status == 1
    assert "log.k_core, log.user_column with the prepared data set" in done.err


def test_all_users_of_what_is_streamed_get_recommendations(
    tmp_path: Path, log: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """And not those alone by whom the run was evaluated."""
    monkeypatch.setattr(sources, "EVALUATED", 1)
    folder, run = tmp_path / "prepared", tmp_path / "run"
    skip = ("--on-bad-row", "skip", "--shards", 3)
    assert tf_recdenoiser("prepare", log, "--out", folder, *skip).status == 0
    stream = ("--set", "log.stream=true")
    assert tf_recdenoiser("train", folder, "--out", run, *PLAIN, *stream).status == 0
    for name, source in (
        ("all.parquet", ("--all-users",)),
        ("all.csv", ("--histories", folder)),
        ("all.jsonl", ("--all-users",)),
    ):
        out = tmp_path / name
        done = tf_recdenoiser("recommend", run, *source, "--out", out, "-k", 2)
        assert done.status == 0, done.err
        assert f"24 recommendations to 12 users are in {out}." in done.out
        table = READERS[out.suffix](out)
        assert (table["user"].n_unique(), table.columns) == (12, ["user", "rank", "item", "score"])
    assert not [*tmp_path.glob(".recommend-*")]


def test_an_engine_goes_with_shards(tmp_path: Path, log: str) -> None:
    run, out = tmp_path / "run", tmp_path / "all.csv"
    assert tf_recdenoiser("train", log, "--out", run, *PLAIN, "--on-bad-row", "skip").status == 0
    command = ("recommend", run, "--all-users", "--out", out)
    done = tf_recdenoiser(*command, "--engine", "beam")
    assert (done.status, "`--engine` must go with a prepared data set" in done.err) == (1, True)
    done = tf_recdenoiser(*command, "--engine-options", "--runner=DirectRunner")
    assert (done.status, "`--engine-options` must go with another" in done.err) == (1, True)
    done = tf_recdenoiser("recommend", run, "--history", "i1", "--engine", "beam")
    assert (done.status, "--engine goes with --all-users" in done.err) == (2, True)
    assert not out.exists()
