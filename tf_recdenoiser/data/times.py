"""Times as seconds: dates in ISO 8601, and numbers whose unit is given or found."""

from __future__ import annotations

import datetime
from typing import Literal, NamedTuple

import polars as pl

from tf_recdenoiser.data.log import PER_SECOND

TimeUnit = Literal["auto", "s", "ms", "us", "ns"]
_UNITS = {"s": "seconds", "ms": "milliseconds", "us": "microseconds", "ns": "nanoseconds"}
# Seconds since 1970 of 1990 and 2100. The ranges of two units have nothing in common.
_EARLIEST, _LATEST = 631_152_000, 4_102_444_800
AS_NUMBERS = "numbers as they stand"
DATES = "dates in ISO 8601"

# A date, alone or with a time, which may have a zone; the separators within each may be left out.
_DATE = r"(?<year>[0-9]{4})(?:[-/](?<month>[0-9]{1,2})[-/](?<day>[0-9]{1,2})|(?<md>[0-9]{4}))"
_TIME = r"(?<hour>[0-9]{2})(?::?(?<minute>[0-9]{2})(?::?(?<second>[0-9]{2}(?:[.,][0-9]+)?))?)?"
_ZONE = r"(?<zone>[Zz]|UTC|GMT|(?<sign>[+-])(?<zone_hour>[0-9]{2})(?::?(?<zone_minute>[0-9]{2}))?)"
_ISO = rf"^{_DATE}(?:(?:[Tt]|\s+){_TIME}(?:\s?{_ZONE})?)?$"
_LIMITS = {"hour": 23, "minute": 59, "zone_hour": 23, "zone_minute": 59}


def iso_seconds(texts: pl.Series) -> pl.Series:
    """Seconds since 1970 UTC of dates and times in ISO 8601; null for other texts.

    Without a zone a time is one of UTC, and a date its midnight. A second may be a leap second.
    Slashes may stand for the hyphens, and UTC or GMT for Z.

    Examples
    --------
    >>> texts = ["1970-01-02", "1970-01-01T01:00:00.5+01:00", "1970-01-01 00:01", "soon"]
    >>> iso_seconds(pl.Series(texts)).to_list()
    [86400.0, 0.5, 60.0, None]
    """
    parts = texts.str.strip_chars().str.extract_groups(_ISO).struct.unnest()
    month = pl.coalesce(pl.col("month").str.zfill(2), pl.col("md").str.head(2))
    day = pl.coalesce(pl.col("day").str.zfill(2), pl.col("md").str.tail(2))
    date = pl.concat_str("year", month, day, separator="-").str.to_date("%Y-%m-%d", strict=False)
    numbers = {name: pl.col(name).cast(pl.Float64).fill_null(0) for name in _LIMITS}
    second = pl.col("second").str.replace(",", ".", literal=True).cast(pl.Float64).fill_null(0)
    offset = numbers["zone_hour"] * 3600 + numbers["zone_minute"] * 60
    seconds = (
        date.cast(pl.Int64) * 86_400.0
        + numbers["hour"] * 3600
        + numbers["minute"] * 60
        + second
        - pl.when(pl.col("sign") == "-").then(-offset).otherwise(offset)
    )
    possible = (second < 61) & pl.all_horizontal(
        numbers[name] <= limit for name, limit in _LIMITS.items()
    )
    return parts.select(pl.when(possible).then(seconds)).to_series()


class FoundTimes(NamedTuple):
    """Times, their unit, what they are in words, and what is wrong with each (null: nothing)."""

    values: pl.Series
    unit: str
    kind: str
    fault: pl.Series


