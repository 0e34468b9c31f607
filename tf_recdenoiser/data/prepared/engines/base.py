"""What an engine is."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable

Piece = Callable[[int], None]
"""Does the piece of a piece's number, and leaves what it made in files.

It can be pickled. It may be done twice, by two processes at a time, and then makes the same.
"""


class Engine(ABC):
    """Where the pieces of a preparation are done, none of which needs another.

    Parameters
    ----------
    options
        What the engine is told, in its own words; nothing by default.
    """

    def __init__(self, options: str = "") -> None:
        self.options = options

    @abstractmethod
    def run(self, piece: Piece, count: int, advance: Callable[[], None]) -> None:
        """Do the pieces 0 to `count` - 1, and call `advance` for each that is known to be done."""
