"""Ten items for every user of the log, none of which the user has had."""

from __future__ import annotations

from collections.abc import Iterator

from benchmarks.bench import Bench
from benchmarks.contenders import BCE, POSITIONAL, TRAINED, ours, rectools
from benchmarks.reports import Report

CONTENDERS = (
    ours("ours, plain", BCE, module=TRAINED),
    ours("ours, positional gates", POSITIONAL, module=TRAINED),
    rectools("RecTools", loss="BCE", n_negatives=1),
)


def run(bench: Bench) -> Iterator[Report]:
    """Seconds of `recommend_all`, and of what a peer has for it."""
    request = {"do": "recommend"}
    title = "Ten new items for each user, one epoch trained"
    yield bench.measure("rank", title, "s", CONTENDERS, request, request)
