"""Readers of interaction logs, one format a file.

A new format is one file with a `READER` and one line in `READERS`.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from itertools import chain
from os import PathLike
from pathlib import Path
from typing import Any

from tf_recdenoiser.data.checks import NULL_VALUES, OnBadRow, checked_log
from tf_recdenoiser.data.feedback import Thresholds
from tf_recdenoiser.data.log import DataError, InteractionLog, Repeats
from tf_recdenoiser.data.readers import csv, gaps, jsonl, pairs, parquet, recbole
from tf_recdenoiser.data.readers._columns import ColumnNames
from tf_recdenoiser.data.readers._frames import is_frame, rows_of_frame
from tf_recdenoiser.data.readers._paths import absolute_path, log_paths
from tf_recdenoiser.data.readers._reader import Options, Reader
from tf_recdenoiser.data.readers._source import Source, open_source
from tf_recdenoiser.data.readers._text import decode, first_line, refuse_broken
from tf_recdenoiser.data.rows import RawRows
from tf_recdenoiser.data.times import TimeUnit

__all__ = [
    "READERS",
    "ColumnNames",
    "Options",
    "RawRows",
    "Reader",
    "Source",
    "absolute_path",
    "read_log",
]

# A format that is harder to mistake comes before one that is easier.
READERS: dict[str, Reader] = {
    "parquet": parquet.READER,
    "jsonl": jsonl.READER,
    "recbole": recbole.READER,
    "gaps": gaps.READER,
    "csv": csv.READER,
    "pairs": pairs.READER,
}
_NONE = "none"


def read_log(
    path: str | PathLike[str] | Sequence[str | PathLike[str]] | Any,
    format: str | None = None,
    on_bad_row: OnBadRow = "error",
    user_column: str | None = None,
    item_column: str | None = None,
    time_column: str | None = None,
    rating_column: str | None = None,
    columns: str | None = None,
    time_unit: TimeUnit = "auto",
    repeats: Repeats = "keep",
    quote_char: str | None = "auto",
    null_value: str | None = NULL_VALUES,
    feedback_column: str | None = None,
    disliked_below: float | None = None,
    disliked_above: float | None = None,
    liked_from: float | None = None,
) -> InteractionLog:
    r"""Read an interaction log; every row is used, or refused by its line number.

    Formats: `pairs` (`user item` a line, separated by white space, oldest first), `recbole`
    (`.inter`), `gaps` (`user item item …`, a tab and the time before each item, the first 0),
    `csv` (also with tab, semicolon, bar, `::` or white space for the comma), `jsonl` (an object a
    line) and `parquet`. Each may be packed, as `.gz`, `.zip` (of one file) or `.zst` (which needs
    the package zstandard). Columns are found by the names that people give them, such as `user_id`,
    `Customer ID`, `email`; `item`, `sku`, `product_id`, `asin`; `timestamp`, `created_at`, `date`;
    `rating`, `stars`. Case and anything but letters and digits do not count. If two fit equally
    well, or none does, the error says which there are and how to name them. A file without a
    header is read if it is MovieLens's `ratings.dat` or `u.data`, or Amazon's ratings; else its
    columns are told by `columns`.

    Times are numbers, or dates with or without a time of day in ISO 8601, such as 2024-05-17,
    2024-05-17 08:30:00 and 2024-05-17T08:30:00.5+02:00; without a zone they are in UTC. They become
    seconds since 1970. Numbers are taken for seconds, milliseconds, microseconds or nanoseconds
    since 1970 if most of them are then within the years 1990 to 2099, and else as they stand. As
    floating-point numbers, seconds are exact to a microsecond and no further.

    A row without a user, an item or, if there are times, a time is bad. So is a row that holds
    another header. The file's own header, once more where files were joined, is passed over and
    counted. A rating is not needed: one that is no number is left out and counted. What other
    columns hold is of no account, bytes that are no text included.

    A column of feedback may say what users disliked, returned or left at once: by numbers, such as
    ratings or seconds, with a threshold; or by yes and no, as true, yes, t, y or 1 where an item
    was disliked, and false, no, f, n or 0 elsewhere, in any case. With a threshold yes counts as 1
    and no as 0. Where there is no value nothing is known, and nor is it where the value cannot be
    read or is infinite; those are counted.

    Parameters
    ----------
    path
        The file, or a pipe such as /dev/stdin, which is read once; several files, as a list or as
        a pattern such as `logs/*.csv` (in the order of their names), each with its own header and
        format; or a table in memory: of Polars or pandas, or any other with the method
        `__arrow_c_stream__` or `__dataframe__`. Text is UTF-8, with or without a byte order mark,
        with LF or CRLF.
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
    columns
        The names of all columns of text without a header, in order, with commas between, as
        "user,item,time"; a name that is not known, as "_", is passed over.
    time_unit
        The unit of times that are numbers: "s", "ms", "us" or "ns" since 1970, or "auto" for the
        one that they look like.
    repeats
        Whether to "keep" or to "drop" a row with the user, the item and the time of an earlier
        one; both are counted.
    quote_char
        What encloses a field of `csv` that holds separators or line breaks. "auto": a double
        quote, but nothing between tabs or white space, where quotes are text unless a name in the
        header has them around it. Else one character, or "none" (or None) if quotes are text. Rows
        that take several lines are counted and named in the report. Other formats have no quotes.
    null_value
        The spellings of a missing value, with commas between, each exactly as the text has
        it; "none" (or None) for no spelling, if there are ids such as NA. An id or a time spelled
        so is missing, and its row bad; a rating is left out.
    feedback_column
        The exact name of the column that says what users disliked, which may be that of the
        ratings; None (default): nothing does.
    disliked_below, disliked_above
        Feedback below the one, or above the other, says that an item was disliked; None (default):
        there is no such threshold.
    liked_from
        With one of the two: from this number on, away from it, an item was liked, and between it
        was neither. None (default): all that was not disliked was liked.

    Returns
    -------
    The rows in the file's order; see `InteractionLog` for the columns and their types.

    Raises
    ------
    DataError
        If the file cannot be read, its format is unknown, a column is missing, rows are
        bad (see `checked_log`) and `on_bad_row="error"`, no usable row is left, or feedback and
        thresholds do not go together.

    Examples
    --------
    >>> import tempfile
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     path = Path(folder, "log.csv")
    ...     _ = path.write_text("customer_id,sku,timestamp\n7,tea,1\n7,tea,x\n")
    ...     log = read_log(path, on_bad_row="skip")
    >>> log.table.select("user", "item", "time").rows()
    [(7, 'tea', 1)]
    >>> log.report.bad_rows
    (BadRow(line=3, reason='time is neither a number, such as Unix seconds, nor an ISO 8601 date'),)
    >>> import polars
    >>> orders = polars.DataFrame({"user": [7, 8], "item": ["tea", "pot"], "stars": [5, 1]})
    >>> log = read_log(orders, feedback_column="stars", disliked_below=3)
    >>> log.table["disliked"].to_list()
    [0.0, 1.0]
    """
    thresholds = Thresholds(disliked_below, disliked_above, liked_from)
    names = ColumnNames(user_column, item_column, time_column, rating_column, feedback_column)
    options = Options(names, _quote(quote_char), _columns(columns))
    _check_format(format)
    rows = (
        [rows_of_frame(path, names)]
        if is_frame(path)
        else [_rows(one, format, options) for one in log_paths(path)]
    )
    nulls = None if null_value == _NONE else null_value
    return checked_log(rows, on_bad_row, nulls, time_unit, repeats, thresholds)


def _rows(path: Path, format: str | None, options: Options) -> RawRows:
    source = open_source(path)
    reader = READERS[format] if format is not None else _detect(source, options)
    if options.columns is not None and not reader.takes_columns:
        name = next(name for name, one in READERS.items() if one is reader)
        raise DataError(
            "`columns` must be left out where a format names its columns or has none. "
            f"Received: columns={','.join(options.columns)!r} for {source} of the format {name!r}"
        )
    try:
        return replace(reader.read(source, options), source=str(path))
    except DataError as error:
        if str(source) not in str(error):
            error.args = (f"{error} in {source}",)  # and not another error, of another type
        raise


def _columns(columns: Any) -> tuple[str, ...] | None:
    if columns is None:
        return None
    if not isinstance(columns, str):
        raise DataError(
            "`columns` must be a text, the columns' names with commas between, as user,item,time. "
            f"Received: {columns!r}"
        )
    return tuple(name.strip() for name in columns.split(","))


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


def _detect(source: Source, options: Options) -> Reader:
    head, suffix = source.head, source.suffix
    by_suffix = (reader for reader in READERS.values() if suffix in reader.suffixes)
    by_content = (reader for reader in READERS.values() if reader.recognises(head, options))
    if (reader := next(chain(by_suffix, by_content), None)) is not None:
        return reader
    if not head.strip():
        raise DataError(
            f"The log must hold at least one interaction. Received: {source}, which is empty"
        )
    first = head.splitlines()[0]
    refuse_broken(decode(first, source, line=1), source)
    if len(first.split()) > 1 or csv.separator_of(first_line(head)) != " ":
        return csv.READER  # which asks what the columns hold
    raise DataError(
        f"The format of the log is not clear from its name or its first line; give it with "
        f"--format, one of {', '.join(READERS)} (in Python: format). "
        f"Received: {source}, whose first line is {first_line(head)[:80]!r}"
    )
