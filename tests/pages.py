"""The README, the pages of the guide, and what they show: code, commands and their output."""

from __future__ import annotations

import contextlib
import io
import os
import re
import shlex
import subprocess
import sys
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from tf_recdenoiser.cli.app import run
from tf_recdenoiser.cli.console import output

ROOT = Path(__file__).resolve().parents[1]
README = ROOT / "README.md"
SERVING = ROOT / "examples/serving/README.md"
GUIDE = sorted((ROOT / "docs").glob("*.md"))
PAGES = [README, *GUIDE, SERVING]

# What is asked of a server, or starts one, is another test's.
_SERVED = ("python examples/serving/", "curl ", "docker ", "tensorflow_model_server ")
_SHELL = re.compile(r"[|;]|^(?!tf-recdenoiser )")


@dataclass(frozen=True)
class Shown:
    """Code of a page, or a command with the output that is shown; empty if none is."""

    kind: Literal["python", "console"]
    text: str
    output: str = ""

    @property
    def served(self) -> bool:
        """Whether a server is needed."""
        return self.text.startswith(_SERVED)

    @property
    def command(self) -> str:
        """The command of the project that is run, such as `train`, or else an empty text."""
        return self.text.split()[1] if self.text.startswith("tf-recdenoiser ") else ""


def shown_in(page: Path) -> list[Shown]:
    """All that a page shows, in its order."""
    found: list[Shown] = []
    blocks = re.findall(r"^```(python|console)\n(.*?)^```", page.read_text("utf-8"), re.S | re.M)
    for kind, block in blocks:
        if kind == "python":
            found.append(Shown("python", block))
            continue
        parts = re.split(r"^\$ ", block, flags=re.M)[1:]
        found += [Shown("console", *part.partition("\n")[::2]) for part in parts]
    return found


_TITLE = re.compile(r"(?<=│ )[^│]*\(\d{4}\)(?= │)|\"?[^│\",]*\(\d{4}\)\"?$")


def form(output: str) -> list[str]:
    """The lines of an output that are not blank, whatever its numbers are."""
    lines = [" ".join(re.sub(r"[━─]+", "─", line).split()) for line in output.splitlines()]
    # Titles end in a year. What is recommended depends on the log that a test is followed with.
    lines = [_TITLE.sub("TITLE", line) for line in lines]
    # Ids are numbered too, and one group's stand for another's.
    lines = [re.sub(r"\bu\d{5}\b|\bc\d+-i\d+", "ID", line) for line in lines if line]
    return [re.sub(r"(?<![a-z])[-+]?\d[\d.,]*", "#", line) for line in lines]


def has_form_of(printed: str, shown: str) -> bool:
    """Whether an output looks like a shown one, in which "…" stands for lines that are left out."""
    lines = [r"(.+\n)*?" if line == "…" else f"{re.escape(line)}\n" for line in form(shown)]
    return re.fullmatch("".join(lines), "".join(f"{line}\n" for line in form(printed))) is not None


def printed_by(shown: Shown, more: str = "") -> str:
    """Both streams of a command, with `more` arguments; its output is also in the file after `>`.

    It must end well, unless the page shows an error.
    """
    if _SHELL.search(shown.text):
        printed, status = _printed_by_shell(shown.text)
    else:
        command, _, file = shown.text.partition(" > ")
        printed, status = _printed_here(shlex.split(f"{command} {more}")[1:])
        if file:
            Path(file).write_text(printed, encoding="utf-8")
    assert status == int(shown.output.startswith("Error: ")), (shown.text, printed)
    return printed


def _printed_here(arguments: list[str]) -> tuple[str, int]:
    both = io.StringIO()
    width, output.width = output.width, 100
    try:
        with contextlib.redirect_stdout(both), contextlib.redirect_stderr(both):
            status = run(arguments)
    finally:
        output.width = width
    return both.getvalue(), status


def _printed_by_shell(command: str) -> tuple[str, int]:
    path = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
    environment = {**os.environ, "PATH": path, "PYTHONPATH": str(ROOT)}
    command = command.replace("tf-recdenoiser ", "python -m tf_recdenoiser ")
    outcome = subprocess.run(command, shell=True, capture_output=True, text=True, env=environment)
    return outcome.stdout + outcome.stderr, outcome.returncode


def assert_prints(steps: Iterable[Shown], more: str = "") -> None:
    """Do what a page shows, here and in its order; what is printed must have the shown form.

    Training and the demo get `more` arguments.
    """
    for shown in steps:
        if shown.kind == "python":
            exec(compile(shown.text, "page", "exec"), {})
        elif not shown.served:
            printed = printed_by(shown, more if shown.command in ("train", "demo") else "")
            if shown.output:
                here = printed.replace(str(Path.cwd()), "/home/you")
                assert has_form_of(here, shown.output), (shown.text, here)
