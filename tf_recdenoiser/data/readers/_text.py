"""Lines and fields of text files, with exact line numbers."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import polars as pl

from tf_recdenoiser.data.checks import as_bad_rows
from tf_recdenoiser.data.log import BadRow, DataError
from tf_recdenoiser.data.readers._columns import ColumnNames
from tf_recdenoiser.data.readers._reader import RawRows, open_log

_BLOCK_BYTES = 1 << 26


def first_line(head: bytes) -> str:
    """The first line of a file's first bytes, for recognising its format."""
    return head.split(b"\n", 1)[0].removeprefix(b"\xef\xbb\xbf").decode(errors="replace").strip()


def decode(block: bytes, path: Path, line: int) -> str:
    """The text of a block of whole lines, the first of which has the number `line`.

    Raises
    ------
    DataError
        If the block is binary or not UTF-8.
    """
    try:
        text = block.decode("utf-8-sig" if line == 1 else "utf-8")
    except UnicodeDecodeError as error:
        raise _not_text(path, line + block.count(b"\n", 0, error.start)) from error
    if (at := text.find("\0")) >= 0:
        raise _not_text(path, line + text.count("\n", 0, at))
    return text


def _not_text(path: Path, line: int) -> DataError:
    return DataError(
        "A text log must be UTF-8 text; decompress it or convert it to UTF-8 first. "
        f"Received: {str(path)!r} with other bytes in line {line:,}"
    )


def read_lines(path: Path) -> pl.DataFrame:
    """The lines of a text file, without the blank ones at its end.

    A UTF-8 byte order mark is left out. The CR of a CRLF stays: white space at the end of a line.

    Returns
    -------
    `line` (Int64, from 1) and `text` (String).

    Raises
    ------
    DataError
        If the file cannot be read, is not UTF-8 text, or has no line that is not blank.
    """
    parts: list[pl.Series] = []
    count = 0
    with open_log(path) as file:
        while block := file.read(_BLOCK_BYTES) + file.readline():
            text = decode(block, path, line=count + 1).removesuffix("\n")
            parts.append(pl.Series("text", [text]).str.split("\n").explode())
            count += len(parts[-1])
    lines = pl.DataFrame({"text": pl.concat(parts) if parts else pl.Series(dtype=pl.String)})
    lines = lines.select("text", line=pl.int_range(1, pl.len() + 1, dtype=pl.Int64))
    last = lines.select(pl.col("line").filter(pl.col("text").str.strip_chars() != "").max()).item()
    if last is None:
        raise DataError(
            f"The log must hold at least one interaction. Received: {str(path)!r}, which is empty"
        )
    return lines.head(last)


def split_lines(lines: pl.DataFrame, separator: str) -> pl.DataFrame:
    """Cut `text` at every separator: `line` and `fields` (List[String])."""
    return lines.select("line", fields=pl.col("text").str.split(separator))


def rows_under_header(
    header: Sequence[str],
    records: pl.DataFrame,
    names: ColumnNames,
    bad_rows: tuple[BadRow, ...] = (),
) -> RawRows:
    """Name the fields of records; space around a field is not part of it.

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
    return RawRows(rows, bad_rows + miscounted(counted, expected=len(header)))


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
