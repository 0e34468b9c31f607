"""The values of a log's columns, one column at a time: typed, and what is wrong with each."""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

import polars as pl

from tf_recdenoiser.data.log import DataError
from tf_recdenoiser.data.rows import NOT_TEXT, shown
from tf_recdenoiser.data.times import (
    DATES,
    TimeUnit,
    in_unit,
    integers_if_whole,
    iso_seconds,
    read_numbers,
)

_TEXT = (pl.String, pl.Categorical, pl.Enum)
_DATES = frozenset({"dates"})
_YES_AND_NO = {
    **dict.fromkeys(("true", "yes", "t", "y"), "1"),
    **dict.fromkeys(("false", "no", "f", "n"), "0"),
}


class Checked(NamedTuple):
    """A column's values, what is wrong with each (null: nothing); of times, what they are.

    Of what a row can be without, also whether it is there and `unread`; empty for other columns.
    """

    values: pl.Series
    fault: pl.Series
    kinds: frozenset[str] = frozenset()
    unit: str = "s"
    unread: pl.Series = pl.Series(dtype=pl.Boolean)


def _check_ids(column: pl.Series, nulls: tuple[str, ...], _: TimeUnit) -> Checked:
    name = column.name
    if column.dtype.is_float():
        column = _whole(column)
    if not (column.dtype.is_integer() or column.dtype in (*_TEXT, pl.Null)):
        raise DataError(
            f"The {name} ids must be integers or text. Received: a column of type {column.dtype}"
        )
    ids = column.cast(pl.String).fill_null("")
    missing = f"missing {name} id, as log.null_value spells it; with none, it is an id"
    return Checked(
        ids,
        _fault(
            (ids.str.strip_chars() == "", f"empty {name} id"),
            (ids.is_in(nulls), missing),
            (ids.str.contains(r"[\r\n]"), f"line break in the {name} id"),
            (_is_broken(ids), _not_text(f"{name} id")),
        ),
    )


def _whole(column: pl.Series) -> pl.Series:
    """Whole numbers, as which ids come that are floats where some are missing; else the column."""
    known = column.fill_nan(None)
    # Beyond, not every whole number is a float.
    whole = (known.round() == known) & (known.abs() <= 2.0**53)
    return known.cast(pl.Int64) if whole.all() else column


def _is_broken(texts: pl.Series) -> pl.Series:
    return texts.str.contains(NOT_TEXT, literal=True)


def _not_text(what: str) -> str:
    return f"bytes in the {what} that are no UTF-8 text; convert the file to UTF-8"


def _check_times(column: pl.Series, nulls: tuple[str, ...], unit: TimeUnit) -> Checked:
    dtype = column.dtype
    if dtype in (pl.Date, pl.Datetime):
        days = dtype == pl.Date
        times = column.to_physical().cast(pl.Int64) * (86_400 if days else 1)
        fault = _fault((column.is_null(), "missing time"))
        return Checked(times, fault, _DATES, "s" if days else dtype.time_unit)  # type: ignore[attr-defined]
    if dtype in _TEXT:
        column = column.cast(pl.String)
    elif not (dtype.is_numeric() or dtype == pl.Null):
        raise DataError(
            "The time column must hold numbers (such as Unix seconds) or dates. "
            f"Received: a column of type {dtype}"
        )
    found = _times_in(column, unit)
    broken = _is_broken(column) if column.dtype == pl.String else pl.lit(False)
    fault = _fault(
        (is_missing(column, nulls), "missing time"),
        (broken, _not_text("time")),
        (
            found.values.is_null(),
            "time is neither a number, such as Unix seconds, nor an ISO 8601 date",
        ),
    )
    return found._replace(fault=_either(fault, found.fault))