def read_numbers(numbers: pl.Series, unit: TimeUnit) -> FoundTimes:
    """Numbers with the unit that is given, or with the one that most of them are in.

    A number in the range of a unit's years 1990 to 2099 is taken for one in that unit. If most
    numbers are in one of these ranges, the unit with the most of them holds for all, and a number
    in the range of another is at fault. If not, the numbers are taken as they stand. Whole numbers
    are dates if all of them are dates of these years written as 20240517.

    Parameters
    ----------
    numbers
        Int64 or Float64; null where there is none.
    unit
        "auto", or the unit of all.

    Examples
    --------
    >>> read_numbers(pl.Series([1715934605000, 1715934606500]), "auto")[1:3]
    ('ms', 'Unix milliseconds')
    >>> read_numbers(pl.Series([19950101, 20240517]), "auto").values.to_list()
    [788918400, 1715904000]
    """
    fault = pl.repeat(None, len(numbers), dtype=pl.String, eager=True)
    if unit != "auto":
        return FoundTimes(numbers, unit, _kind(unit), fault)
    if (dates := _plain_dates(numbers)) is not None:
        return FoundTimes(dates, "s", DATES, fault)
    inside = {
        one: numbers.is_between(_EARLIEST * per, _LATEST * per, closed="left").fill_null(False)
        for one, per in PER_SECOND.items()
    }
    counts = {one: int(is_inside.sum()) for one, is_inside in inside.items()}
    if 2 * sum(counts.values()) <= numbers.count():
        return FoundTimes(numbers, "s", AS_NUMBERS, fault)
    most = max(counts, key=lambda one: counts[one])
    for one in PER_SECOND:
        if one != most and counts[one]:
            reason = (
                f"a time that looks like {_kind(one)}, where most are {_kind(most)}; correct it, "
                "or give the unit of all with --time-unit"
            )
            fault = fault.set(inside[one], reason)
    return FoundTimes(numbers, most, _kind(most), fault)


def _kind(unit: str) -> str:
    return f"Unix {_UNITS[unit]}"


def _plain_dates(numbers: pl.Series) -> pl.Series | None:
    known = numbers.drop_nulls()
    if numbers.dtype != pl.Int64 or not known.is_between(19_900_101, 20_991_231).all():
        return None
    dates = iso_seconds(numbers.cast(pl.String))
    found = dates.null_count() == numbers.null_count() < len(numbers)
    return dates.cast(pl.Int64) if found else None


def integers_if_whole(values: pl.Series) -> pl.Series:
    """Int64, if that holds each of the values exactly."""
    whole = (values.round() == values) & (values.abs() < 2.0**53)
    return values.cast(pl.Int64) if whole.all() else values


def in_unit(values: pl.Series, unit: str, wanted: str) -> pl.Series:
    """Times of a unit in a finer one, whole numbers as such where there is room.

    Examples
    --------
    >>> in_unit(pl.Series([7, None]), "s", "ms").to_list()
    [7000, None]
    """
    factor = PER_SECOND[wanted] // PER_SECOND[unit]
    if factor == 1:
        return values
    room = values.dtype == pl.Int64 and (values.abs() < 2**63 // factor).all()
    return values * factor if room else values.cast(pl.Float64) * float(factor)


def describe_times(kinds: set[str], times: pl.Series) -> str:
    """What times are, and the first and the last of them.

    Examples
    --------
    >>> describe_times({"Unix seconds"}, pl.Series([1715934605, 1715984605]))
    'Unix seconds, 2024-05-17 to 2024-05-17'
    >>> describe_times({"numbers as they stand"}, pl.Series([3, 1]))
    'numbers as they stand, 1 to 3 (--time-unit says what they are)'
    """
    first, last = (float(end) for end in (times.min(), times.max()))  # type: ignore[arg-type]
    what = " and ".join(sorted(kinds, key=str.lower))
    if AS_NUMBERS in kinds:
        return f"{what}, {first:,.10g} to {last:,.10g} (--time-unit says what they are)"
    return f"{what}, {_day(first)} to {_day(last)}"


def _day(seconds: float) -> str:
    try:
        moment = datetime.datetime(1970, 1, 1) + datetime.timedelta(seconds=seconds)
    except OverflowError:
        return f"{seconds:,.10g} s"
    return moment.date().isoformat()
