"""What suites make of what they measure, where that is more than a number."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace
from xml.etree import ElementTree

import numpy as np
import pytest

from benchmarks.contenders.command import Command
from benchmarks.contenders.served import Served, histories_of
from benchmarks.plots import curves, plot
from benchmarks.reports import Report

profiled = pytest.importorskip("benchmarks.contenders.profiled")


def event(name: int, offset: int, duration: int) -> SimpleNamespace:
    return SimpleNamespace(metadata_id=name, offset_ps=offset, duration_ps=duration)


def test_a_kernel_has_the_time_that_none_within_it_has() -> None:
    names = {1: "while:While", 2: "a/b:Mul", 3: "Executor::Process", 4: "c:Add"}
    events = [event(3, 0, 99), event(1, 0, 50), event(2, 10, 20), event(2, 30, 5), event(4, 60, 7)]
    found = sorted(profiled._own_seconds(events, names))
    assert found == [
        ("a/b:Mul", "Mul", pytest.approx(5e-12)),
        ("a/b:Mul", "Mul", pytest.approx(20e-12)),
        ("c:Add", "Add", pytest.approx(7e-12)),
        ("while:While", "While", pytest.approx(25e-12)),
    ]


def test_kernels_of_a_type_are_those_of_a_step_by_their_medians() -> None:
    # Two steps of two kernels; one of them was once disturbed, and one runs every other step.
    kernels = [("a", "Mul", 1.0), ("a", "Mul", 1.0), ("a", "Mul", 90.0), ("a", "Mul", 1.0)]
    found = profiled._by_type(iter([*kernels, ("b", "Mul", 4.0), ("c", "Add", 2.0)]), steps=2)
    assert found == {"Mul": (2.5, 2 * 1.0 + 0.5 * 4.0), "Add": (0.5, 1.0)}


@pytest.mark.parametrize("transposed", [False, True])
def test_multiplications_are_those_of_the_sum_over_the_inner_axis(transposed: bool) -> None:
    left = (2, 5, 3) if transposed else (2, 3, 5)
    flags = (("adj_x", transposed), ("adj_y", False))
    product = profiled.Product("BatchMatMulV2", left, (2, 5, 7), flags)
    assert product.multiplications == 2 * 3 * 5 * 7


def test_requests_have_as_many_histories_as_asked_and_the_first_does_not_count(
    tmp_path: Path,
) -> None:
    log = tmp_path / "log.txt"
    log.write_text("7 1\n7 2\n7 3\n9 4\n")
    histories = histories_of(str(log), 2)
    assert histories.tolist() == [[2, 3], [-1, 4]]
    asked: list[np.ndarray] = []
    found = Served(asked.append, histories).latencies(batch=5, requests=3)
    assert [one.shape for one in asked] == [(5, 2)] * 4
    assert 0 < found["p50"] <= found["p99"]


def test_a_command_that_fails_is_not_measured() -> None:
    assert Command(["-c", "import time; time.sleep(0.05)"]).seconds() > 0.05
    with pytest.raises(RuntimeError, match="status 1: ValueError: no"):
        Command(["-c", "raise ValueError('no')"]).seconds()


def test_curves_are_of_reports_at_sizes(tmp_path: Path) -> None:
    reports = [
        Report("growth", "T", "ms", {"ours": [1.0, 3.0]}, at=("n", 50)),
        Report("growth", "T", "ms", {"ours": [2.0], "theirs": [5.0]}, at=("n", 100)),
        Report("step", "T", "ms", {"ours": [1.0]}),
    ]
    assert curves(reports) == {"n": reports[:2]}
    plot(reports, tmp_path / "found.svg")
    assert ElementTree.parse(tmp_path / "found.svg").getroot().tag.endswith("svg")
    plot(reports[2:], tmp_path / "none.svg")
    assert not (tmp_path / "none.svg").exists()
