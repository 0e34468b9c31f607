"""What every reader takes and gives."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

import polars as pl

from tf_recdenoiser.data.log import BadRow, DataError
from tf_recdenoiser.data.readers._columns import ColumnNames


@dataclass(frozen=True)
class RawRows:
    """A source's rows before their values are checked.

    Attributes
    ----------
    table
        `line` (integer, from 1), `user`, `item` and, if the source has them, `time` and
        `rating`, of whatever type the format gives.
    bad_rows
        Rows that could not be split into fields.
    """

    table: pl.DataFrame
    bad_rows: tuple[BadRow, ...] = ()


@dataclass(frozen=True)
class Reader:
    """A format: how it is recognised and how it is read.

    Attributes
    ----------
    suffixes
        File name endings that mean this format, in lower case.
    recognises
        Whether the first bytes of a file are in this format.
    read
        Gives the rows of a file.
    """

    suffixes: tuple[str, ...]
    recognises: Callable[[bytes, ColumnNames], bool]
    read: Callable[[Path, ColumnNames], RawRows]


def open_log(path: Path) -> BinaryIO:
    """Open a file for reading; `DataError` if it is missing, a directory or not allowed."""
    try:
        return path.open("rb")
    except OSError as error:
        raise DataError(
            "The log must be a file that can be read; check its path and permissions. "
            f"Received: {str(path)!r} ({error.strerror})"
        ) from error
