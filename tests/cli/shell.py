"""The command line as a shell sees it: arguments in, exit status and two streams out."""

from __future__ import annotations

import contextlib
import io
from typing import NamedTuple

from tf_recdenoiser.cli.app import run

SYNTHETIC = (
    "synthetic",
    *("--set", "log.users=60", "--set", "log.items=40", "--set", "log.clusters=5"),
)
SIZES = ("--max-length", "12", "--hidden-dim", "8", "--batch-size", "32", "--patience", "0")
SMALL = (*SIZES, "--detector", "none")
GATED = (*SMALL, "--gates", "relative")
PLAIN = (*SMALL, "--gamma", "0", "--num-layers", "1", "--epochs", "1")


class Outcome(NamedTuple):
    """What a command left behind.

    Attributes
    ----------
    status
        Its exit status.
    out
        What it wrote to standard output.
    err
        What it wrote to standard error.
    """

    status: int
    out: str
    err: str


def tf_recdenoiser(*arguments: object) -> Outcome:
    """Run one command in this process, without a terminal."""
    out, err = io.StringIO(), io.StringIO()
    with contextlib.redirect_stdout(out), contextlib.redirect_stderr(err):
        status = run([str(argument) for argument in arguments])
    return Outcome(status, out.getvalue(), err.getvalue())


def words(text: str) -> list[str]:
    """The words of a text with tables and boxes, however it was broken into lines."""
    return text.translate(dict.fromkeys(map(ord, "│┃─━╭╮╰╯┏┓┗┛├┤┡┩└┘┌┐┬┴┼╇┳"), " ")).split()


def rows(table: str) -> list[list[str]]:
    """The cells of a table's body, row by row."""
    lines = [line for line in table.splitlines() if line.startswith("│")]
    return [[cell.strip() for cell in line.strip("│").split("│")] for line in lines]
