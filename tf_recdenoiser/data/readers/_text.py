"""Lines and fields of text files, with exact line numbers."""

from __future__ import annotations

import io
from collections.abc import Sequence

import polars as pl

from tf_recdenoiser.data.checks import as_bad_rows
from tf_recdenoiser.data.log import BadRow, DataError
from tf_recdenoiser.data.readers._columns import REQUIRED, ColumnNames, is_header
from tf_recdenoiser.data.readers._reader import RawRows
from tf_recdenoiser.data.readers._source import Source

_BLOCK_BYTES = 1 << 26
BROKEN = "line break (CR) within the line"
_HEADER = "a header, which names columns, in the place of a user and an item"


def first_line(head: bytes) -> str:
    """The first line of a file's first bytes, for recognising its format."""
    return head.split(b"\n", 1)[0].removeprefix(b"\xef\xbb\xbf").decode(errors="replace").strip()


def decode(block: bytes, source: Source, line: int) -> str:
    """The text of a block of whole lines, the first of which has the number `line`.

    Raises
    ------
    DataError
        If the block is binary or not UTF-8.
    """
    try:
        text = block.decode("utf-8-sig" if line == 1 else "utf-8")
    except UnicodeDecodeError as error:
        raise _not_text(source, line + block.count(b"\n", 0, error.start)) from error
    if (at := text.find("\0")) >= 0:
        raise _not_text(source, line + text.count("\n", 0, at))
    return text


def _not_text(source: Source, line: int) -> DataError:
    return DataError(
        "A text log must be UTF-8 text; decompress it or convert it to UTF-8 first. "
        f"Received: {source} with other bytes in line {line:,}"
    )


def read_lines(source: Source) -> pl.DataFrame:
    """The lines of a text, without the blank ones at its end.

    The CR of a CRLF and byte order marks are left out, the latter also where files were joined.

    Returns
    -------
    `line` (Int64, from 1) and `text` (String).

    Raises
    ------
    DataError
        If the source is not UTF-8 text, or has no line that is not blank.
    """
    parts: list[pl.Series] = []
    count = 0
    file = io.BytesIO(source.content)
    while block := file.read(_BLOCK_BYTES) + file.readline():
        text = decode(block, source, line=count + 1).removesuffix("\n")
        parts.append(pl.Series("text", [text]).str.split("\n").explode())
        count += len(parts[-1])
    texts = pl.concat(parts) if parts else pl.Series("text", dtype=pl.String)
    texts = texts.str.strip_prefix("\ufeff").str.strip_chars_end("\r")
    lines = pl.DataFrame({"text": texts})
    lines = lines.select("text", line=pl.int_range(1, pl.len() + 1, dtype=pl.Int64))
    last = lines.select(pl.col("line").filter(pl.col("text").str.strip_chars() != "").max()).item()
    if last is None:
        raise DataError(
            f"The log must hold at least one interaction. Received: {source}, which is empty"
        )
    return lines.head(last)


def broken_lines(lines: pl.DataFrame) -> tuple[pl.DataFrame, tuple[BadRow, ...]]:
    """Split off the lines with a CR inside: it may or may not be meant to end a line."""
    inside = pl.col("text").str.contains("\r", literal=True)
    fault = pl.lit(BROKEN)
    bad_rows = as_bad_rows(lines.filter(inside).with_columns(fault=fault))
    return (lines.filter(~inside), bad_rows) if bad_rows else (lines, ())


def split_lines(lines: pl.DataFrame, separator: str) -> tuple[pl.DataFrame, tuple[BadRow, ...]]:
    """Cut `text` at every separator: `line` and `fields` (List[String]), and the broken lines."""
    whole, bad_rows = broken_lines(lines)
    return whole.select("line", fields=pl.col("text").str.split(separator)), bad_rows


def rows_under_header(
    header: Sequence[str],
    records: pl.DataFrame,
    names: ColumnNames,
    bad_rows: tuple[BadRow, ...] = (),
    written: Sequence[str] | None = None,
) -> RawRows:
    """Name the fields of records; space around a field is not part of it.

    A record that repeats the header, as where files were joined, is a bad row.

    Parameters
    ----------
    header
        The columns' names.
    records
        `line` and `fields` (List[String]).
    names
        Which columns to take.
    bad_rows
        Lines that gave no record.
    written
        The header's fields as the source has them; None if they are the names.

    Raises
    ------
    DataError
        If a column that is needed is missing, or is there twice.
    """
    columns = names.resolve(header)
    fields = pl.col("fields")
    width = fields.list.len().cast(pl.Int64)
    blank = (width <= 1) & (fields.list.join("").str.strip_chars() == "")
    counted = records.with_columns(count=pl.when(blank).then(0).otherwise(width))
    rows = counted.filter(pl.col("count") == len(header)).select(
        "line",
        **{role: fields.list.get(index).str.strip_chars() for role, index in columns.items()},
    )
    again = written if written is not None else header
    repeated = pl.all_horizontal(pl.col(role) == again[columns[role]] for role in REQUIRED)
    rows, headers = without_headers(rows, repeated | is_header())
    return RawRows(rows, bad_rows + headers + miscounted(counted, expected=len(header)))


def without_headers(rows: pl.DataFrame, header: pl.Expr) -> tuple[pl.DataFrame, tuple[BadRow, ...]]:
    """Split off the rows that are a header, and so bad rows."""
    marked = rows.with_columns(header=header)
    headers = marked.filter("header").with_columns(fault=pl.lit(_HEADER))
    return marked.filter(~pl.col("header")).drop("header"), as_bad_rows(headers)


def miscounted(lines: pl.DataFrame, expected: int) -> tuple[BadRow, ...]:
    """The lines whose `count` of fields is not the one expected; 0 is a blank line."""
    count = pl.col("count")
    fault = (
        pl.when(count == 0)
        .then(pl.lit("blank line"))
        .when(count < expected)
        .then(pl.lit(f"too few fields ({expected} expected)"))
        .when(count > expected)
        .then(pl.lit(f"too many fields ({expected} expected)"))
    )
    return as_bad_rows(lines.select("line", fault=fault).drop_nulls("fault"))
