"""What gates' estimators and the Jacobian penalty cost, next to a plain step."""

from __future__ import annotations

from collections.abc import Iterator

from benchmarks.bench import Bench
from benchmarks.contenders import BCE, PLAIN, ours
from benchmarks.reports import Report
from benchmarks.suites.step import measured

GATED = {**BCE, "gates": "positional"}
WAYS = {
    "plain": BCE,
    "AR": {**GATED, "gates.estimator": "ar"},
    "ARM": {**GATED, "gates.estimator": "arm", "gates.credit": False},
    "DisARM + credit": {**GATED, "gates.estimator": "disarm", "gates.credit": True},
}
ROWS = (16, None)


def run(bench: Bench) -> Iterator[Report]:
    """Milliseconds of a step without the penalty, with it on some rows, and on all."""
    gated = [ours(f"ours, BCE, {name}", ways) for name, ways in WAYS.items() if name != "plain"]
    few = {**WAYS["DisARM + credit"], "gates.estimator_batch_size": 32}
    yield measured(bench, (PLAIN, *gated, ours("ours, BCE, DisARM + credit on 32 rows", few)))
    for rows in ROWS:
        penalty = {"model.gamma": 1e-4, "model.jacobian_batch_size": rows}
        name = f"Jacobian on {rows or 'all'} rows"
        with_it = [
            ours(f"ours, BCE, {way}, {name}", {**changes, **penalty})
            for way, changes in WAYS.items()
        ]
        yield measured(bench, (PLAIN, *with_it))
