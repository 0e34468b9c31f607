"""Commands that are killed at a chosen touch of the file system, each in a process of its own.

The processes are forked from one that has imported everything, so that each costs what it does and
no start of TensorFlow.
"""

from __future__ import annotations

import contextlib
import multiprocessing
import os
import signal
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

TOUCHES = ("os.rename", "os.remove", "os.mkdir", "os.rmdir", "open")
"""Audited events that change what lies on a disk, or may."""

_CONTEXT = multiprocessing.get_context("forkserver")
_CONTEXT.set_forkserver_preload(["tf_recdenoiser.cli.app", "tests.cli.killed"])


def touches(arguments: Sequence[object], folder: Path) -> int:
    """Runs a command to its end; how often it touches what is in a folder."""
    counts = _CONTEXT.Queue()
    assert _exit_status(arguments, folder, None, counts) == 0
    count: int = counts.get()
    return count


def killed(arguments: Sequence[object], folder: Path, touch: int) -> bool:
    """Runs a command that SIGKILL ends before its touch of this number, from 1; whether it did."""
    status = _exit_status(arguments, folder, touch, _CONTEXT.Queue())
    assert status in (0, -signal.SIGKILL), status
    return status != 0


def _exit_status(
    arguments: Sequence[object], folder: Path, touch: int | None, counts: Any
) -> int | None:
    texts = [str(argument) for argument in arguments]
    process = _CONTEXT.Process(target=_run, args=(texts, str(folder), touch, counts))
    process.start()
    process.join()
    return process.exitcode


def _run(arguments: list[str], folder: str, touch: int | None, counts: Any) -> None:
    """What the process does."""
    import tensorflow as tf

    from tf_recdenoiser.cli.app import run

    count = 0

    def watch(event: str, details: tuple[Any, ...]) -> None:
        nonlocal count
        if event not in TOUCHES or not str(details[0]).startswith(folder):
            return
        if event == "open" and not (details[2] or 0) & (os.O_WRONLY | os.O_RDWR):
            return
        count += 1
        if count == touch:
            os.kill(os.getpid(), signal.SIGKILL)

    tf.config.run_functions_eagerly(True)
    with (
        Path(os.devnull).open("w") as nowhere,
        contextlib.redirect_stdout(nowhere),
        contextlib.redirect_stderr(nowhere),
    ):
        sys.addaudithook(watch)
        status = run(arguments)
    if touch is None:
        counts.put(count)
    sys.exit(status)
