"""Comma-separated values, quoted as RFC 4180 has it, with a header or with columns that are told.

The separator is the one of comma, tab, semicolon, bar and two colons that occurs most often in the
first line, and white space if none of them does. Between tabs and white space there are no quotes,
unless a name in the header has some around it; between colons there are none at all.
"""

from __future__ import annotations

import csv
import re
from collections.abc import Sequence
from dataclasses import dataclass, field, replace

import polars as pl

from tf_recdenoiser.data.log import OPTIONAL, BadRow, DataError, LineSpan
from tf_recdenoiser.data.readers._columns import NAMES, ColumnNames, plain_name
from tf_recdenoiser.data.readers._headless import is_value, known_columns, likely_columns
from tf_recdenoiser.data.readers._reader import Options, Reader
from tf_recdenoiser.data.readers._source import Source
from tf_recdenoiser.data.readers._text import (
    BROKEN,
    first_line,
    read_lines,
    refuse_broken,
    rows_under_header,
    split_lines,
    stripped,
)
from tf_recdenoiser.data.rows import RawRows

_SPACE, _COLONS = " ", "::"
_SEPARATORS = (",", "\t", ";", "|", _COLONS)
_NUL = "\0"  # occurs in no text: `read_lines` refuses it
_HINT = "; if quotes are text here, read with quote_char none"
_LOOKED_AT = 200


def separator_of(line: str) -> str:
    """What stands between the fields of a first line."""
    found = max(_SEPARATORS, key=line.count)
    return found if found in line else _SPACE


def _split(line: str, separator: str) -> list[str]:
    return line.split() if separator == _SPACE else line.split(separator)


def _recognises(head: bytes, options: Options) -> bool:
    header = first_line(head)
    separator = separator_of(header)
    found = [name.strip(" \"'") for name in _split(header, separator)]
    if options.columns is not None or known_columns([found], separator) is not None:
        return True
    try:
        options.names.resolve(found)
    except DataError:
        return False
    return True


def _read(source: Source, options: Options) -> RawRows:
    lines = read_lines(source)
    first = lines["text"][0]
    separator = separator_of(first)
    quote = _quote(options.quote_char, first, separator)
    head = [_split(line, separator) for line in lines["text"].head(_LOOKED_AT)]
    known = known_columns(head, separator) if options.columns is None else None
    columns = options.columns or known
    records = _records(lines, _Layout(separator, quote, options.names, columns))
    if columns is None:
        columns = records.take_header(source, first)
        fields = [columns, *records.table["fields"].head(_LOOKED_AT)]
        _check_header(fields, options.names, source)
    rows = rows_under_header(columns, records.table, options.names, tuple(records.bad_rows))
    said = rows.columns if known is None else f"no header, taken for {','.join(known)}"
    return replace(rows, multiline_rows=tuple(records.multiline), columns=said)


def _check_header(head: Sequence[Sequence[str]], names: ColumnNames, source: Source) -> None:
    """DataError with a question if the first record does not name the columns that are needed."""
    header, likely = head[0], ",".join(likely_columns(head))
    named = any(plain_name(name) in known for name in header for known in NAMES.values())
    hint = "" if named else f"If they have no names, say what they hold: --columns {likely}. "
    try:
        names.resolve(header, hint)
    except DataError:
        if not named:
            refuse_broken(" ".join(header), source)
        if names.given() or not any(map(is_value, header)):
            raise
        raise DataError(
            "The first line of a CSV file must be a header that names its columns. If there is "
            f"none, say what they hold, as with --columns {likely} (in Python: "
            f"columns={likely!r}), in the order that they have. Received: {source}, whose first "
            f"line is {','.join(header)[:80]!r}"
        ) from None


def _quote(quote_char: str | None, header: str, separator: str) -> str | None:
    """The character that encloses fields; None if none does."""
    if separator == _COLONS or quote_char != "auto":
        return None if separator == _COLONS else quote_char
    names = (name.strip() for name in _split(header, separator))
    quoted = any(len(name) > 1 and name[0] == name[-1] == '"' for name in names)
    return '"' if quoted or separator not in ("\t", _SPACE) else None


