"""Eight threads ask one model for a minute: answers stay right, and memory stays flat."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from random import Random
from typing import Any

import numpy as np
import pytest
import tensorflow as tf

from tests.serving import c_loader
from tests.serving.c_loader import TensorFlowError
from tests.serving.random_requests import KINDS, Array, Request, random_request, rules_broken

pytestmark = pytest.mark.slow

THREADS, SECONDS, REQUESTS = 8, 60, 300
GROWTH = 16  # MiB that the second half may need beyond the first
STATUS = Path("/proc/self/status")
# What a request comes to; None if it is refused.
Outcome = dict[str, Array] | None
Ask = Callable[[Request], Outcome]


@contextmanager
def by_python(version: Path) -> Iterator[Ask]:
    recommend = tf.saved_model.load(str(version)).signatures["serving_default"]

    def ask(request: Request) -> Outcome:
        tensors = {name: tf.constant(values) for name, values in request.items()}
        try:
            return {name: values.numpy() for name, values in recommend(**tensors).items()}
        except tf.errors.InvalidArgumentError:
            return None

    yield ask


@contextmanager
def by_c_loader(version: Path) -> Iterator[Ask]:
    if not c_loader.SUPPORTED:
        pytest.skip("TensorFlow's C library is found on Linux only")
    with c_loader.load(version) as model:

        def ask(request: Request) -> Outcome:
            try:
                return model.run("serving_default", request)
            except TensorFlowError:
                return None

        yield ask


@pytest.mark.parametrize("loader", [by_python, by_c_loader])
def test_a_minute_of_eight_threads(loader: Any, tmp_path: Path) -> None:
    kind = KINDS["times and noise"]()
    requests = [random_request(kind, Random(f"load {seed}")) for seed in range(REQUESTS)]
    with loader(kind.export(tmp_path)) as ask, ThreadPoolExecutor(THREADS) as pool:
        expected = [ask(request) for request in requests]
        for request, outcome in zip(requests, expected, strict=True):
            assert (outcome is None) == bool(rules_broken("serving_default", request))
        end = time.monotonic() + SECONDS
        threads = [
            pool.submit(ask_until, end, ask, requests, expected, Random(number))
            for number in range(THREADS)
        ]
        sizes = resident_until(end)
        asked = [thread.result() for thread in threads]
    assert min(asked) > 0
    print(f"\n{loader.__name__}: {sum(asked):,} requests")
    if not sizes:
        pytest.skip("the resident set is read from /proc/self/status, which is not there")
    half = len(sizes) // 2
    first, second = max(sizes[:half]), max(sizes[half:])
    print(f"resident set at most {first:.1f} MiB in the first half, {second:.1f} in the second")
    assert second - first < GROWTH


def ask_until(
    end: float, ask: Ask, requests: list[Request], expected: list[Outcome], random: Random
) -> int:
    """Compare answers with those of one thread; how many there were."""
    asked = 0
    while time.monotonic() < end:
        number = random.randrange(len(requests))
        assert_same(ask(requests[number]), expected[number])
        asked += 1
    return asked


def assert_same(got: Outcome, expected: Outcome) -> None:
    if got is None or expected is None:
        assert got is expected
        return
    np.testing.assert_array_equal(got["item_ids"], expected["item_ids"])
    np.testing.assert_allclose(got["scores"], expected["scores"], rtol=1e-5)


def resident_until(end: float) -> list[float]:
    """The resident set in MiB, every half a second; nothing where it cannot be read."""
    sizes = []
    while STATUS.exists() and time.monotonic() < end:
        fields = dict(line.split(":", 1) for line in STATUS.read_text().splitlines())
        sizes.append(int(fields["VmRSS"].split()[0]) / 1024)
        time.sleep(0.5)
    return sizes
