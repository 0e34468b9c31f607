"""From rows as a source gives them to a log in which every row is usable."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Literal, NamedTuple

import polars as pl

from tf_recdenoiser.data.log import (
    BadRow,
    DataError,
    InteractionLog,
    LineSpan,
    counted,
    describe_bad_rows,
    describe_multiline,
    report_on,
)
from tf_recdenoiser.data.times import iso_seconds

OnBadRow = Literal["error", "skip"]
NULL_VALUES = r"NULL,null,NaN,nan,None,NA,N/A,n/a,<NA>,\N"
"""The spellings, exactly as written, of a missing value in text."""


def checked_log(
    rows: pl.DataFrame,
    bad_rows: tuple[BadRow, ...] = (),
    on_bad_row: OnBadRow = "error",
    source: str = "a table",
    null_value: str | None = NULL_VALUES,
    multiline_rows: tuple[LineSpan, ...] = (),
) -> InteractionLog:
    """Check and type every row of a table.

    A row is bad if an id is missing, empty or holds a line break, if its time is missing or
    neither a finite number nor an ISO 8601 date, or if it repeats the user, item and time of an
    earlier good row. Without times a repeated (user, item) pair is a legitimate interaction. A
    rating that is not a number is left out, and the row is kept: nothing is learned from ratings.

    Parameters
    ----------
    rows
        Columns `line` (integer), `user` and `item` (integers or text), and optionally `time`
        (numbers, dates, text that holds them) and `rating` (numbers, text); oldest first
        within a user wherever times do not say otherwise.
    bad_rows
        Rows of the same source that were found unusable before they came here.
    on_bad_row
        "error" refuses a source with bad rows; "skip" leaves them out and lists them
        in the report.
    source
        What to call the source in messages.
    null_value
        The texts that stand for a missing value, with commas between; None if none does.
    multiline_rows
        Rows of the source, bad ones included, that take more than one line, for the report.

    Raises
    ------
    DataError
        For a bad row (if `on_bad_row="error"`), for a column whose type cannot hold its
        content, for an unknown `on_bad_row`, and when no row is left.

    Examples
    --------
    >>> rows = pl.DataFrame({"line": [1, 2], "user": ["ann", "bob"], "item": ["7", "8"]})
    >>> checked_log(rows).table["item"].to_list()
    [7, 8]
    """
    if on_bad_row not in ("error", "skip"):
        raise DataError(f"`on_bad_row` must be 'error' or 'skip'. Received: {on_bad_row!r}")
    nulls = _null_values(null_value)
    checked = {
        name: check(rows[name], nulls) for name, check in _CHECKS.items() if name in rows.columns
    }
    parsed = rows.select(
        pl.col("line").cast(pl.Int64),
        *(column.values for column in checked.values()),
        fault=pl.coalesce(column.fault for column in checked.values()),
        unread=_unread_ratings(rows, checked.get("rating"), nulls),
    )
    good, faulty = _partition(parsed)
    good, repeating = _partition(good.with_columns(fault=_repetition(good)))
    all_bad = tuple(sorted((*bad_rows, *faulty, *repeating)))
    multiline = f"\n{describe_multiline(multiline_rows)}" if multiline_rows else ""
    if all_bad and on_bad_row == "error":
        raise DataError(
            "Every row of a log must be usable. Correct the rows below, or leave them out with "
            "--on-bad-row skip (in Python: on_bad_row='skip'). Received: "
            f"{len(all_bad):,} bad of {counted(good.height + len(all_bad), 'row')} in {source}:\n"
            f"{describe_bad_rows(all_bad)}{multiline}"
        )
    if good.is_empty():
        raise DataError(
            "A log must hold at least one usable interaction. "
            f"Received: {counted(len(all_bad), 'row')} in {source}, none of them usable"
            + (f":\n{describe_bad_rows(all_bad)}{multiline}" if all_bad else "")
        )
    unread = tuple(good.filter("unread")["line"].to_list())
    table = good.drop("unread").with_columns(
        _integers_if_canonical(good[name]) for name in ("user", "item")
    )
    return InteractionLog(table, report_on(table, all_bad, multiline_rows, unread))


def _null_values(null_value: Any) -> tuple[str, ...]:
    if not isinstance(null_value, str | None):
        raise DataError(
            "`null_value` must be a text, the spellings of a missing value with commas between, "
            f"or None for no spelling. Received: {null_value!r}"
        )
    return tuple(filter(None, map(str.strip, (null_value or "").split(","))))


_PER_SECOND = {"d": 1 / 86_400, "ms": 1e3, "us": 1e6, "ns": 1e9}
_TEXT = (pl.String, pl.Categorical, pl.Enum)


class _Checked(NamedTuple):
    """A column's parsed values, and for each row what is wrong with it (null: nothing)."""

    values: pl.Series
    fault: pl.Series


def _check_ids(column: pl.Series, nulls: tuple[str, ...]) -> _Checked:
    dtype, name = column.dtype, column.name
    if not (dtype.is_integer() or dtype in (*_TEXT, pl.Null)):
        raise DataError(
            f"The {name} ids must be integers or text. Received: a column of type {dtype}"
        )
    ids = column.cast(pl.String).fill_null("")
    missing = f"missing {name} id, as log.null_value spells it; with none, it is an id"
    return _Checked(
        ids,
        _fault(
            (ids.str.strip_chars() == "", f"empty {name} id"),
            (ids.is_in(nulls), missing),
            (ids.str.contains(r"[\r\n]"), f"line break in the {name} id"),
        ),
    )


