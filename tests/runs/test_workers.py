"""Several processes that train one recommender together, beside one that trains it alone."""

from __future__ import annotations

import json
import os
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import pytest

from tests.runs.small import metrics_of
from tf_recdenoiser._keras import IS_KERAS_3
from tf_recdenoiser.runs import RunDirectory, RunError, cluster, cluster_of
from tf_recdenoiser.runs.rendezvous import wait_for_all

SCRIPT = """
import json
import sys
from pathlib import Path

from tf_recdenoiser.runs import RunDirectory, cluster_of, train

folder, strategy, runs, resume = json.loads(sys.argv[1])
cluster = cluster_of(strategy, 60.0)

from tests.runs.small import DATASET, small

for name, changes in runs.items():
    directory = RunDirectory(Path(folder, name))
    train(small(changes), DATASET, directory, resume, cluster=cluster)
"""

# 52 steps, of which every fourth has fewer rows.
STEPS = {"fit.batch_size": 16, "fit.epochs": 13, "evaluation.validate_every": 13}
RUNS = {
    "plain": {"gates": "none", "model.gamma": 0.0, **STEPS},
    "arm": {"gates.estimator": "arm", "model.dropout": 0.3, **STEPS},
    "relative": {
        "gates": {"name": "relative", "target_density": 0.5, "beta": 0.0, "estimator": "arm"},
        **STEPS,
    },
}
LONG = {"long": {**RUNS["arm"], "fit.epochs": 24, "evaluation.validate_every": 1}}

only_tf_keras = pytest.mark.skipif(IS_KERAS_3, reason="several workers need tf_keras")


def free_addresses(count: int) -> list[str]:
    """Of ports that nothing listens on, on this machine alone."""
    sockets = [socket.create_server(("127.0.0.1", 0)) for _ in range(count)]
    addresses = [f"127.0.0.1:{one.getsockname()[1]}" for one in sockets]
    for one in sockets:
        one.close()
    return addresses


def config_of(addresses: list[str], index: int) -> str:
    return json.dumps(
        {"cluster": {"worker": addresses}, "task": {"type": "worker", "index": index}}
    )


class Started:
    """Processes of `SCRIPT`, which do not outlive the test."""

    def __init__(self) -> None:
        self._processes: list[subprocess.Popen[str]] = []

    def __call__(
        self, folder: Path, runs: dict[str, Any], config: str | None = None, resume: bool = False
    ) -> subprocess.Popen[str]:
        threads = dict.fromkeys(
            ("OMP_NUM_THREADS", "TF_NUM_INTRAOP_THREADS", "TF_NUM_INTEROP_THREADS"), "1"
        )
        environment = {**os.environ, **threads, "PYTHONPATH": str(Path(__file__).parents[2])}
        if config is not None:
            environment["TF_CONFIG"] = config
        strategy = None if config is None else "multiworker"
        process = subprocess.Popen(
            [sys.executable, "-c", SCRIPT, json.dumps([str(folder), strategy, runs, resume])],
            env=environment,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.PIPE,
            text=True,
        )
        self._processes.append(process)
        return process

    def end(self) -> None:
        for process in self._processes:
            process.kill()
            process.communicate()


@pytest.fixture(scope="module")
def start() -> Iterator[Started]:
    started = Started()
    yield started
    started.end()


def succeed(*processes: subprocess.Popen[str]) -> None:
    for process in processes:
        _, said = process.communicate(timeout=300)
        assert process.returncode == 0, said[-3000:]


@pytest.fixture(scope="module")
def folders(tmp_path_factory: pytest.TempPathFactory, start: Started) -> tuple[Path, Path]:
    """The runs of one process, and those of two."""
    one, two = tmp_path_factory.mktemp("one"), tmp_path_factory.mktemp("two")
    addresses = free_addresses(2)
    workers = [start(two, RUNS, config_of(addresses, index)) for index in range(2)]
    succeed(start(one, RUNS), *workers)
    return one, two


def same(one: RunDirectory, two: RunDirectory, tolerance: float = 1e-5) -> None:
    """Metrics and weights, but for the bias of keys.

    It adds the same to all scores of a row, which softmax takes away again: its gradient is
    nothing but rounding errors, which Adam makes steps of.
    """
    found, expected = metrics_of(two)["test"], metrics_of(one)["test"]
    for protocol, values in expected.items():
        assert found[protocol] == pytest.approx(values, abs=1e-6), protocol
    with h5py.File(one.last) as first, h5py.File(two.last) as second:
        assert set(first) == set(second)
        for name in first:
            most = 1e-3 if "key.bias" in name else tolerance
            np.testing.assert_allclose(second[name][()], first[name][()], most, most, err_msg=name)
    two.verify()


