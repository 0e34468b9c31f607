"""Lines and fields of text files, with exact line numbers."""

from __future__ import annotations

import io
import re
from collections.abc import Sequence

import polars as pl

from tf_recdenoiser.data.log import BadRow, DataError
from tf_recdenoiser.data.readers._columns import REQUIRED, ColumnNames, is_header
from tf_recdenoiser.data.readers._source import Source
from tf_recdenoiser.data.rows import NOT_TEXT, RawRows, as_bad_rows, describe_columns

_BLOCK_BYTES = 1 << 26
BROKEN = "line break (CR) within the line"
_HEADER = "a header, which names columns, in the place of a user and an item"
_NOT_UTF_8 = re.compile("[\udc80-\udcff]")
_UTF_16 = (b"\xff\xfe", b"\xfe\xff")


def first_line(head: bytes) -> str:
    """The first line of a file's first bytes, for recognising its format."""
    return head.split(b"\n", 1)[0].removeprefix(b"\xef\xbb\xbf").decode(errors="replace").strip()


def decode(block: bytes, source: Source, line: int) -> str:
    """The text of a block of whole lines, the first of which has the number `line`.

    Bytes that are not UTF-8 become `NOT_TEXT`: they do not matter in a column that is not used.

    Raises
    ------
    DataError
        If the block is UTF-16, or binary.
    """
    if line == 1 and block.startswith(_UTF_16):
        raise DataError(
            "A text log must be UTF-8 text; convert it first, as by `iconv -f UTF-16 -t UTF-8`. "
            f"Received: {source}, which is UTF-16"
        )
    try:
        text = block.decode("utf-8-sig" if line == 1 else "utf-8")
    except UnicodeDecodeError:
        text = _NOT_UTF_8.sub(NOT_TEXT, block.decode(errors="surrogateescape"))
        text = text.removeprefix("\ufeff") if line == 1 else text
    if (at := text.find("\0")) >= 0:
        raise _not_text(source, line + text.count("\n", 0, at))
    return text


def refuse_broken(text: str, source: Source, line: int = 1) -> None:
    """Raise DataError if a line that is not understood is not UTF-8."""
    if NOT_TEXT in text:
        raise _not_text(source, line)


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
        If the source is no text, or has no line that is not blank.
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


def split_lines(
    lines: pl.DataFrame, separator: str | None
) -> tuple[pl.DataFrame, tuple[BadRow, ...]]:
    """Cut `text` at every separator: `line` and `fields` (List[String]), and the broken lines.

    None stands for any white space.
    """
    whole, bad_rows = broken_lines(lines)
    text = pl.col("text")
    fields = text.str.extract_all(r"\S+") if separator is None else text.str.split(separator)
    return whole.select("line", fields=fields), bad_rows


def stripped(names: Sequence[str]) -> tuple[str, ...]:
    """Names without the space around them, by the same rule as fields."""
    return tuple(pl.Series(names, dtype=pl.String).str.strip_chars())


def rows_under_header(
    header: Sequence[str],
    records: pl.DataFrame,
    names: ColumnNames,
    bad_rows: tuple[BadRow, ...] = (),
    written: Sequence[str] | None = None,
) -> RawRows:
    """Name the fields of records; space around a field is not part of it.

    A record that repeats the header, as where files were joined, is passed over; one that is
    another header is a bad row.

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
    rows = counted.filter(pl.col("count") == len(header))
    written = written if written is not None else header
    again = _repeats(rows, written)
    headers, rows = rows.filter(again), rows.filter(~again)
    taken = rows.select(
        "line",
        **{role: fields.list.get(index).str.strip_chars() for role, index in columns.items()},
    )
    alike = pl.all_horizontal(pl.col(role) == written[columns[role]] for role in REQUIRED)
    taken, others = without_headers(taken, alike | is_header() | is_first_alone())
    return RawRows(
        taken,
        bad_rows + others + miscounted(counted, expected=len(header)),
        headers=tuple(headers["line"].to_list()),
        columns=describe_columns(header, columns),
    )


def _repeats(rows: pl.DataFrame, header: Sequence[str]) -> pl.Series:
    """Whether each field of a row is that of the header."""
    alike = rows["fields"].list.get(0).str.strip_chars() == header[0]
    for index in range(1, len(header)):
        if not alike.any():
            break
        alike &= rows["fields"].list.get(index).str.strip_chars() == header[index]
    return alike


def without_headers(rows: pl.DataFrame, header: pl.Expr) -> tuple[pl.DataFrame, tuple[BadRow, ...]]:
    """Split off the rows that are a header, and so bad rows."""
    marked = rows.with_columns(header=header)
    headers = marked.filter("header").with_columns(fault=pl.lit(_HEADER))
    return marked.filter(~pl.col("header")).drop("header"), as_bad_rows(headers)


def is_first_alone() -> pl.Expr:
    """Whether a row is the file's first, and it alone has words where all others have numbers."""
    number = pl.col("user", "item").str.contains(r"^-?[0-9]+$")
    words, numbers = pl.all_horizontal(~number), pl.all_horizontal(number)
    others = (pl.len() > 1) & (numbers.sum() == pl.len() - 1)
    return (pl.col("line") == 1) & words & others


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
