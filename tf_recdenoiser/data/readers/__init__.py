"""Readers of interaction logs, one format a file.

A new format is one file with a `READER` and one line in `READERS`.
"""

from __future__ import annotations

from itertools import chain
from os import PathLike
from pathlib import Path
from typing import Any

from tf_recdenoiser.data.checks import NULL_VALUES, OnBadRow, checked_log
from tf_recdenoiser.data.log import DataError, InteractionLog
from tf_recdenoiser.data.readers import csv, gaps, pairs, parquet, recbole
from tf_recdenoiser.data.readers._columns import ColumnNames
from tf_recdenoiser.data.readers._reader import Options, RawRows, Reader
from tf_recdenoiser.data.readers._source import Source, open_source
from tf_recdenoiser.data.readers._text import decode, first_line

__all__ = ["READERS", "ColumnNames", "Options", "RawRows", "Reader", "Source", "read_log"]

# A format that is harder to mistake comes before one that is easier.
READERS: dict[str, Reader] = {
    "parquet": parquet.READER,
    "recbole": recbole.READER,
    "gaps": gaps.READER,
    "csv": csv.READER,
    "pairs": pairs.READER,
}
_NONE = "none"


def read_log(
    path: str | PathLike[str],
    format: str | None = None,
    on_bad_row: OnBadRow = "error",
    user_column: str | None = None,
    item_column: str | None = None,
    time_column: str | None = None,
    rating_column: str | None = None,
    quote_char: str | None = "auto",
    null_value: str | None = NULL_VALUES,
) -> InteractionLog:
    r"""Read an interaction log; every row is used, or refused by its line number.

    Formats: `pairs` (`user item` a line, separated by white space, oldest first), `recbole`
    (`.inter`), `gaps` (`user item item …`, a tab and the time before each item, the first 0),
    `csv` (with a header; also tab, semicolon or bar for the comma) and `parquet`. Each may be
    packed, as `.gz`, `.zip` (of one file) or `.zst` (which needs the package zstandard).
    Columns whose names are not given are looked for under these names, ignoring case and anything
    but letters and digits (so that "userid" is also user_id, userId and "User ID"):

    - users: user, userid, uid, customerid, visitorid, reviewerid;
    - items: item, itemid, iid, productid, movieid, asin;
    - times (optional): time, timestamp, unixtime, unixreviewtime, datetime, date;
    - ratings (optional): rating, ratings, stars, overall.

    Times are numbers, taken as they are, or dates with or without a time of day in ISO 8601, such
    as 2024-05-17, 2024-05-17 08:30:00 and 2024-05-17T08:30:00.5+02:00, which become seconds since
    1970 UTC; without a zone they are in UTC. A row without a user, an item or, if there are times,
    a time is bad. So is a row that holds a header, as in files that were joined. A rating is not
    needed: one that is no number is left out and counted. What other columns hold is of no account.

    Parameters
    ----------
    path
        The file, or a pipe such as /dev/stdin, which is read once. Text is UTF-8, with or
        without a byte order mark, with LF or CRLF.
    format
        A name in `READERS`; None takes it from the file's suffix (the one before that of a
        packed file), then from its content.
    on_bad_row
        "error" refuses a log with bad rows and names them; "skip" leaves them out and
        lists every one in the log's `report`.
    user_column
        The exact name of the users' column.
    item_column
        The exact name of the items' column.
    time_column
        The exact name of the times' column.
    rating_column
        The exact name of the ratings' column.
    quote_char
        What encloses a field of `csv` that holds separators or line breaks. "auto": a double
        quote, but nothing between tabs, where quotes are text unless a name in the header has
        them around it. Else one character, or "none" (or None) if quotes are text. Rows that
        take several lines are counted and named in the report. Other formats have no quotes.
    null_value
        The spellings of a missing value, with commas between, each exactly as the text has
        it; "none" (or None) for no spelling, if there are ids such as NA. An id or a time spelled
        so is missing, and its row bad; a rating is left out.

    Returns
    -------
    The rows in the file's order; see `InteractionLog` for the columns and their types.

    Raises
    ------
    DataError
        If the file cannot be read, its format is unknown, a column is missing, rows are
        bad (see `checked_log`) and `on_bad_row="error"`, or no usable row is left.

    Examples
    --------
    >>> import tempfile
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     path = Path(folder, "log.csv")
    ...     _ = path.write_text("user_id,item_id,timestamp\n7,tea,1\n7,tea,x\n")
    ...     log = read_log(path, on_bad_row="skip")
    >>> log.table.select("user", "item", "time").rows()
    [(7, 'tea', 1)]
    >>> log.report.bad_rows
    (BadRow(line=3, reason='time is neither a number, such as Unix seconds, nor an ISO 8601 date'),)
    """
    names = ColumnNames(user_column, item_column, time_column, rating_column)
    options = Options(names, _quote(quote_char))
    _check_format(format)
    source = open_source(Path(path))
    reader = READERS[format] if format is not None else _detect(source, names)
    raw = reader.read(source, options)
    nulls = None if null_value == _NONE else null_value
    return checked_log(raw.table, raw.bad_rows, on_bad_row, str(source), nulls, raw.multiline_rows)


def _quote(quote_char: Any) -> str | None:
    if quote_char in (None, _NONE):
        return None
    if quote_char != "auto" and (
        not isinstance(quote_char, str)
        or len(quote_char) != 1
        or quote_char.isalnum()
        or quote_char in " ,\t;|\r\n\0"
    ):
        raise DataError(
            "`quote_char` must be 'auto', 'none' or one character that is no letter, digit, space "
            f"or separator. Received: {quote_char!r}"
        )
    return quote_char


def _check_format(format: str | None) -> None:
    if format is not None and format not in READERS:
        raise DataError(f"`format` must be one of {', '.join(READERS)}. Received: {format!r}")


def _detect(source: Source, names: ColumnNames) -> Reader:
    head, suffix = source.head, source.suffix
    by_suffix = (reader for reader in READERS.values() if suffix in reader.suffixes)
    by_content = (reader for reader in READERS.values() if reader.recognises(head, names))
    if (reader := next(chain(by_suffix, by_content), None)) is not None:
        return reader
    if not head.strip():
        raise DataError(
            f"The log must hold at least one interaction. Received: {source}, which is empty"
        )
    decode(head.splitlines()[0], source, line=1)  # says so if the file is not text at all
    raise DataError(
        f"The format of the log is not clear from its name or its first line; give it with "
        f"--format, one of {', '.join(READERS)} (in Python: format). "
        f"Received: {source}, whose first line is {first_line(head)[:80]!r}"
    )