def _check_times(column: pl.Series, nulls: tuple[str, ...]) -> _Checked:
    dtype = column.dtype
    if dtype in (pl.Date, pl.Datetime):
        # By hand: Polars panics at dates that are out of its range in another unit.
        per_second = _PER_SECOND[getattr(dtype, "time_unit", "d")]
        seconds = column.to_physical().cast(pl.Float64) / per_second
        return _Checked(seconds, _fault((column.is_null(), "missing time")))
    if dtype in _TEXT:
        column = column.cast(pl.String)
    elif not (dtype.is_numeric() or dtype == pl.Null):
        raise DataError(
            "The time column must hold numbers (such as Unix seconds) or dates. "
            f"Received: a column of type {dtype}"
        )
    reals, integers = _numbers(column)
    fault = _fault(
        (_is_missing(column, nulls), "missing time"),
        (reals.is_null(), "time is neither a number, such as Unix seconds, nor an ISO 8601 date"),
    )
    are_integers = not dtype.is_float() and integers.null_count() == reals.null_count()
    return _Checked(integers if are_integers else reals, fault)


def _numbers(column: pl.Series) -> tuple[pl.Series, pl.Series]:
    """Times as reals and as integers, each null where they are none."""
    reals, integers = _finite_or_null(column), column.cast(pl.Int64, strict=False)
    if column.dtype != pl.String or not reals.has_nulls():
        return reals, integers
    dates = iso_seconds(column.set(reals.is_not_null(), None)).alias("dates")
    whole = pl.when(pl.col("dates").round() == pl.col("dates")).then("dates").cast(pl.Int64)
    table = pl.DataFrame([reals.alias("reals"), integers.alias("integers"), dates])
    found = table.select(
        time=pl.coalesce("reals", "dates"), integers=pl.coalesce("integers", whole)
    )
    return found["time"], found["integers"].alias("time")


def _check_ratings(column: pl.Series, nulls: tuple[str, ...]) -> _Checked:
    if column.dtype in _TEXT:
        column = column.cast(pl.String)
    is_readable = column.dtype.is_numeric() or column.dtype == pl.String
    unread = pl.repeat(None, len(column), dtype=pl.Float64, eager=True).alias("rating")
    ratings = _finite_or_null(column) if is_readable else unread
    return _Checked(ratings, unread.cast(pl.String))


def _unread_ratings(
    rows: pl.DataFrame, checked: _Checked | None, nulls: tuple[str, ...]
) -> pl.Series | pl.Expr:
    """Whether a row has a rating that is not a number."""
    if checked is None:
        return pl.lit(False)
    return checked.values.is_null() & ~_is_missing(rows["rating"], nulls)


_CHECKS: dict[str, Callable[[pl.Series, tuple[str, ...]], _Checked]] = {
    "user": _check_ids,
    "item": _check_ids,
    "time": _check_times,
    "rating": _check_ratings,
}


def _is_missing(column: pl.Series, nulls: tuple[str, ...]) -> pl.Series:
    if column.dtype in _TEXT:
        return column.cast(pl.String).fill_null("").is_in(("", *nulls))
    return column.is_null() | column.is_nan() if column.dtype.is_float() else column.is_null()


def _finite_or_null(column: pl.Series) -> pl.Series:
    reals = column.cast(pl.Float64, strict=False)
    return reals.set(~reals.is_finite(), None)


def _fault(*cases: tuple[pl.Series, str]) -> pl.Series:
    """The reason of the first case that holds, row by row; null where none does."""
    fault = pl.lit(None, pl.String)
    for holds, reason in reversed(cases):
        fault = pl.when(holds).then(pl.lit(reason)).otherwise(fault)
    return pl.select(fault).to_series()


def _repetition(rows: pl.DataFrame) -> pl.Expr:
    if "time" not in rows.columns:
        return pl.lit(None, pl.String)
    repeats = ~pl.struct("user", "item", "time").is_first_distinct()
    return pl.when(repeats).then(pl.lit("repeats the user, item and time of an earlier row"))


def _partition(rows: pl.DataFrame) -> tuple[pl.DataFrame, tuple[BadRow, ...]]:
    """Split off the rows with a fault; the column `fault` goes with them."""
    faulty = rows.filter(pl.col("fault").is_not_null())
    return rows.filter(pl.col("fault").is_null()).drop("fault"), as_bad_rows(faulty)


def as_bad_rows(table: pl.DataFrame) -> tuple[BadRow, ...]:
    """The rows of a table with the columns `line` and `fault`."""
    return tuple(map(BadRow._make, table.select("line", "fault").iter_rows()))


def _integers_if_canonical(ids: pl.Series) -> pl.Series:
    """Int64 if every id is written as `str` writes that integer, else the text unchanged."""
    integers = ids.cast(pl.Int64, strict=False)
    return integers if (integers.cast(pl.String) == ids).fill_null(False).all() else ids
