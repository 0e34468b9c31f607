"""A training step as users have it: batches are made on the way, in a whole epoch."""

from __future__ import annotations

from collections.abc import Iterator

from benchmarks.bench import Bench
from benchmarks.contenders import PEERS, PLAIN, SAMPLED_SOFTMAX
from benchmarks.reports import Report

# Each turn trains anew; RecTools' softmax alone takes minutes.
MOST_ROUNDS = 3


def run(bench: Bench) -> Iterator[Report]:
    """Milliseconds of a step in the second epoch of `train`, and of what peers have for it."""
    yield bench.measure(
        "train",
        "A training step with its data, in an epoch",
        "ms a step",
        (PLAIN, SAMPLED_SOFTMAX, *PEERS),
        {"do": "epoch"},
        scale=1e3,
        rounds=min(bench.rounds, MOST_ROUNDS),
    )
