"""From rows as their sources give them to a log in which every row is usable."""

from __future__ import annotations

import typing
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, Literal

import polars as pl

from tf_recdenoiser.data.feedback import Thresholds
from tf_recdenoiser.data.log import (
    OPTIONAL,
    PER_SECOND,
    BadRow,
    DataError,
    InteractionLog,
    LineNames,
    LineSpan,
    ReadReport,
    Repeats,
    counted,
    describe_bad_rows,
    describe_multiline,
)
from tf_recdenoiser.data.rows import RawRows, as_bad_rows
from tf_recdenoiser.data.times import AS_NUMBERS, TimeUnit, describe_times, in_unit
from tf_recdenoiser.data.values import CHECKS

OnBadRow = Literal["error", "skip"]
NULL_VALUES = r"NULL,null,NaN,nan,None,NA,N/A,n/a,<NA>,\N"
"""The spellings, exactly as written, of a missing value in text."""
_COLUMNS = ("line", "user", "item", "time", "rating", "disliked")


def checked_log(
    rows: pl.DataFrame | RawRows | Sequence[RawRows],
    on_bad_row: OnBadRow = "error",
    null_value: str | None = NULL_VALUES,
    time_unit: TimeUnit = "auto",
    repeats: Repeats = "keep",
    thresholds: Thresholds = Thresholds(),
) -> InteractionLog:
    """Check and type every row of a table, or of several in turn.

    A row is bad if an id is missing, empty or holds a line break, or if its time is missing or
    neither a finite number nor an ISO 8601 date. A rating that is not a number is left out, and the
    row is kept: nothing is learned from ratings. So is a row whose feedback cannot be read: it is
    unknown then.

    Parameters
    ----------
    rows
        Columns `line` (integer), `user` and `item` (integers or text), and optionally `time`
        (numbers, dates, text that holds them), `rating` (numbers, text) and `feedback` (numbers,
        booleans, text that holds them); oldest first within a user wherever times do not say
        otherwise. See also `RawRows`.
    on_bad_row
        "error" refuses a source with bad rows; "skip" leaves them out and lists them
        in the report.
    null_value
        The texts that stand for a missing value, with commas between; None if none does.
    time_unit
        The unit of times that are numbers: "s", "ms", "us", "ns", or "auto" for the one that they
        look like; see `tf_recdenoiser.data.times.read_numbers`.
    repeats
        Whether to "keep" or to "drop" a row that repeats the user, the item and the time of an
        earlier one. Without times such a row is an interaction like any other.
    thresholds
        Which feedback says that an item was disliked; none by default, for true and false.

    Raises
    ------
    DataError
        For a bad row (if `on_bad_row="error"`), for a column whose type cannot hold its
        content, for an unknown choice, if only some of several tables have times, if feedback and
        thresholds do not go together, and when no row is left.

    Examples
    --------
    >>> rows = pl.DataFrame({"line": [1, 2], "user": ["ann", "bob"], "item": ["7", "8"]})
    >>> checked_log(rows).table["item"].to_list()
    [7, 8]
    """
    _check_choice("on_bad_row", on_bad_row, OnBadRow)
    _check_choice("time_unit", time_unit, TimeUnit)
    _check_choice("repeats", repeats, Repeats)
    parts = _numbered(rows)
    nulls = _null_values(null_value)
    parsed = [_parsed(part, nulls, time_unit) for part in parts]
    _check_alike(parts, parsed)
    _check_thresholds(thresholds, parts)
    unit = max((one.unit for one in parsed), key=PER_SECOND.__getitem__)
    tables = [one.in_unit(unit) for one in parsed]
    good, faulty = _partition(pl.concat(tables, how="diagonal_relaxed"))
    bad = tuple(sorted((*_joined(parts, "bad_rows"), *faulty)))
    _check_usable(good, bad, on_bad_row, parts)
    repeating = good.filter(repeated(good))["line"]
    if repeats == "drop":
        good = good.filter(~repeated(good))
    feedback = good["feedback"] if "feedback" in good.columns else None
    if feedback is not None:
        good = good.with_columns(disliked=thresholds.disliked(feedback))
    table = good.select(name for name in _COLUMNS if name in good.columns).with_columns(
        _integers_if_canonical(good[name]) for name in ("user", "item")
    )
    kinds = {kind for one in parsed for kind in one.kinds}
    report = replace(
        _counts(table, bad),
        rows_read=table.height + len(bad) + (len(repeating) if repeats == "drop" else 0),
        multiline_rows=_joined(parts, "multiline_rows"),
        unread_ratings=tuple(good.filter("unread_rating")["line"]),
        unread_feedback=tuple(good.filter("unread_feedback")["line"]),
        repeated_rows=tuple(repeating),
        repeats=repeats,
        headers=_joined(parts, "headers"),
        columns="; ".join(dict.fromkeys(part.columns for part in parts if part.columns)),
        times=describe_times(kinds, table["time"] / PER_SECOND[unit]) if kinds else "",
        feedback=thresholds.describe(feedback) if feedback is not None else "",
        named=_names(parts),
    )
    return InteractionLog(table, report, unit)


