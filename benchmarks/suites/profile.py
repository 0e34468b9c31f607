"""Where a step goes, against the floor of its matrix products at this machine's rate."""

from __future__ import annotations

from collections.abc import Iterator
from statistics import median

from benchmarks.bench import Bench, note_into
from benchmarks.contenders import BCE, JACOBIAN, POSITIONAL, ours
from benchmarks.reports import Report
from benchmarks.turns import Failed, Worker

PROFILED = "benchmarks.contenders.profiled"
CONTENDERS = tuple(
    ours(name, changes, module=PROFILED)
    for name, changes in (
        ("ours, BCE", BCE),
        ("ours, BCE, positional gates, Jacobian on 16 rows", {**POSITIONAL, **JACOBIAN}),
    )
)

FLOOR, STEP = "its matrix products alone", "the step"
SHOWN = 20


def run(bench: Bench) -> Iterator[Report]:
    """For a plain step, and for one of gates with the penalty: its floor, and its operations."""
    for contender in bench.chosen(CONTENDERS):
        notes: list[str] = []
        with bench.workers([contender], notes) as started:
            for worker in started:
                try:
                    yield _floor(bench, worker)
                    yield _operations(bench, worker)
                except Failed as failed:
                    note_into(notes, bench.console)(worker.name, str(failed))
        if notes:
            yield Report("profile", f"A step of {contender.name}", "ms", {}, notes=notes)


def _floor(bench: Bench, worker: Worker) -> Report:
    worker.ask("step", steps=3)
    rows: dict[str, list[float]] = {FLOOR: [], STEP: []}
    for _ in range(bench.rounds):
        rows[FLOOR].append(1e3 * worker.ask("products_alone", repeats=bench.steps))
        rows[STEP].append(1e3 * worker.ask("step", steps=bench.steps))
    billions = worker.ask("billions")
    rate = billions / median(rows[FLOOR]) * 1e3
    note = f"The products are {billions:.2f} GFLOP, done at {rate:.1f} GFLOP a second."
    return Report("profile", f"A step of {worker.name}; {bench.title}", "ms", rows, notes=[note])


def _operations(bench: Bench, worker: Worker) -> Report:
    """Kernels by their type, those that take longest first, and the others together."""
    found = worker.ask("operations", steps=bench.steps)
    ordered = sorted(found.items(), key=lambda one: -one[1][1])
    rest = ordered[SHOWN:]
    total = [sum(column) for column in zip(*found.values(), strict=True)]
    shown = dict(ordered[:SHOWN])
    if rest:
        sums = [sum(column) for column in zip(*(one for _, one in rest), strict=True)]
        shown[f"{len(rest)} other types"] = (sums[0], sums[1])
    shown["all"] = (total[0], total[1])
    return Report(
        "profile",
        f"Kernels of a step of {worker.name}, medians over {bench.steps} traced steps; "
        f"{bench.title}",
        "ms a step",
        {name: [1e3 * seconds] for name, (_, seconds) in shown.items()},
        more={
            "share": {name: f"{seconds / total[1]:.1%}" for name, (_, seconds) in shown.items()},
            "runs a step": {name: f"{runs:,.0f}" for name, (runs, _) in shown.items()},
        },
        compared=False,
    )
