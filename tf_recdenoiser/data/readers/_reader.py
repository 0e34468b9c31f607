"""What every reader takes and gives."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import polars as pl

from tf_recdenoiser.data.log import BadRow, LineSpan
from tf_recdenoiser.data.readers._columns import ColumnNames
from tf_recdenoiser.data.readers._source import Source


@dataclass(frozen=True)
class Options:
    """How a source is to be read.

    Attributes
    ----------
    names
        The columns that were asked for.
    quote_char
        What encloses a field: a character, None for nothing, "auto" for what is usual in the
        format. Formats without quotes pass it over.
    """

    names: ColumnNames
    quote_char: str | None


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
    multiline_rows
        Rows, good or bad, that take more than one line.
    """

    table: pl.DataFrame
    bad_rows: tuple[BadRow, ...] = ()
    multiline_rows: tuple[LineSpan, ...] = ()


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
        Gives the rows of a source.
    """

    suffixes: tuple[str, ...]
    recognises: Callable[[bytes, ColumnNames], bool]
    read: Callable[[Source, Options], RawRows]
