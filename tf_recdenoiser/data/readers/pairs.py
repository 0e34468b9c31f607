"""`user item` pairs separated by white space, oldest first within a user, no header.

The format of the files that SASRec and its successors publish, such as `ml-1m.txt`.
"""

from __future__ import annotations

import polars as pl

from tf_recdenoiser.data.log import DataError
from tf_recdenoiser.data.readers._columns import ColumnNames, is_header
from tf_recdenoiser.data.readers._reader import Options, RawRows, Reader
from tf_recdenoiser.data.readers._source import Source
from tf_recdenoiser.data.readers._text import (
    broken_lines,
    first_line,
    miscounted,
    read_lines,
    without_headers,
)

_PAIR = r"^\s*(?P<user>\S+)\s+(?P<item>\S+)\s*$"
_INTEGER = r"^-?[0-9]+$"


def _recognises(head: bytes, names: ColumnNames) -> bool:
    return not names.given() and len(first_line(head).split()) == 2


def _read(source: Source, options: Options) -> RawRows:
    if options.names.given():
        raise DataError(
            "The format 'pairs' has no named columns; leave the names out or choose another "
            f"format. Received: {options.names.given()}"
        )
    lines, broken = broken_lines(read_lines(source))
    pair = pl.col("text").str.extract_groups(_PAIR)
    rows = lines.select("line", pair.struct.unnest())
    unpaired = lines.filter(rows["user"].is_null())
    counted = unpaired.with_columns(count=pl.col("text").str.count_matches(r"\S+"))
    rows, headers = without_headers(rows.drop_nulls("user"), is_header() | _is_first_alone())
    return RawRows(rows, broken + headers + miscounted(counted, expected=2))


def _is_first_alone() -> pl.Expr:
    """Whether a row is the file's first, and it alone has words where all others have numbers."""
    number = pl.col("user", "item").str.contains(_INTEGER)
    words, numbers = pl.all_horizontal(~number), pl.all_horizontal(number)
    others = (pl.len() > 1) & (numbers.sum() == pl.len() - 1)
    return (pl.col("line") == 1) & words & others


READER = Reader(suffixes=(), recognises=_recognises, read=_read)
