"""What every reader takes and gives."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from tf_recdenoiser.data.readers._columns import ColumnNames
from tf_recdenoiser.data.readers._source import Source
from tf_recdenoiser.data.rows import RawRows


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
    columns
        The names of all columns, in order, of a source without a header; None (default) if it is
        to name them itself.
    """

    names: ColumnNames
    quote_char: str | None
    columns: tuple[str, ...] | None = None


@dataclass(frozen=True)
class Reader:
    """A format: how it is recognised and how it is read.

    Attributes
    ----------
    suffixes
        File name endings that mean this format, in lower case.
    recognises
        Whether the first bytes of a file are in this format, read with these options.
    read
        Gives the rows of a source.
    takes_columns
        Whether `Options.columns` can name what a source of this format leaves unnamed; False by
        default.
    """

    suffixes: tuple[str, ...]
    recognises: Callable[[bytes, Options], bool]
    read: Callable[[Source, Options], RawRows]
    takes_columns: bool = False
