"""What is said where a run directory cannot be used."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TypeVar

_T = TypeVar("_T")


class RunError(RuntimeError):
    """A run directory cannot be used as asked; the text is fit for a command line."""


def damaged(path: Path, received: object) -> RunError:
    """The error of a file that is not what a run wrote."""
    return RunError(
        f"{path} is damaged: put back the file that the run wrote, or train anew in another "
        f"directory. Received: {received}"
    )


def parsed(path: Path, parse: Callable[[], _T]) -> _T:
    """What `parse` makes of the content of `path`; RunError if that is not what a run wrote."""
    try:
        return parse()
    # Of a hostile file: RecursionError where it is nested deep, MemoryError where it asks for much.
    except (ValueError, TypeError, KeyError, OSError, RecursionError, MemoryError) as error:
        raise damaged(path, f"{type(error).__name__}: {error}") from error
