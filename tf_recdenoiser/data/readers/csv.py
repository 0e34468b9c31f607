"""Comma-separated values with a header, quoted as RFC 4180 has it.

The separator is the one of comma, tab, semicolon and bar that occurs most often in the header.
"""

from __future__ import annotations

import csv
from pathlib import Path

import polars as pl

from tf_recdenoiser.data.log import BadRow, DataError
from tf_recdenoiser.data.readers._columns import ColumnNames
from tf_recdenoiser.data.readers._reader import RawRows, Reader
from tf_recdenoiser.data.readers._text import (
    first_line,
    read_lines,
    rows_under_header,
    split_lines,
)

_SEPARATORS = ",\t;|"
_NUL = "\0"  # occurs in no text: `read_lines` refuses it


def _separator(header: str) -> str:
    return max(_SEPARATORS, key=header.count)


def _recognises(head: bytes, names: ColumnNames) -> bool:
    header = first_line(head)
    found = [name.strip(' "') for name in header.split(_separator(header))]
    try:
        names.resolve(found)
    except DataError:
        return False
    return True


def _read(path: Path, names: ColumnNames) -> RawRows:
    lines = read_lines(path)
    separator = _separator(lines["text"][0])
    quoted = lines["text"].str.contains('"', literal=True).any()
    records, bad_rows = (
        _split_quoted(lines, separator) if quoted else (split_lines(lines, separator), ())
    )
    if records.is_empty() or records["line"][0] != 1:
        raise DataError(
            "The first line of a CSV file must be a header that names its columns. "
            f"Received: {lines['text'][0][:80]!r} in {str(path)!r}"
        )
    header = [name.strip() for name in records["fields"][0]]
    return rows_under_header(header, records.slice(1), names, bad_rows)


def _split_quoted(lines: pl.DataFrame, separator: str) -> tuple[pl.DataFrame, tuple[BadRow, ...]]:
    """Records that may be quoted, each under the number of its first line, and the bad lines."""
    with_ends = (text + "\n" for text in lines["text"])
    reader = csv.reader(with_ends, delimiter=separator, skipinitialspace=True, strict=True)
    starts: list[int] = []
    texts: list[str] = []
    bad_rows: list[BadRow] = []
    while True:
        start = reader.line_num + 1
        try:
            fields = next(reader)
        except StopIteration:
            break
        except csv.Error as error:
            # An unclosed quote takes in the lines that follow: each of them is lost, and listed.
            lost = range(start, reader.line_num + 1)
            bad_rows += [BadRow(line, f"bad quoting ({error})") for line in lost]
        else:
            starts.append(start)
            texts.append(_NUL.join(fields))
    joined = pl.DataFrame(
        {"line": starts, "text": texts}, schema={"line": pl.Int64, "text": pl.String}
    )
    return split_lines(joined, _NUL), tuple(bad_rows)


READER = Reader(suffixes=(".csv", ".tsv"), recognises=_recognises, read=_read)
