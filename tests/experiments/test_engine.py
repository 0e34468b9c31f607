"""The engine: what it trains, keeps, measures, and writes down."""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from tests.runs.small import DATASET, SYNTHETIC, plain
from tf_recdenoiser.cli.app import run
from tf_recdenoiser.data import Dataset
from tf_recdenoiser.experiments import (
    Measurement,
    Subject,
    Task,
    Trial,
    crossed,
    results_of,
    run_tasks,
    tasks_of,
)
from tf_recdenoiser.experiments.engine import fits
from tf_recdenoiser.experiments.measures.ranking import ranking
from tf_recdenoiser.runs import Run, RunDirectory, Settings, load_dataset, resolve

BASE = plain({"fit.epochs": 1})
TRIALS = crossed(
    [Trial("plain", {}, baseline=None), Trial("wide", {"model.hidden_dim": 16})],
    "n",
    {6: {"model.max_length": 6}, 12: {"model.max_length": 12}},
)
MEASURED: list[str] = []


def parts(run: Run, dataset: Dataset) -> Iterator[Measurement]:
    """Two things that are measured of one run, beside a number of all of it."""
    MEASURED.append(run.directory.path.name)
    yield Measurement({"size": float(run.settings.model.hidden_dim)})
    for half in (0, 1):
        yield Measurement({"share": half / 2}, {"half": half})


MEASURES = (ranking, parts)


