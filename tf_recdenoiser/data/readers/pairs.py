"""`user item` pairs separated by white space, oldest first within a user, no header.

The format of the files that SASRec and its successors publish, such as `ml-1m.txt`.
"""

from __future__ import annotations

from pathlib import Path

import polars as pl

from tf_recdenoiser.data.log import DataError
from tf_recdenoiser.data.readers._columns import ColumnNames
from tf_recdenoiser.data.readers._reader import RawRows, Reader
from tf_recdenoiser.data.readers._text import first_line, miscounted, read_lines

_PAIR = r"^\s*(?P<user>\S+)\s+(?P<item>\S+)\s*$"


def _recognises(head: bytes, names: ColumnNames) -> bool:
    return not names.given() and len(first_line(head).split()) == 2


def _read(path: Path, names: ColumnNames) -> RawRows:
    if names.given():
        raise DataError(
            "The format 'pairs' has no named columns; leave the names out or choose another "
            f"format. Received: {names.given()}"
        )
    lines = read_lines(path)
    pair = pl.col("text").str.extract_groups(_PAIR)
    rows = lines.select("line", pair.struct.unnest())
    unpaired = lines.filter(rows["user"].is_null())
    counted = unpaired.with_columns(count=pl.col("text").str.count_matches(r"\S+"))
    return RawRows(rows.filter(pl.col("user").is_not_null()), miscounted(counted, expected=2))


READER = Reader(suffixes=(), recognises=_recognises, read=_read)