def _counts(table: pl.DataFrame, bad: tuple[BadRow, ...]) -> ReadReport:
    # Pairs are told apart within each user: among all at once it takes eight times the room.
    of_users = table.group_by("user").agg(pl.len().alias("rows"), pl.col("item").n_unique())
    rows_per_user = of_users["rows"]
    return ReadReport(
        rows_read=table.height + len(bad),
        bad_rows=bad,
        user_count=len(rows_per_user),
        item_count=table["item"].n_unique(),
        single_row_users=int((rows_per_user == 1).sum()),
        short_users=int((rows_per_user < 3).sum()),
        repeated_pairs=table.height - int(of_users["item"].sum()),
    )


def _check_choice(name: str, value: Any, allowed: Any) -> None:
    names = typing.get_args(allowed)
    if value not in names:
        listed = ", ".join(map(repr, names[:-1]))
        raise DataError(f"`{name}` must be {listed} or {names[-1]!r}. Received: {value!r}")


def _numbered(rows: pl.DataFrame | RawRows | Sequence[RawRows]) -> list[RawRows]:
    """The parts of a log, their lines counted on from one to the next."""
    if isinstance(rows, pl.DataFrame):
        rows = RawRows(rows)
    found: list[RawRows] = []
    for part in [rows] if isinstance(rows, RawRows) else rows:
        found.append(_shifted(part, found[-1].last_line) if found else part)
    return found


def _shifted(rows: RawRows, by: int) -> RawRows:
    return replace(
        rows,
        table=rows.table.with_columns(pl.col("line").cast(pl.Int64) + by),
        bad_rows=tuple(BadRow(line + by, reason) for line, reason in rows.bad_rows),
        multiline_rows=tuple(LineSpan(one + by, two + by) for one, two in rows.multiline_rows),
        headers=tuple(line + by for line in rows.headers),
    )


def _names(parts: Sequence[RawRows]) -> LineNames:
    starts = [0, *(part.last_line for part in parts[:-1])]
    return LineNames({str(part.source): start for part, start in zip(parts, starts, strict=True)})


def _called(parts: Sequence[RawRows]) -> str:
    return str(parts[0]) if len(parts) == 1 else f"{len(parts):,} files"


def _joined(parts: Sequence[RawRows], name: str) -> tuple[Any, ...]:
    return tuple(one for part in parts for one in getattr(part, name))


def _check_usable(
    good: pl.DataFrame,
    bad: tuple[BadRow, ...],
    on_bad_row: OnBadRow,
    parts: Sequence[RawRows],
) -> None:
    """DataError if there are bad rows that are not to be skipped, or no others."""
    multiline, named, source = _joined(parts, "multiline_rows"), _names(parts), _called(parts)
    listed = f":\n{describe_bad_rows(bad, named=named)}" if bad else ""
    if multiline:
        listed += f"\n{describe_multiline(multiline, named)}"
    if bad and on_bad_row == "error":
        raise DataError(
            "Every row of a log must be usable. Correct the rows below, or leave them out with "
            "--on-bad-row skip (in Python: on_bad_row='skip'). Received: "
            f"{len(bad):,} bad of {counted(good.height + len(bad), 'row')} in {source}{listed}"
        )
    if good.is_empty():
        raise DataError(
            "A log must hold at least one usable interaction. "
            f"Received: {counted(len(bad), 'row')} in {source}, none of them usable{listed}"
        )


