"""Comma-separated values with a header, quoted as RFC 4180 has it.

The separator is the one of comma, tab, semicolon and bar that occurs most often in the header.
Between tabs there are no quotes, unless a name in the header has some around it.
"""

from __future__ import annotations

import csv
import re
from collections.abc import Sequence
from dataclasses import dataclass, field

import polars as pl

from tf_recdenoiser.data.log import BadRow, DataError, LineSpan
from tf_recdenoiser.data.readers._columns import ColumnNames
from tf_recdenoiser.data.readers._reader import Options, RawRows, Reader
from tf_recdenoiser.data.readers._source import Source
from tf_recdenoiser.data.readers._text import (
    BROKEN,
    first_line,
    read_lines,
    rows_under_header,
    split_lines,
)

_SEPARATORS = ",\t;|"
_NUL = "\0"  # occurs in no text: `read_lines` refuses it
_HINT = "; if quotes are text here, read with quote_char none"


def _separator(header: str) -> str:
    return max(_SEPARATORS, key=header.count)


def _recognises(head: bytes, names: ColumnNames) -> bool:
    header = first_line(head)
    found = [name.strip(" \"'") for name in header.split(_separator(header))]
    try:
        names.resolve(found)
    except DataError:
        return False
    return True


def _read(source: Source, options: Options) -> RawRows:
    lines = read_lines(source)
    separator = _separator(lines["text"][0])
    quote = _quote(options.quote_char, lines["text"][0], separator)
    records = _records(lines, separator, quote, options.names)
    if records.table.is_empty() or records.table["line"][0] != 1:
        raise DataError(
            "The first line of a CSV file must be a header that names its columns. "
            f"Received: {lines['text'][0][:80]!r} in {source}"
        )
    header = [name.strip() for name in records.table["fields"][0]]
    rows = rows_under_header(header, records.table.slice(1), options.names, tuple(records.bad_rows))
    return RawRows(rows.table, rows.bad_rows, tuple(records.multiline))


def _quote(quote_char: str | None, header: str, separator: str) -> str | None:
    """The character that encloses fields; None if none does."""
    if quote_char != "auto":
        return quote_char
    names = (name.strip() for name in header.split(separator))
    quoted = any(len(name) > 1 and name[0] == name[-1] == '"' for name in names)
    return '"' if quoted or separator != "\t" else None


@dataclass
class _Records:
    """`line` and `fields` (List[String]) of each record, and what is to be said of the others."""

    table: pl.DataFrame
    bad_rows: list[BadRow] = field(default_factory=list)
    multiline: list[LineSpan] = field(default_factory=list)


def _records(
    lines: pl.DataFrame, separator: str, quote: str | None, names: ColumnNames
) -> _Records:
    if quote is not None and lines["text"].str.contains(quote, literal=True).any():
        return _split_quoted(lines["text"], separator, quote, names)
    table, bad_rows = split_lines(lines, separator)
    return _Records(table, list(bad_rows))


def _split_quoted(texts: pl.Series, separator: str, quote: str, names: ColumnNames) -> _Records:
    """Records that may be quoted, each under the number of its first line."""
    with_ends = (text + "\n" for text in texts)
    reader = csv.reader(
        with_ends, delimiter=separator, quotechar=quote, skipinitialspace=True, strict=True
    )
    mended = _Mended(separator, quote)
    bad_rows: list[BadRow] = []
    spans: list[LineSpan] = []
    joined: list[str] = []
    while True:
        start = reader.line_num + 1
        try:
            fields = next(reader)
        except StopIteration:
            break
        except csv.Error as error:
            span, text = LineSpan(start, reader.line_num), texts[start - 1]
            whole = mended.fields(text) if span.first == span.last else None
            if whole is None:
                bad_rows += _lost(span, text, error)
                continue
            fields = whole
        if not spans and start == 1:
            mended.used = _used(fields, names)
        spans.append(LineSpan(start, reader.line_num))
        joined.append(_NUL.join(fields))
    columns = {"line": [span.first for span in spans], "text": joined}
    table = pl.DataFrame(columns, schema={"line": pl.Int64, "text": pl.String})
    fields_of = table.select("line", fields=pl.col("text").str.split(_NUL))
    return _Records(fields_of, bad_rows, [span for span in spans if span.first < span.last])


def _lost(span: LineSpan, text: str, error: csv.Error) -> list[BadRow]:
    """An unclosed quote takes in the lines that follow: each of them is lost, and listed."""
    quoting = f"bad quoting ({error}){_HINT}"
    reason = BROKEN if "\r" in text and span.first == span.last else quoting
    return [BadRow(line, reason) for line in range(span.first, span.last + 1)]


def _used(header: Sequence[str], names: ColumnNames) -> frozenset[int]:
    """The columns in which a bad value makes a row bad."""
    found = names.resolve([name.strip() for name in header])
    return frozenset(index for role, index in found.items() if role != "rating")


class _Mended:
    """Cuts lines with bad quotes, as `"Weird" things`, in columns that are not `used`."""

    def __init__(self, separator: str, quote: str) -> None:
        one = re.escape(quote)
        inside, end = f"{one}((?:[^{one}]|{one}{one})*){one}", f"[{separator}]|$"
        self._good = re.compile(f" *{inside}(?={end})")
        self._other = re.compile(f" *({inside})?[^{separator}]*")
        self._quote = quote
        self.used: frozenset[int] | None = None

    def fields(self, text: str) -> list[str] | None:
        """The fields of a line; None if one that is used is in doubt, or if all are."""
        if self.used is None or "\r" in text:
            return None
        found: list[str] = []
        at = 0
        while at <= len(text):
            good = self._good.match(text, at)
            other = self._other.match(text, at)
            assert other is not None  # it matches the empty text
            if good is None and len(found) in self.used and self._is_quoted(other[0]):
                return None
            found.append(other[0] if good is None else self._unquoted(good[1]))
            at = (good or other).end() + 1
        return found

    def _is_quoted(self, field: str) -> bool:
        return field.lstrip(" ").startswith(self._quote)

    def _unquoted(self, field: str) -> str:
        return field.replace(self._quote * 2, self._quote)


READER = Reader(suffixes=(".csv", ".tsv"), recognises=_recognises, read=_read)