def _times_in(column: pl.Series, unit: TimeUnit) -> Checked:
    """The numbers and the dates of a column, null where it holds neither."""
    reals, integers = _finite_or_null(column), column.cast(pl.Int64, strict=False)
    are_integers = not column.dtype.is_float() and integers.null_count() == reals.null_count()
    numbers = read_numbers(integers if are_integers else reals, unit)
    kinds = {numbers.kind} if reals.count() else set()
    if column.dtype != pl.String or not reals.has_nulls():
        return Checked(numbers.values, numbers.fault, frozenset(kinds), numbers.unit)
    dates = iso_seconds(column.set(reals.is_not_null(), None))
    kinds |= {DATES} if dates.count() else set()
    dates = in_unit(integers_if_whole(dates), "s", numbers.unit)
    return Checked(_either(numbers.values, dates), numbers.fault, frozenset(kinds), numbers.unit)


def _either(first: pl.Series, second: pl.Series) -> pl.Series:
    """The first where it is not null, else the second."""
    both = pl.DataFrame([first.alias("0"), second.alias("1")])
    return both.select(pl.coalesce("0", "1")).to_series()


def _check_ratings(column: pl.Series, nulls: tuple[str, ...], _: TimeUnit) -> Checked:
    if column.dtype in _TEXT:
        column = column.cast(pl.String)
    is_readable = column.dtype.is_numeric() or column.dtype == pl.String
    none = pl.repeat(None, len(column), dtype=pl.Float64, eager=True).alias("rating")
    return _optional(column, _finite_or_null(column) if is_readable else none, nulls)


def _check_feedback(column: pl.Series, nulls: tuple[str, ...], _: TimeUnit) -> Checked:
    """Numbers; 1 and 0 for yes and no."""
    if column.dtype in _TEXT:
        column = column.cast(pl.String).str.strip_chars()
    elif not (column.dtype.is_numeric() or column.dtype in (pl.Boolean, pl.Null)):
        raise _no_feedback(f"a column of type {column.dtype}")
    checked = _optional(column, _finite_or_null(_numbers(column)), nulls)
    unread = column.filter(checked.unread)
    if len(unread) > 0 and len(unread) >= checked.values.count():
        raise _no_feedback(shown(str(unread[0])[:80]))
    return checked


def _no_feedback(received: str) -> DataError:
    return DataError(
        "A feedback column must hold numbers, or yes and no; name another with --feedback-column "
        f"(in Python: feedback_column). Received: {received}"
    )


def _numbers(column: pl.Series) -> pl.Series:
    """What can be cast to the numbers that stand in a column, or that its words stand for."""
    if column.dtype == pl.Float32:
        return column.cast(pl.String)  # in which 4.2 is the 4.2 of a threshold
    if column.dtype == pl.String:
        return column.str.to_lowercase().replace(_YES_AND_NO)
    return column


def _optional(column: pl.Series, values: pl.Series, nulls: tuple[str, ...]) -> Checked:
    """Values that a row can be without: null where the column has none, or one that is unread."""
    missing = is_missing(column, nulls)
    fault = pl.repeat(None, len(column), dtype=pl.String, eager=True)
    return Checked(values.set(missing, None), fault, unread=values.is_null() & ~missing)


def is_missing(column: pl.Series, nulls: tuple[str, ...]) -> pl.Series:
    """Whether there is no value: null, NaN, empty or one of the texts `nulls`."""
    if column.dtype in _TEXT:
        return column.cast(pl.String).fill_null("").is_in(("", *nulls))
    return column.is_null() | column.is_nan() if column.dtype.is_float() else column.is_null()


def _finite_or_null(column: pl.Series) -> pl.Series:
    reals = column.cast(pl.Float64, strict=False)
    return reals.set(~reals.is_finite(), None)


def _fault(*cases: tuple[pl.Series | pl.Expr, str]) -> pl.Series:
    """The reason of the first case that holds, row by row; null where none does."""
    fault = pl.lit(None, pl.String)
    for holds, reason in reversed(cases):
        fault = pl.when(holds).then(pl.lit(reason)).otherwise(fault)
    return pl.select(fault).to_series()


CHECKS: dict[str, Callable[[pl.Series, tuple[str, ...], TimeUnit], Checked]] = {
    "user": _check_ids,
    "item": _check_ids,
    "time": _check_times,
    "rating": _check_ratings,
    "feedback": _check_feedback,
}
"""What checks each column, by what it holds; all take the spellings of a missing value too."""
