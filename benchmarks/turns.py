"""Contenders in processes of their own, which measure one at a time, round after round."""

from __future__ import annotations

import dataclasses
import json
import os
import subprocess
import tempfile
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[1]

THREADS = (
    "OMP_NUM_THREADS",
    "MKL_NUM_THREADS",
    "OPENBLAS_NUM_THREADS",
    "POLARS_MAX_THREADS",
    "TF_NUM_INTEROP_THREADS",
    "TF_NUM_INTRAOP_THREADS",
)


class Failed(RuntimeError):
    """A contender could not do what it was asked for."""


@dataclasses.dataclass(frozen=True)
class Contender:
    """Something that is measured.

    Attributes
    ----------
    name
        As tables show it.
    module
        Has `make(options, log, sizes)`, whose result has a method for each thing it measures.
    environment
        One of `ENVIRONMENTS`; None (default) for the project's own.
    options
        What `make` is given.
    variables
        Of its process.
    """

    name: str
    module: str
    environment: str | None = None
    options: Mapping[str, Any] = dataclasses.field(default_factory=dict)
    variables: Mapping[str, str] = dataclasses.field(default_factory=dict)


class Worker:
    """The process of a contender; see `benchmarks.worker`.

    Raises
    ------
    Failed
        If it cannot build its model.
    """

    def __init__(
        self, contender: Contender, python: str, log: str, sizes: Mapping[str, Any], cores: int
    ) -> None:
        self.name = contender.name
        # Not a pipe, which a process that says much would fill.
        self._said = tempfile.TemporaryFile("w+", encoding="utf-8", errors="replace")  # noqa: SIM115
        job = {
            "module": contender.module,
            "options": dict(contender.options),
            "log": log,
            "sizes": dict(sizes),
            "cores": cores,
        }
        self._process = subprocess.Popen(
            [python, "-m", "benchmarks.worker", json.dumps(job)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=self._said,
            text=True,
            env=variables(cores) | dict(contender.variables),
        )
        try:
            self._answer()
        except Failed:
            self.close()
            raise

    def ask(self, do: str, **arguments: Any) -> Any:
        """What a method of the contender returns.

        Raises
        ------
        Failed
            If it raises, or the process ends.
        """
        assert self._process.stdin is not None
        try:
            self._process.stdin.write(json.dumps({"do": do, **arguments}) + "\n")
            self._process.stdin.flush()
        except OSError:
            raise self._ended() from None
        return self._answer()

    def close(self) -> None:
        """Let the process end."""
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        try:
            self._process.stdin.close()
            self._process.wait(timeout=10)
        except (OSError, subprocess.TimeoutExpired):
            self._process.kill()
            self._process.wait()
        self._process.stdout.close()
        self._said.close()

    def _answer(self) -> Any:
        assert self._process.stdout is not None
        line = self._process.stdout.readline()
        if not line:
            raise self._ended()
        answer = json.loads(line)
        if "error" in answer:
            raise Failed(answer["error"])
        return answer["value"]

    def _ended(self) -> Failed:
        status = self._process.wait()
        self._said.seek(0)
        lines = self._said.read().strip().splitlines() or [""]
        return Failed(f"its process ended with status {status}: {lines[-1]}".rstrip(": "))


def variables(cores: int) -> dict[str, str]:
    """The environment variables of a process that computes on so many cores."""
    paths = [str(ROOT), *filter(None, [os.environ.get("PYTHONPATH")])]
    return {
        **os.environ,
        **dict.fromkeys(THREADS, str(cores)),
        "PYTHONPATH": os.pathsep.join(paths),
        "TF_CPP_MIN_LOG_LEVEL": "3",
        "CUDA_VISIBLE_DEVICES": "-1",
    }


@contextmanager
def workers(
    contenders: Sequence[Contender],
    start: Callable[[Contender], Worker],
    left_out: Callable[[str, str], None],
) -> Iterator[list[Worker]]:
    """The workers of contenders, but for those that cannot be had.

    Parameters
    ----------
    contenders
        In the order of their turns.
    start
        Makes a worker, or raises.
    left_out
        Called with a contender's name, and why it has no worker.
    """
    with ExitStack() as stack:
        started = []
        for contender in contenders:
            try:
                worker = start(contender)
            except RuntimeError as error:
                left_out(contender.name, str(error))
                continue
            stack.callback(worker.close)
            started.append(worker)
        yield started


def take_turns(
    started: Sequence[Worker],
    rounds: int,
    request: Mapping[str, Any],
    left_out: Callable[[str, str], None],
    warm_up: Mapping[str, Any] | None = None,
) -> dict[str, list[Any]]:
    """What each worker answers to a request, round after round, one worker at a time.

    Parameters
    ----------
    started
        The workers; their order is that of their turns.
    rounds
        How many answers of each are wanted.
    request
        As `Worker.ask` takes it.
    left_out
        Called with a worker's name, and why it answers no more; what it answered is dropped.
    warm_up
        A request that comes first, whose answer does not count; None (default) for none.
    """
    answers: dict[str, list[Any]] = {worker.name: [] for worker in started}
    requests = [request] * rounds if warm_up is None else [warm_up, *[request] * rounds]
    for number, asked in enumerate(requests):
        for worker in started:
            if worker.name not in answers:
                continue
            try:
                answer = worker.ask(**asked)
            except Failed as failed:
                left_out(worker.name, str(failed))
                del answers[worker.name]
                continue
            if warm_up is None or number > 0:
                answers[worker.name].append(answer)
    return answers
