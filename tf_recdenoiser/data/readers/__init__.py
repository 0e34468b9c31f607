"""Readers of interaction logs, one format a file.

A new format is one file with a `READER` and one line in `READERS`.
"""

from __future__ import annotations

from itertools import chain
from os import PathLike
from pathlib import Path

from tf_recdenoiser.data.checks import OnBadRow, checked_log
from tf_recdenoiser.data.log import DataError, InteractionLog
from tf_recdenoiser.data.readers import csv, gaps, pairs, parquet, recbole
from tf_recdenoiser.data.readers._columns import ColumnNames
from tf_recdenoiser.data.readers._reader import RawRows, Reader, open_log
from tf_recdenoiser.data.readers._text import decode, first_line

__all__ = ["READERS", "ColumnNames", "RawRows", "Reader", "read_log"]

# A format that is harder to mistake comes before one that is easier.
READERS: dict[str, Reader] = {
    "parquet": parquet.READER,
    "recbole": recbole.READER,
    "gaps": gaps.READER,
    "csv": csv.READER,
    "pairs": pairs.READER,
}

_HEAD_BYTES = 1 << 16


def read_log(
    path: str | PathLike[str],
    format: str | None = None,
    on_bad_row: OnBadRow = "error",
    user_column: str | None = None,
    item_column: str | None = None,
    time_column: str | None = None,
    rating_column: str | None = None,
) -> InteractionLog:
    r"""Read an interaction log; every row is used, or refused by its line number.

    Formats: `pairs` (`user item` a line, separated by white space, oldest first), `recbole`
    (`.inter`), `gaps` (`user item item …`, a tab and the time before each item, the first 0),
    `csv` (with a header; also tab, semicolon or bar for the comma) and `parquet`.
    Columns whose names are not given are looked for under these names, ignoring case and anything
    but letters and digits (so that "userid" is also user_id, userId and "User ID"):

    - users: user, userid, uid, customerid, visitorid, reviewerid;
    - items: item, itemid, iid, productid, movieid, asin;
    - times (optional): time, timestamp, unixtime, unixreviewtime, datetime, date;
    - ratings (optional): rating, ratings, stars, overall.

    Parameters
    ----------
    path
        The file. Text is UTF-8, with or without a byte order mark, with LF or CRLF.
    format
        A name in `READERS`; None takes it from the file's suffix, then from its content.
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
    (BadRow(line=3, reason='time is not a number, such as Unix seconds'),)
    """
    path = Path(path)
    names = ColumnNames(user_column, item_column, time_column, rating_column)
    raw = _reader(path, format, names).read(path, names)
    return checked_log(raw.table, raw.bad_rows, on_bad_row, source=repr(str(path)))


def _reader(path: Path, format: str | None, names: ColumnNames) -> Reader:
    if format is not None and format not in READERS:
        raise DataError(f"`format` must be one of {', '.join(READERS)}. Received: {format!r}")
    return READERS[format] if format is not None else _detect(path, names)


def _detect(path: Path, names: ColumnNames) -> Reader:
    with open_log(path) as file:
        head = file.read(_HEAD_BYTES)
    suffix = path.suffix.lower()
    by_suffix = (reader for reader in READERS.values() if suffix in reader.suffixes)
    by_content = (reader for reader in READERS.values() if reader.recognises(head, names))
    if (reader := next(chain(by_suffix, by_content), None)) is not None:
        return reader
    if not head.strip():
        raise DataError(
            f"The log must hold at least one interaction. Received: {str(path)!r}, which is empty"
        )
    decode(head.splitlines()[0], path, line=1)  # says so if the file is not text at all
    raise DataError(
        f"The format of the log is not clear from its name or its first line; give it with "
        f"--format, one of {', '.join(READERS)} (in Python: format). "
        f"Received: {str(path)!r}, whose first line is {first_line(head)[:80]!r}"
    )
