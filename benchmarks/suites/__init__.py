"""What can be measured: one file a suite, and its line in `SUITES`."""

from __future__ import annotations

from collections.abc import Callable, Iterator

from benchmarks.bench import Bench
from benchmarks.reports import Report
from benchmarks.suites import (
    detect,
    estimators,
    evaluate,
    growth,
    memory,
    profile,
    rank,
    serve,
    startup,
    step,
    train,
)

SUITES: dict[str, Callable[[Bench], Iterator[Report]]] = {
    "step": step.run,
    "estimators": estimators.run,
    "train": train.run,
    "growth": growth.run,
    "rank": rank.run,
    "evaluate": evaluate.run,
    "detect": detect.run,
    "serve": serve.run,
    "memory": memory.run,
    "startup": startup.run,
    "profile": profile.run,
}
