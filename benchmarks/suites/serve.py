"""Latency of an exported model, loaded by TensorFlow's C library as servers do, and by Python."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from pathlib import Path

from benchmarks.bench import Bench, note_into
from benchmarks.contenders import BCE, TRAINED, ours
from benchmarks.reports import Report
from benchmarks.turns import Contender, Failed, take_turns

# The most requests of a turn: a batch of many takes long, and has less of a tail.
REQUESTS = {1: 500, 32: 100, 512: 20}
LOADERS = {"c": "C library", "python": "tf.saved_model.load"}
MODELS = {
    "plain": BCE,
    "positional gates": {**BCE, "gates": "positional"},
}


def run(bench: Bench) -> Iterator[Report]:
    """Milliseconds of a request with so many histories, of the median and of the slowest."""
    notes: list[str] = []
    with tempfile.TemporaryDirectory(prefix="benchmarks-") as folder:
        contenders = [
            served(name, loader, path)
            for name, path in exported(bench, Path(folder), notes).items()
            for loader in LOADERS
        ]
        with bench.workers(contenders, notes) as started:
            for batch, requests in REQUESTS.items():
                request = {"do": "latencies", "batch": batch, "requests": requests}
                left_out = note_into(notes, bench.console)
                answers = take_turns(started, bench.rounds, request, left_out, request)
                started = [worker for worker in started if worker.name in answers]
                rows = {
                    f"{name}, {percentile}": [1e3 * one[percentile] for one in found]
                    for name, found in answers.items()
                    for percentile in ("p50", "p99")
                }
                title = (
                    f"A request for ten new items to {batch} histories, {requests} requests a "
                    f"round, one epoch trained; {bench.title}"
                )
                yield Report("serve", title, "ms", rows, notes=[*notes])


def exported(bench: Bench, folder: Path, notes: list[str]) -> dict[str, str]:
    """The folders of exported models by their names."""
    paths = {}
    bench = bench.replace(only=())  # it is loaders that are chosen among
    for name, changes in MODELS.items():
        trained = ours(f"ours, {name}", changes, module=TRAINED)
        with bench.workers([trained], notes) as started:
            for worker in started:
                try:
                    paths[name] = worker.ask("export", to=str(folder / name.replace(" ", "-")))
                except Failed as failed:
                    note_into(notes, bench.console)(worker.name, str(failed))
    return paths


def served(name: str, loader: str, path: str) -> Contender:
    options = {"loader": loader, "path": path}
    return Contender(f"{LOADERS[loader]}, {name}", "benchmarks.contenders.served", options=options)
