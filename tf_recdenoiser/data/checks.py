"""From rows as a source gives them to a log in which every row is usable."""

from __future__ import annotations

from collections.abc import Callable
from typing import Literal, NamedTuple

import polars as pl

from tf_recdenoiser.data.log import (
    BadRow,
    DataError,
    InteractionLog,
    describe_bad_rows,
    report_on,
)

OnBadRow = Literal["error", "skip"]


def checked_log(
    rows: pl.DataFrame,
    bad_rows: tuple[BadRow, ...] = (),
    on_bad_row: OnBadRow = "error",
    source: str = "a table",
) -> InteractionLog:
    """Check and type every row of a table.

    A row is bad if an id is empty or holds a line break, if its time is missing or not a finite
    number, if its rating is neither empty nor a number, or if it repeats the user, item and time
    of an earlier good row. Without times a repeated (user, item) pair is a legitimate interaction.

    Parameters
    ----------
    rows
        Columns `line` (integer), `user` and `item` (integers or text), and optionally `time`
        (numbers, text that holds numbers, dates) and `rating` (numbers, text); oldest first
        within a user wherever times do not say otherwise.
    bad_rows
        Rows of the same source that were found unusable before they came here.
    on_bad_row
        "error" refuses a source with bad rows; "skip" leaves them out and lists them
        in the report.
    source
        What to call the source in messages.

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
    checked = [check(rows[name]) for name, check in _CHECKS.items() if name in rows.columns]
    parsed = rows.select(
        pl.col("line").cast(pl.Int64),
        *(column.values for column in checked),
        fault=pl.coalesce(column.fault for column in checked),
    )
    good, faulty = _partition(parsed)
    good, repeating = _partition(good.with_columns(fault=_repetition(good)))
    all_bad = tuple(sorted((*bad_rows, *faulty, *repeating)))
    if all_bad and on_bad_row == "error":
        raise DataError(
            "Every row of a log must be usable. Correct the rows below, or leave them out with "
            "--on-bad-row skip (in Python: on_bad_row='skip'). "
            f"Received: {len(all_bad):,} bad of {good.height + len(all_bad):,} rows in {source}:\n"
            f"{describe_bad_rows(all_bad)}"
        )
    if good.is_empty():
        raise DataError(
            "A log must hold at least one usable interaction. "
            f"Received: {len(all_bad):,} rows in {source}, none of them usable"
            + (f":\n{describe_bad_rows(all_bad)}" if all_bad else "")
        )
    table = good.with_columns(_integers_if_canonical(good[name]) for name in ("user", "item"))
    return InteractionLog(table=table, report=report_on(table, all_bad))


class _Checked(NamedTuple):
    """A column's parsed values, and for each row what is wrong with it (null: nothing)."""

    values: pl.Series
    fault: pl.Series


def _check_ids(column: pl.Series) -> _Checked:
    dtype = column.dtype
    if not (dtype.is_integer() or dtype in (pl.String, pl.Categorical, pl.Enum, pl.Null)):
        raise DataError(
            f"The {column.name} ids must be integers or text. Received: a column of type {dtype}"
        )
    ids = column.cast(pl.String).fill_null("")
    return _Checked(
        ids,
        _fault(
            (ids.str.strip_chars() == "", f"empty {column.name} id"),
            (ids.str.contains(r"[\r\n]"), f"line break in the {column.name} id"),
        ),
    )


def _check_times(column: pl.Series) -> _Checked:
    dtype = column.dtype
    if dtype in (pl.Date, pl.Datetime):
        microseconds = column.cast(pl.Datetime("us")).dt.epoch("us")
        return _Checked(microseconds / 1e6, _fault((column.is_null(), "missing time")))
    if not (dtype.is_numeric() or dtype in (pl.String, pl.Null)):
        raise DataError(
            "The time column must hold numbers (such as Unix seconds) or dates. "
            f"Received: a column of type {dtype}"
        )
    reals = _finite_or_null(column)
    fault = _fault(
        (_is_empty(column), "missing time"),
        (reals.is_null(), "time is not a number, such as Unix seconds"),
    )
    if dtype.is_integer() or dtype == pl.String:
        integers = column.cast(pl.Int64, strict=False)
        if integers.null_count() == reals.null_count():
            return _Checked(integers, fault)
    return _Checked(reals, fault)


def _check_ratings(column: pl.Series) -> _Checked:
    if not (column.dtype.is_numeric() or column.dtype in (pl.String, pl.Null)):
        raise DataError(
            f"The rating column must hold numbers. Received: a column of type {column.dtype}"
        )
    ratings = _finite_or_null(column)
    return _Checked(
        ratings, _fault((ratings.is_null() & ~_is_empty(column), "rating is not a number"))
    )


_CHECKS: dict[str, Callable[[pl.Series], _Checked]] = {
    "user": _check_ids,
    "item": _check_ids,
    "time": _check_times,
    "rating": _check_ratings,
}


def _is_empty(column: pl.Series) -> pl.Series:
    return column.fill_null("") == "" if column.dtype == pl.String else column.is_null()


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
