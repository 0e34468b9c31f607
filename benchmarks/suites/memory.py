"""The most memory that a process needs which does one thing alone."""

from __future__ import annotations

from collections.abc import Iterator

from benchmarks.bench import Bench, note_into
from benchmarks.reports import Report
from benchmarks.suites import step
from benchmarks.turns import Failed


def run(bench: Bench) -> Iterator[Report]:
    """Of each contender of the suite `step`, with batches of its own in memory."""
    rows, notes = {}, []
    left_out = note_into(notes, bench.console)
    for contender in bench.chosen(step.CONTENDERS):
        # One after the other: a process that waits would only take room.
        with bench.workers([contender], notes) as started:
            for worker in started:
                try:
                    worker.ask("step", steps=5)
                    rows[worker.name] = [worker.ask("peak_bytes") / 2**20]
                except Failed as failed:
                    left_out(worker.name, str(failed))
    title = f"Peak memory of five training steps; {bench.log_name}; {bench.sizes}"
    yield Report("memory", title, "MiB", rows, notes=notes)