def _null_values(null_value: Any) -> tuple[str, ...]:
    if not isinstance(null_value, str | None):
        raise DataError(
            "`null_value` must be a text, the spellings of a missing value with commas between, "
            f"or None for no spelling. Received: {null_value!r}"
        )
    return tuple(filter(None, map(str.strip, (null_value or "").split(","))))


@dataclass(frozen=True)
class _Parsed:
    """A part's typed rows, with their `fault` and what is unread of each, and its times' kind."""

    table: pl.DataFrame
    kinds: frozenset[str]
    unit: str

    def in_unit(self, wanted: str) -> pl.DataFrame:
        """The rows with times in another unit."""
        if "time" not in self.table.columns:
            return self.table
        return self.table.with_columns(in_unit(self.table["time"], self.unit, wanted))


def _parsed(part: RawRows, nulls: tuple[str, ...], time_unit: TimeUnit) -> _Parsed:
    rows = part.table
    try:
        checked = {
            name: check(rows[name], nulls, time_unit)
            for name, check in CHECKS.items()
            if name in rows.columns
        }
    except DataError as error:
        raise DataError(f"{error} in {part}") from error
    table = rows.select(
        pl.col("line").cast(pl.Int64),
        *(column.values.alias(name) for name, column in checked.items()),
        fault=pl.coalesce(column.fault for column in checked.values()),
        **{
            f"unread_{name}": checked[name].unread if name in checked else pl.lit(False)
            for name in OPTIONAL
        },
    )
    time = checked.get("time")
    return _Parsed(table, *((frozenset(), "s") if time is None else (time.kinds, time.unit)))


def _check_alike(parts: Sequence[RawRows], parsed: Sequence[_Parsed]) -> None:
    """DataError if the times of several parts cannot be compared."""
    check_times_alike(
        {"time" in part.table.columns: part for part in parts},
        {
            AS_NUMBERS in one.kinds: part
            for one, part in zip(parsed, parts, strict=True)
            if one.kinds
        },
    )


def check_times_alike(timed: Mapping[bool, object], as_numbers: Mapping[bool, object]) -> None:
    """DataError if the times of several files cannot be compared.

    Parameters
    ----------
    timed
        A file with times, and one without, as far as there are such.
    as_numbers
        One whose times are numbers that are no seconds since 1970, and one with others.
    """
    if len(timed) > 1:
        raise DataError(
            "Either all files of a log must have times, or none; name their columns alike, or with "
            f"--time-column. Received: {timed[True]} with times and {timed[False]} without"
        )
    if len(as_numbers) > 1:
        raise DataError(
            "The times of all files of a log must be in one unit; if they are, give it with "
            f"--time-unit. Received: {as_numbers[False]}, which says when things happened, and "
            f"{as_numbers[True]}, whose times are other numbers"
        )


def _check_thresholds(thresholds: Thresholds, parts: Sequence[RawRows]) -> None:
    """DataError if there are thresholds, and no column that they are for."""
    if thresholds.given() and not any("feedback" in part.table.columns for part in parts):
        raise DataError(
            f"`{next(iter(thresholds.given()))}` must go with a column of feedback; name it with "
            f"--feedback-column (in Python: feedback_column). Received: {thresholds}, and no column"
        )


def repeated(rows: pl.DataFrame) -> pl.Expr:
    """Whether a row repeats the user, the item and the time of an earlier one."""
    if "time" not in rows.columns:
        return pl.lit(False)
    # As `_counts`, within each user.
    return ~pl.struct("item", "time").is_first_distinct().over("user")


def _partition(rows: pl.DataFrame) -> tuple[pl.DataFrame, tuple[BadRow, ...]]:
    """Split off the rows with a fault; the column `fault` goes with them."""
    faulty = rows.filter(pl.col("fault").is_not_null())
    return rows.filter(pl.col("fault").is_null()).drop("fault"), as_bad_rows(faulty)


def _integers_if_canonical(ids: pl.Series) -> pl.Series:
    """Int64 if every id is written as `str` writes that integer, else the text unchanged."""
    integers = ids.cast(pl.Int64, strict=False)
    return integers if (integers.cast(pl.String) == ids).fill_null(False).all() else ids