@only_tf_keras
@pytest.mark.parametrize("name", RUNS)
def test_two_workers_train_what_one_process_trains(folders: tuple[Path, Path], name: str) -> None:
    """The chief alone writes, so there is one run, with the weights after 52 steps."""
    one, two = (RunDirectory(folder / name) for folder in folders)
    assert len(two.history()) == 13
    same(one, two)


@only_tf_keras
@pytest.mark.slow
@pytest.mark.parametrize("killed", [0, 1])
def test_a_killed_worker_is_named_and_the_run_goes_on(
    tmp_path: Path, start: Started, killed: int
) -> None:
    whole, broken = tmp_path / "whole", tmp_path / "broken"
    addresses = free_addresses(2)
    succeed(start(whole, LONG))
    workers = [start(broken, LONG, config_of(addresses, index)) for index in range(2)]
    run = RunDirectory(broken / "long")
    until = time.monotonic() + 120
    while not (run.last.exists() and len(run.history()) > 2) and time.monotonic() < until:
        time.sleep(0.02)
    workers[killed].kill()
    _, said = workers[1 - killed].communicate(timeout=120)
    assert workers[1 - killed].returncode != 0
    assert f"no answer from worker {killed} at {addresses[killed]}" in said
    assert len(run.history()) < 24
    addresses = free_addresses(2)
    succeed(*(start(broken, LONG, config_of(addresses, index), True) for index in range(2)))
    same(RunDirectory(whole / "long"), run, tolerance=1e-4)


def outcomes(addresses: list[str], present: list[int], seconds: float) -> dict[int, str]:
    """What each worker that is present hears: nothing, or an error."""
    found: dict[int, str] = {}

    def wait(index: int) -> None:
        try:
            wait_for_all(addresses, index, seconds)
            found[index] = ""
        except RunError as error:
            found[index] = str(error)

    threads = [threading.Thread(target=wait, args=(index,)) for index in present]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return found


def test_workers_wait_for_one_another() -> None:
    assert outcomes(free_addresses(3), [2, 1, 0], 30) == {0: "", 1: "", 2: ""}


@pytest.mark.parametrize(
    ("present", "missing"), [([0, 2], 1), ([1, 2], 0)], ids=["another", "the first"]
)
def test_all_are_told_who_is_missing(present: list[int], missing: int) -> None:
    addresses = free_addresses(3)
    found = outcomes(addresses, present, 1.0)
    assert set(found) == set(present)
    for text in found.values():
        assert text.endswith(f"Received: nothing from worker {missing} at {addresses[missing]}")


def test_what_is_no_worker_is_not_taken_for_one() -> None:
    addresses = free_addresses(2)
    host, port = addresses[0].split(":")

    def knock() -> None:
        for _ in range(50):
            try:
                with socket.create_connection((host, int(port))) as connection:
                    connection.sendall(b"GET / HTTP/1.1")
                return
            except OSError:
                time.sleep(0.02)

    caller = threading.Thread(target=knock)
    caller.start()
    found = outcomes(addresses, [0], 1.0)
    caller.join()
    assert "worker 1" in found[0]


def test_an_address_in_use_is_named() -> None:
    [address] = free_addresses(1)
    host, port = address.split(":")
    with (
        socket.create_server((host, int(port))),
        pytest.raises(RunError, match=f"end what listens there.*{address}"),
    ):
        wait_for_all([address, address], 0, 1.0)


@pytest.mark.parametrize(
    "config",
    [
        "",
        "{",
        "{}",
        config_of(["localhost:1"], 1),
        config_of(["localhost"], 0),
        '{"cluster": {"worker": ["a:1"], "ps": ["b:1"]}, "task": {"type": "worker", "index": 0}}',
    ],
    ids=["none", "no JSON", "empty", "no such index", "no port", "parameter server"],
)
def test_a_wrong_config_is_refused(monkeypatch: pytest.MonkeyPatch, config: str) -> None:
    monkeypatch.setattr(cluster, "IS_KERAS_3", False)
    monkeypatch.setenv("TF_CONFIG", config)
    with pytest.raises(RunError, match="TF_CONFIG must name all workers"):
        cluster_of("multiworker", 1.0)


def test_a_chief_is_the_first_worker(monkeypatch: pytest.MonkeyPatch) -> None:
    jobs = {"chief": ["a:1"], "worker": ["b:2", "c:3"]}
    for task, index in ((("chief", 0), 0), (("worker", 0), 1), (("worker", 1), 2)):
        config = {"cluster": jobs, "task": {"type": task[0], "index": task[1]}}
        monkeypatch.setenv("TF_CONFIG", json.dumps(config))
        assert cluster._workers() == (["a:1", "b:2", "c:3"], index)


def test_keras_3_is_told_its_limit(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(cluster, "IS_KERAS_3", True)
    with pytest.raises(RunError, match="TF_USE_LEGACY_KERAS=1"):
        cluster_of("multiworker", 1.0)
