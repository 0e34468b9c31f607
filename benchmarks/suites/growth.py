"""How a training step grows with n, and with the catalogue."""

from __future__ import annotations

import dataclasses
import tempfile
from collections.abc import Iterator
from pathlib import Path

from benchmarks.bench import Bench
from benchmarks.contenders import KERAS_EXAMPLE, PLAIN, RECTOOLS, SAMPLED_SOFTMAX
from benchmarks.logs import ITEMS, LENGTH, USERS, describe, write_log
from benchmarks.reports import Report
from benchmarks.suites.step import measured

# Without those that score all items at each position: at a million they need 25 GB.
CONTENDERS = (PLAIN, SAMPLED_SOFTMAX, *RECTOOLS[:2], KERAS_EXAMPLE)

LENGTHS = (50, 100, 200, 400)
CATALOGUES = (3_000, 25_000, 100_000, 1_000_000)

MOST_ROUNDS, MOST_STEPS = 3, 5


def run(bench: Bench) -> Iterator[Report]:
    """Milliseconds of a step on synthetic logs: for each n, then for each number of items."""
    bench = bench.replace(rounds=min(bench.rounds, MOST_ROUNDS), steps=min(bench.steps, MOST_STEPS))
    for length in LENGTHS:
        sizes = dataclasses.replace(bench.sizes, length=length)
        users = 4 * bench.sizes.batch
        yield _measured(bench.replace(sizes=sizes), "n", length, users, ITEMS, length + 3)
    for items in CATALOGUES:
        yield _measured(bench, "items", items, USERS, items, LENGTH)


def _measured(bench: Bench, of: str, count: int, users: int, items: int, length: int) -> Report:
    with tempfile.TemporaryDirectory(prefix="benchmarks-") as folder:
        log = write_log(Path(folder, "synthetic.txt"), users, items, length)
        found = measured(bench.replace(log=log, log_name=describe(log)), CONTENDERS)
    return dataclasses.replace(found, suite="growth", at=(of, count))
