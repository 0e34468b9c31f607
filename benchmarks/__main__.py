"""The command: `python -m benchmarks`."""

from __future__ import annotations

import json
import os
import platform
import subprocess
import sys
import tempfile
import time
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.console import Console

from benchmarks import logs
from benchmarks.bench import Bench
from benchmarks.environments import ENVIRONMENTS
from benchmarks.plots import plot
from benchmarks.reports import Report
from benchmarks.sizes import Sizes
from benchmarks.suites import SUITES
from benchmarks.turns import ROOT

PACKAGES = ("tensorflow", "tf_keras", "keras", "numpy", "polars")

app = typer.Typer(add_completion=False)


@app.command()
def main(
    suites: Annotated[
        list[str] | None,
        typer.Argument(help=f"What to measure, of {', '.join(SUITES)}. [default: all]"),
    ] = None,
    data: Annotated[
        str,
        typer.Option(help="A log with rows `user item`, each user's oldest first; or `synthetic`."),
    ] = str(logs.SHARED) if logs.SHARED.exists() else logs.SYNTHETIC,
    rounds: Annotated[int, typer.Option(min=1, help="Turns of each contender.")] = 7,
    steps: Annotated[int, typer.Option(min=1, help="Training steps in a turn.")] = 20,
    cores: Annotated[int, typer.Option(min=1, help="Cores that a contender computes on.")] = 1,
    peers: Annotated[bool, typer.Option(help="Measure others too.")] = True,
    length: Annotated[int, typer.Option(min=1, help="n, positions of a sequence.")] = Sizes.length,
    batch: Annotated[int, typer.Option(min=1, help="Sequences in a batch.")] = Sizes.batch,
    users: Annotated[int, typer.Option(min=1, help="Of a synthetic log.")] = logs.USERS,
    items: Annotated[int, typer.Option(min=1, help="Of a synthetic log.")] = logs.ITEMS,
    only: Annotated[
        list[str] | None,
        typer.Option(help="Measure those alone whose name has this text; may be given again."),
    ] = None,
    out: Annotated[Path, typer.Option(help="For the numbers; tables lie beside it.")] = Path(
        "runs/benchmarks/results.json"
    ),
) -> None:
    """Measure this library turn by turn with its peers, on the same cores.

    Every contender is a process that has built its model and waits. In each round each of them
    has its turn, alone, so that a machine whose speed drifts slows all of them. Tables show the
    median over rounds, with the least and the greatest, and the ratio to the first row within a
    round. Peers come from PyPI, into environments under benchmarks/.environments; who cannot be
    had, or fails, is left out with a line that says why.

        python -m benchmarks step --cores 2       # training steps alone

        python -m benchmarks --no-peers           # this library alone

        python -m benchmarks step --data synthetic --users 500 --items 200 --rounds 3
    """
    unknown = [name for name in suites or () if name not in SUITES]
    if unknown:
        raise typer.BadParameter(f"must be of {', '.join(SUITES)}. Received: {unknown[0]}")
    console = Console()
    with tempfile.TemporaryDirectory(prefix="benchmarks-") as folder:
        if data == logs.SYNTHETIC:
            log = logs.write_log(Path(folder, "synthetic.txt"), users, items, logs.LENGTH)
        else:
            log = Path(data).absolute()
        bench = Bench(
            log=log,
            log_name=logs.describe(log),
            sizes=Sizes(length=length, batch=batch),
            rounds=rounds,
            steps=steps,
            cores=cores,
            peers=peers,
            only=only or (),
            console=console,
        )
        out.parent.mkdir(parents=True, exist_ok=True)
        head = header(bench)
        reports: list[Report] = []
        for name in suites or SUITES:
            for report in SUITES[name](bench):
                report.show(console)
                reports.append(report)
                save(out, head, reports)
    plot(reports, out.with_suffix(".svg"))
    console.print(f"Numbers: {out}; tables: {out.with_suffix('.md')}")


def header(bench: Bench) -> dict[str, Any]:
    """What the numbers come from."""
    peers = {name: str(one).splitlines() for name, one in ENVIRONMENTS.items()}
    return {
        "commit": commit(),
        "date": time.strftime("%Y-%m-%d %H:%M:%S"),
        "cpu": processor(),
        "cores": bench.cores,
        "system": platform.platform(),
        "python": sys.version.split()[0],
        "versions": {name: installed(name) for name in PACKAGES},
        "peers": peers if bench.peers else {},
        "log": bench.log_name,
        "sizes": str(bench.sizes),
        "rounds": bench.rounds,
        "steps": bench.steps,
    }


def commit() -> str:
    """Of the working tree, with a mark where it has changes."""
    found = subprocess.run(
        ["git", "-C", str(ROOT), "describe", "--always", "--dirty", "--exclude", "*"],
        capture_output=True,
        text=True,
    )
    return found.stdout.strip() or "unknown"


def processor() -> str:
    """The name of the processor."""
    path = Path("/proc/cpuinfo")
    lines = path.read_text().splitlines() if path.exists() else []
    names = [line.partition(":")[2].strip() for line in lines if line.startswith("model name")]
    return f"{names[0] if names else platform.processor()}, {os.cpu_count()} cores"


def installed(name: str) -> str | None:
    try:
        return version(name)
    except PackageNotFoundError:
        return None


def save(out: Path, head: dict[str, Any], reports: list[Report]) -> None:
    """Write what is known so far."""
    document = {**head, "reports": [report.document() for report in reports]}
    out.write_text(json.dumps(document, indent=1, ensure_ascii=False) + "\n", encoding="utf-8")
    named = ", ".join(f"{name} {number}" for name, number in head["versions"].items())
    lines = [
        f"Commit {head['commit']}, {head['cpu']}, Python {head['python']}, {named}.",
        "",
        *(report.markdown() for report in reports),
    ]
    out.with_suffix(".md").write_text("\n".join(lines), encoding="utf-8")


if __name__ == "__main__":
    app()