@pytest.fixture(scope="module")
def out(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("engine")


@pytest.fixture(scope="module")
def tasks(out: Path) -> list[Task]:
    return tasks_of([(Subject("small", BASE, DATASET), out)], TRIALS, [0, 1])


@pytest.fixture(scope="module")
def begun(tasks: list[Task]) -> list[tuple[str, int, float | None]]:
    """What was begun, and how long it was to take."""
    found: list[tuple[str, int, float | None]] = []

    def begin(task: Task, number: int, seconds: float | None) -> None:
        found.append((task.trial.name, task.seed, seconds))

    # The first four as before a stop.
    run_tasks(tasks[:4], MEASURES)
    run_tasks(tasks, MEASURES, begin=begin)
    return found


def test_what_was_stopped_goes_on(begun: list[tuple[str, int, float | None]]) -> None:
    assert [(name, seed) for name, seed, _ in begun] == [(trial.name, 1) for trial in TRIALS]
    seconds = [left for *_, left in begun]
    assert seconds[0] is None
    assert all(left is not None and left > 0 for left in seconds[1:])


def test_every_run_is_measured_once(
    tasks: list[Task], begun: list[tuple[str, int, float | None]]
) -> None:
    results_of(tasks, MEASURES)
    assert sorted(MEASURED) == sorted(task.directory.path.name for task in tasks)


def test_results_are_of_what_is_there(
    tasks: list[Task], begun: list[tuple[str, int, float | None]], out: Path
) -> None:
    results = results_of(tasks, MEASURES)
    lines = {line.name: line for line in results.lines("small")}
    assert set(lines) == {
        trial.name + half for trial in TRIALS for half in ("", ", half 0", ", half 1")
    }
    wide = lines["wide, n 12"]
    metrics = [RunDirectory(out / f"wide-n-12-{seed}").metrics()["test"] for seed in (0, 1)]
    expected = [one["full"]["ndcg@10"] for one in metrics]
    np.testing.assert_allclose(wide.means["full ndcg@10"], expected)
    others = [RunDirectory(out / f"plain-n-12-{seed}").metrics()["test"] for seed in (0, 1)]
    difference = np.mean(expected) - np.mean([one["full"]["ndcg@10"] for one in others])
    one = wide.comparisons["full ndcg@10"]
    assert one.difference == pytest.approx(difference)
    assert (one.seeds, wide.is_compared, lines["plain, n 12"].is_compared) == (2, True, False)
    assert lines["wide, n 6"].comparisons["size"].difference == 8
    assert lines["wide, n 6, half 1"].means["share"].tolist() == [0.5, 0.5]


def test_every_row_says_how_to_have_it_again(
    tasks: list[Task], begun: list[tuple[str, int, float | None]], tmp_path: Path
) -> None:
    results_of(tasks, MEASURES).write(tmp_path / "results.jsonl", "test")
    rows = [json.loads(line) for line in (tmp_path / "results.jsonl").read_text().splitlines()]
    assert len(rows) == 3 * len(tasks)
    for row in rows:
        assert row["fingerprint"] == dataclasses.asdict(DATASET.fingerprint())
        assert row["environment"]["tensorflow"] and row["seed"] in (0, 1)
        # The settings, and they alone, give the run's settings again.
        again = Settings().replace(row["settings"])
        assert (again.model.max_length, again.seed) == (row["n"], row["seed"])
        assert again.fit == resolve(BASE).fit
    whole = [row for row in rows if "half" not in row]
    assert all(row["users"] == 60 and 0 <= row["metrics"]["full hit@10"] <= 1 for row in whole)


def test_what_is_measured_otherwise_is_measured_anew(
    tasks: list[Task], begun: list[tuple[str, int, float | None]]
) -> None:
    kept, before = tasks[0].measure(MEASURES), len(MEASURED)
    (found,) = tasks[0].measure([ranking])
    assert set(found.values) < set(results_of(tasks[:1], MEASURES).rows[0].values)
    assert len(MEASURED) == before + 1
    again = tasks[0].measure(MEASURES)
    np.testing.assert_array_equal(again[0].values["full ndcg@10"], kept[0].values["full ndcg@10"])


def test_models_that_read_times_are_left_out_where_a_log_has_none(tmp_path: Path) -> None:
    (tmp_path / "log.txt").write_text("1 1\n1 2\n1 3\n2 2\n2 3\n2 1\n")
    settings = Settings.of(tmp_path / "log.txt")
    trial = Trial("t", {"model": "tisasrec"})
    assert not fits(trial, Subject("log", settings, load_dataset(settings)))
    assert fits(trial, Subject("synthetic", BASE, DATASET))


LOG = ["synthetic", *(f"--set={path}={value}" for path, value in SYNTHETIC.items())]
SIZES = ["--hidden-dim", "8", "--max-length", "8", "--num-layers", "1"]


class Stopped(KeyboardInterrupt):
    """Ctrl-C."""


def test_ctrl_c_leaves_a_report_of_what_is_done(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    out, begun = tmp_path / "out", []
    from tf_recdenoiser.experiments import engine

    train = engine.train

    def stopped(settings: Settings, *arguments: Any) -> Any:
        begun.append(settings.model.name)
        if len(begun) == 2:
            raise Stopped
        return train(settings, *arguments)

    monkeypatch.setattr(engine, "train", stopped)
    command = ["experiment", "table2", *LOG, *SIZES, "--epochs", "1", "--out", str(out)]
    command += ["--methods", "popularity,fpmc"]
    assert run([*command, "--seeds", "0"]) == 130
    assert "Go on with: tf-recdenoiser" in capsys.readouterr().err
    page = (out / "report.html").read_text()
    assert "1 of 2 trainings are done" in page
    assert len((out / "results.jsonl").read_text().splitlines()) == 1
    assert run([*command, "--seeds", "0", "--json"]) == 0
    assert begun == ["fpmc", "popularity", "popularity"]
    assert set(json.loads(capsys.readouterr().out)["synthetic"]) == {"fpmc", "popularity"}
    assert "Not finished" not in (out / "report.html").read_text()


def test_data_sets_need_names_of_their_own(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    log = "1 1\n1 2\n1 3\n2 2\n2 3\n2 1\n"
    for name in ("log.txt", "log.csv.txt"):
        (tmp_path / name).write_text(log)
    logs = [str(tmp_path / name) for name in ("log.txt", "log.csv.txt")]
    assert run(["experiment", "table2", *logs, "--out", str(tmp_path / "out")]) == 1
    assert "Data sets must have different names" in capsys.readouterr().err
