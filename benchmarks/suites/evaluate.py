"""The test metrics of all users, by each protocol."""

from __future__ import annotations

from collections.abc import Iterator

from benchmarks.bench import Bench
from benchmarks.contenders import BCE, RECBOLE, TRAINED, ours, rectools
from benchmarks.reports import Report

CONTENDERS = (
    *(
        ours(f"ours, {protocol}", BCE, module=TRAINED, protocol=protocol)
        for protocol in ("full", "paper", "sasrec")
    ),
    rectools("RecTools, ten items and two metrics", loss="BCE", n_negatives=1),
    RECBOLE,
)


def run(bench: Bench) -> Iterator[Report]:
    """Seconds of Hit and NDCG of each user's last item."""
    request = {"do": "evaluate"}
    title = "Metrics of all users"
    yield bench.measure("evaluate", title, "s", CONTENDERS, request, request)
