"""Environments of peers, made from PyPI in a folder that git ignores."""

from __future__ import annotations

import dataclasses
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

FOLDER = Path(__file__).resolve().parent / ".environments"


class NotToBeHad(RuntimeError):
    """An environment cannot be made here."""


@dataclasses.dataclass(frozen=True)
class Environment:
    """A virtual environment by what is installed in it.

    Attributes
    ----------
    requirements
        As pip takes them.
    alone
        Further ones, which are installed without what they ask for: where that is no longer to be
        had and not needed here.
    """

    requirements: tuple[str, ...]
    alone: tuple[str, ...] = ()

    def __str__(self) -> str:
        return "\n".join([*self.requirements, *(f"--no-deps {one}" for one in self.alone)])


ENVIRONMENTS = {
    "rectools": Environment(
        (
            "rectools[torch]==0.19.0",
            "torch==2.13.0",
            "pytorch-lightning==2.5.2",
            "numpy==1.26.4",
            "pandas==2.3.3",
        )
    ),
    # RecBole asks for an old Ray, for searches alone.
    "recbole": Environment(
        (
            "torch==2.13.0",
            "numpy==1.26.4",
            "pandas==2.3.3",
            "scipy==1.13.1",
            "scikit-learn==1.5.2",
            "colorlog==4.7.2",
            "colorama==0.4.4",
            "pyyaml",
            "tabulate",
            "tensorboard",
            "texttable",
            "thop",
            "tqdm",
            "plotly",
            "setuptools<81",
        ),
        alone=("recbole==1.2.1",),
    ),
}


def python_of(
    name: str,
    environment: Environment,
    folder: Path = FOLDER,
    python: str = sys.executable,
) -> Path:
    """The Python of an environment, which is made if it is not there as it is asked for.

    Raises
    ------
    NotToBeHad
        With the last line that pip, or the system, said.
    """
    path = folder / name
    found, made = path / "bin" / "python", path / "made.txt"
    if made.is_file() and made.read_text() == str(environment) and found.exists():
        return found
    pip = [str(found), "-m", "pip", "install", "--quiet", "--disable-pip-version-check"]
    _run([python, "-m", "venv", "--clear", str(path)])
    _run([*pip, *environment.requirements])
    for one in environment.alone:
        _run([*pip, "--no-deps", one])
    made.write_text(str(environment))
    return found


def _run(command: Sequence[str]) -> None:
    try:
        done = subprocess.run(command, capture_output=True, text=True)
    except OSError as error:
        raise NotToBeHad(str(error)) from error
    if done.returncode:
        said = (done.stderr or done.stdout).strip().splitlines()
        raise NotToBeHad(said[-1] if said else f"status {done.returncode}")
