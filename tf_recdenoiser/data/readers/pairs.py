"""`user item` pairs separated by white space, oldest first within a user, no header.

The format of the files that SASRec and its successors publish, such as `ml-1m.txt`.
"""

from __future__ import annotations

import polars as pl

from tf_recdenoiser.data.log import DataError
from tf_recdenoiser.data.readers._columns import is_header
from tf_recdenoiser.data.readers._reader import Options, Reader
from tf_recdenoiser.data.readers._source import Source
from tf_recdenoiser.data.readers._text import (
    broken_lines,
    first_line,
    is_first_alone,
    miscounted,
    read_lines,
    without_headers,
)
from tf_recdenoiser.data.rows import RawRows

_PAIR = r"^\s*(?P<user>\S+)\s+(?P<item>\S+)\s*$"


def _recognises(head: bytes, options: Options) -> bool:
    return not options.names.given() and len(first_line(head).split()) == 2


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
    rows, headers = without_headers(rows.drop_nulls("user"), is_header() | is_first_alone())
    return RawRows(rows, broken + headers + miscounted(counted, expected=2))


READER = Reader(suffixes=(), recognises=_recognises, read=_read)
