"""A bare optimizer step: batches are in memory already."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from benchmarks.bench import Bench
from benchmarks.contenders import (
    BCE,
    JACOBIAN,
    PEERS,
    PLAIN,
    POSITIONAL,
    SAMPLED_SOFTMAX,
    ours,
)
from benchmarks.reports import Report
from benchmarks.turns import Contender

CONTENDERS: Sequence[Contender] = (
    PLAIN,
    SAMPLED_SOFTMAX,
    ours("ours, BCE, positional gates", POSITIONAL),
    ours("ours, BCE, positional gates, Jacobian on 16 rows", {**POSITIONAL, **JACOBIAN}),
    ours("ours, BCE, relative gates", {**BCE, "gates": "relative"}),
    *PEERS,
)


def run(bench: Bench) -> Iterator[Report]:
    """Milliseconds of a step of each contender."""
    yield measured(bench, CONTENDERS)


def measured(bench: Bench, contenders: Sequence[Contender]) -> Report:
    """The table of some contenders."""
    return bench.measure(
        "step",
        "A bare training step",
        "ms a step",
        contenders,
        {"do": "step", "steps": bench.steps},
        warm_up={"do": "step", "steps": 3},
        scale=1e3,
    )
