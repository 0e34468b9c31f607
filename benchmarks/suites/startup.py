"""How long it takes until something can be done at all."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from benchmarks.bench import Bench
from benchmarks.reports import Report
from benchmarks.turns import Contender


def command(name: str, arguments: Sequence[str], environment: str | None = None) -> Contender:
    options = {"arguments": [*arguments]}
    return Contender(name, "benchmarks.contenders.command", environment, options)


def imported(module: str, environment: str | None = None) -> Contender:
    return command(f"import {module}", ["-c", f"import {module}"], environment)


CONTENDERS = (
    command("tf-recdenoiser --help", ["-m", "tf_recdenoiser", "--help"]),
    command("tf-recdenoiser train --help", ["-m", "tf_recdenoiser", "train", "--help"]),
    command("Python alone", ["-c", "pass"]),
    imported("tf_recdenoiser"),
    imported("tensorflow"),
    imported("rectools.models", "rectools"),
)


def run(bench: Bench) -> Iterator[Report]:
    """Milliseconds of `--help`, next to those of Python and of imports."""
    request = {"do": "seconds"}
    title = "From its start to its end"
    yield bench.measure("startup", title, "ms", CONTENDERS, request, request, scale=1e3)
