"""Turns of workers, the tables of what they answer, and the command."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from benchmarks.environments import Environment, NotToBeHad, python_of
from benchmarks.logs import read_log, write_log
from benchmarks.reports import Report, ratios
from benchmarks.turns import Contender, Failed, Worker, take_turns, variables, workers


def fake(name: str, **options: Any) -> Contender:
    return Contender(name, "tests.benchmarks.fake", options=options)


def start(contender: Contender) -> Worker:
    return Worker(contender, sys.executable, "", {}, cores=1)


@pytest.fixture
def worker() -> Iterator[Worker]:
    started = start(fake("one", times=[0.5, 2.0]))
    yield started
    started.close()


def test_a_worker_answers_each_request(worker: Worker) -> None:
    assert [worker.ask("step", steps=4), worker.ask("step", steps=2)] == [2.0, 4.0]


@pytest.mark.skipif(not hasattr(os, "sched_getaffinity"), reason="the system has no affinity")
def test_a_worker_keeps_to_its_cores(worker: Worker) -> None:
    assert worker.ask("cores") == 1


def test_a_worker_says_why_it_fails_and_goes_on(worker: Worker) -> None:
    with pytest.raises(Failed, match=r"^ValueError: last line$"):
        worker.ask("fail")
    with pytest.raises(Failed, match="does not measure 'sleep'"):
        worker.ask("sleep")
    assert worker.ask("step", steps=1) == 0.5


def test_a_worker_that_ends_is_named_with_its_last_line(worker: Worker) -> None:
    with pytest.raises(Failed, match="status 3: killed by itself"):
        worker.ask("die")


def test_peak_memory_is_that_of_the_worker_alone(worker: Worker) -> None:
    held = np.ones(2**25)  # 256 MiB, of this process
    assert 2**20 < worker.ask("peak_bytes") < held.nbytes / 2


def test_turns_leave_out_who_fails_and_the_warm_up() -> None:
    contenders = [
        fake("steady", times=[9.0, 1.0, 2.0]),
        fake("broken", broken=True),
        fake("short", times=[9.0, 1.0]),
    ]
    left: dict[str, str] = {}
    request = {"do": "step", "steps": 1}
    with workers(contenders, start, left.__setitem__) as started:
        found = take_turns(started, 2, request, left.__setitem__, warm_up=request)
    assert found == {"steady": [1.0, 2.0]}
    assert left["broken"] == "RuntimeError: no model of this"
    assert left["short"].startswith("StopIteration")


def test_ratios_are_those_of_pairs_within_a_round() -> None:
    # The machine is slower by ten in the second round, and the ratio is not.
    assert ratios([2.0, 30.0, 4.0], [1.0, 10.0, 2.0]) == [2.0, 3.0, 2.0]
    report = Report("s", "T", "ms", {"a": [1.0, 10.0, 2.0], "b": [2.0, 30.0, 4.0]}, notes=["gone"])
    assert report.cells()[1:] == [
        ["a", "2.00 (1.00 to 10.0)", "1.00"],
        ["b", "4.00 (2.00 to 30.0)", "2.00 (2.00 to 3.00)"],
    ]
    assert "| b | 4.00 (2.00 to 30.0) | 2.00 (2.00 to 3.00) |" in report.markdown()
    assert report.markdown().rstrip().endswith("gone")
    assert report.document()["ratios"]["b"] == (2.0, 2.0, 3.0)


def test_an_environment_that_cannot_be_made_says_why(tmp_path: Path) -> None:
    with pytest.raises(NotToBeHad, match="no-such-python"):
        python_of("peer", Environment(("pip",)), tmp_path, python=str(tmp_path / "no-such-python"))


def test_an_environment_is_kept_while_it_is_what_is_asked_for(tmp_path: Path) -> None:
    wanted = Environment(("one==1",), alone=("two==2",))
    (tmp_path / "peer" / "bin").mkdir(parents=True)
    (tmp_path / "peer" / "bin" / "python").touch()
    (tmp_path / "peer" / "made.txt").write_text("one==1\n--no-deps two==2")
    absent = str(tmp_path / "no-such-python")
    assert python_of("peer", wanted, tmp_path, absent) == tmp_path / "peer" / "bin" / "python"
    with pytest.raises(NotToBeHad):
        python_of("peer", Environment(("one==2",)), tmp_path, absent)


def test_a_log_has_all_its_items(tmp_path: Path) -> None:
    users, items = read_log(str(write_log(tmp_path / "log.txt", users=5, items=30, length=4)))
    assert np.unique(users, return_counts=True)[1].tolist() == [6] * 5
    assert np.unique(items).tolist() == list(range(1, 31))


def test_the_command_measures_ours(tmp_path: Path) -> None:
    out = tmp_path / "found.json"
    sizes = ["--data", "synthetic", "--users", "40", "--items", "400", "--length", "4"]
    turns = ["--batch", "8", "--rounds", "2", "--steps", "1", "--only", "ours, bce, relative"]
    command = [sys.executable, "-m", "benchmarks", "step", *sizes, *turns, "--out", str(out)]
    done = subprocess.run(command, env=variables(1), capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    found = json.loads(out.read_text(encoding="utf-8"))
    (report,) = found["reports"]
    assert report["notes"] == []
    assert [*report["rows"]] == ["ours, BCE, relative gates"]
    assert len(report["rows"]["ours, BCE, relative gates"]) == found["rounds"] == 2
    assert "40 users, 400 items" in found["log"]
    assert "ours, BCE, relative gates" in out.with_suffix(".md").read_text(encoding="utf-8")


def test_a_suite_that_is_not_there_is_named(tmp_path: Path) -> None:
    command = [sys.executable, "-m", "benchmarks", "steps", "--out", str(tmp_path / "found.json")]
    done = subprocess.run(command, env=variables(1), capture_output=True, text=True)
    assert done.returncode == 2 and "Received: steps" in done.stderr
