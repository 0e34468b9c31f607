"""What it takes to find noise, and to judge histories by what was found."""

from __future__ import annotations

from collections.abc import Iterator

from benchmarks.bench import Bench, note_into
from benchmarks.contenders import BCE, TRAINED, ours
from benchmarks.reports import Report
from benchmarks.turns import take_turns

CONTENDERS = (ours("ours, detector context", {**BCE, "noise.detector": "context"}, module=TRAINED),)


def run(bench: Bench) -> Iterator[Report]:
    """Seconds of the search, once, and of P(noise) of the newest items of all users."""
    notes: list[str] = []
    left_out = note_into(notes, bench.console)
    with bench.workers(CONTENDERS, notes) as started:
        for title, do, rounds in (
            ("The search for noise in the whole log, once", "detect", 1),
            ("P(noise) of the newest items of all users", "judge", bench.rounds),
        ):
            rows = take_turns(started, rounds, {"do": do}, left_out)
            yield Report("detect", f"{title}; {bench.title}", "s", rows, notes=[*notes])
            started = [worker for worker in started if worker.name in rows]
