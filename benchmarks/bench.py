"""What a suite is given: the choices of a run of the benchmark, and workers that keep to them."""

from __future__ import annotations

import dataclasses
import sys
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from rich.console import Console

from benchmarks.environments import ENVIRONMENTS, FOLDER, python_of
from benchmarks.reports import Report
from benchmarks.sizes import Sizes
from benchmarks.turns import Contender, Worker, take_turns, workers


@dataclasses.dataclass(frozen=True)
class Bench:
    """The choices of a run.

    Attributes
    ----------
    log
        The file that all contenders read.
    log_name
        As tables show it.
    sizes
        Of the models.
    rounds, steps
        How often each contender has its turn, and the steps of a turn.
    cores
        That a contender computes on.
    peers
        Whether others than ours are measured.
    only
        Texts, one of which must be in the name of a contender; none for all contenders.
    console
        Where it is said what is done.
    environments
        The folder of peers' environments.
    """

    log: Path
    log_name: str
    sizes: Sizes
    rounds: int
    steps: int
    cores: int
    peers: bool
    only: Sequence[str]
    console: Console
    environments: Path = FOLDER

    def replace(self, **changes: Any) -> Bench:
        """The same run, with other choices."""
        return dataclasses.replace(self, **changes)

    @property
    def title(self) -> str:
        """What is the same in all tables."""
        return f"{self.log_name}; {self.sizes}; {self.cores} core(s), {self.rounds} rounds"

    def chosen(self, contenders: Sequence[Contender]) -> list[Contender]:
        """Those that are to be measured."""
        texts = [text.lower() for text in self.only] or [""]
        return [
            one
            for one in contenders
            if (self.peers or one.environment is None)
            and any(text in one.name.lower() for text in texts)
        ]

    def start(self, contender: Contender) -> Worker:
        """The worker of a contender, whose environment is made if need be."""
        python = Path(sys.executable)
        if contender.environment is not None:
            known = ENVIRONMENTS[contender.environment]
            python = python_of(contender.environment, known, self.environments)
        sizes = dataclasses.asdict(self.sizes)
        return Worker(contender, str(python), str(self.log), sizes, self.cores)

    @contextmanager
    def workers(self, contenders: Sequence[Contender], notes: list[str]) -> Iterator[list[Worker]]:
        """The workers of those that are to be measured; `notes` grows by those without."""
        chosen = self.chosen(contenders)
        with workers(chosen, self.start, note_into(notes, self.console)) as started:
            yield started

    def measure(
        self,
        suite: str,
        title: str,
        unit: str,
        contenders: Sequence[Contender],
        request: Mapping[str, Any],
        warm_up: Mapping[str, Any] | None = None,
        scale: float = 1.0,
        rounds: int | None = None,
    ) -> Report:
        """A table of what contenders answer to a request, turn by turn.

        Parameters
        ----------
        suite, title, unit
            As `Report` takes them.
        contenders
            The first is what the others are compared with.
        request, warm_up
            As `take_turns` takes them.
        scale
            From what is answered to the unit; 1 by default.
        rounds
            None (default) for the run's.
        """
        notes: list[str] = []
        self.console.print(f"[dim]{suite}: {title}[/dim]")
        rounds = self.rounds if rounds is None else rounds
        with self.workers(contenders, notes) as started:
            answers = take_turns(started, rounds, request, note_into(notes, self.console), warm_up)
        rows = {name: [scale * one for one in found] for name, found in answers.items()}
        return Report(suite, f"{title}; {self.title}", unit, rows, notes=notes)


def note_into(notes: list[str], console: Console) -> Any:
    """What to call when a contender is left out."""

    def note(name: str, why: str) -> None:
        notes.append(f"Left out: {name}. {why}")
        console.print(notes[-1], markup=False)

    return note