@dataclass(frozen=True)
class _Layout:
    """How lines are cut, which columns are wanted, and the columns' names if no header has them."""

    separator: str
    quote: str | None
    names: ColumnNames
    columns: tuple[str, ...] | None

    def used(self, header: Sequence[str]) -> frozenset[int]:
        """The columns in which a bad value makes a row bad."""
        found = self.names.resolve(stripped(header))
        return frozenset(index for role, index in found.items() if role not in OPTIONAL)


@dataclass
class _Records:
    """`line` and `fields` (List[String]) of each record, and what is to be said of the others."""

    table: pl.DataFrame
    bad_rows: list[BadRow] = field(default_factory=list)
    multiline: list[LineSpan] = field(default_factory=list)

    def take_header(self, source: Source, first: str) -> tuple[str, ...]:
        """The names in the first record, which is then one no more."""
        if self.table.is_empty() or self.table["line"][0] != 1:
            refuse_broken(first, source)
            raise DataError(
                "The first line of a CSV file must be a header that names its columns. "
                f"Received: {first[:80]!r} in {source}"
            )
        header = stripped(self.table["fields"][0])
        self.table = self.table.slice(1)
        return header


def _records(lines: pl.DataFrame, layout: _Layout) -> _Records:
    quote = layout.quote
    if quote is not None and lines["text"].str.contains(quote, literal=True).any():
        return _split_quoted(lines["text"], layout, quote)
    table, bad_rows = split_lines(lines, None if layout.separator == _SPACE else layout.separator)
    return _Records(table, list(bad_rows))


def _split_quoted(texts: pl.Series, layout: _Layout, quote: str) -> _Records:
    """Records that may be quoted, each under the number of its first line."""
    with_ends = (text + "\n" for text in texts)
    reader = csv.reader(
        with_ends, delimiter=layout.separator, quotechar=quote, skipinitialspace=True, strict=True
    )
    told = layout.columns
    mended = _Mended(layout.separator, quote, None if told is None else layout.used(told))
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
        if mended.used is None and start == 1:
            mended.used = _used_if_known(layout, fields)
        spans.append(LineSpan(start, reader.line_num))
        joined.append(_NUL.join(fields))
    columns = {"line": [span.first for span in spans], "text": joined}
    table = pl.DataFrame(columns, schema={"line": pl.Int64, "text": pl.String})
    fields_of = table.select("line", fields=pl.col("text").str.split(_NUL))
    return _Records(fields_of, bad_rows, [span for span in spans if span.first < span.last])


def _used_if_known(layout: _Layout, header: Sequence[str]) -> frozenset[int] | None:
    try:
        return layout.used(header)
    except DataError:  # to be told by `_check_header`, which knows more
        return None


def _lost(span: LineSpan, text: str, error: csv.Error) -> list[BadRow]:
    """An unclosed quote takes in the lines that follow: each of them is lost, and listed."""
    quoting = f"bad quoting ({error}){_HINT}"
    reason = BROKEN if "\r" in text and span.first == span.last else quoting
    return [BadRow(line, reason) for line in range(span.first, span.last + 1)]


class _Mended:
    """Cuts lines with bad quotes, as `"Weird" things`, in columns that are not `used`."""

    def __init__(self, separator: str, quote: str, used: frozenset[int] | None) -> None:
        one = re.escape(quote)
        inside, end = f"{one}((?:[^{one}]|{one}{one})*){one}", f"[{separator}]|$"
        self._good = re.compile(f" *{inside}(?={end})")
        self._other = re.compile(f" *({inside})?[^{separator}]*")
        self._quote = quote
        self.used = used

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


READER = Reader(suffixes=(".csv", ".tsv"), recognises=_recognises, read=_read, takes_columns=True)
