"""Times in ISO 8601, as seconds."""

from __future__ import annotations

import polars as pl

# A date, alone or with a time, which may have a zone; the separators within each may be left out.
_DATE = r"(?<year>[0-9]{4})-?(?<month>[0-9]{2})-?(?<day>[0-9]{2})"
_TIME = r"(?<hour>[0-9]{2})(?::?(?<minute>[0-9]{2})(?::?(?<second>[0-9]{2}(?:[.,][0-9]+)?))?)?"
_ZONE = r"(?<zone>[Zz]|(?<sign>[+-])(?<zone_hour>[0-9]{2})(?::?(?<zone_minute>[0-9]{2}))?)"
_ISO = rf"^{_DATE}(?:(?:[Tt]|\s+){_TIME}(?:\s?{_ZONE})?)?$"
_LIMITS = {"hour": 23, "minute": 59, "zone_hour": 23, "zone_minute": 59}


def iso_seconds(texts: pl.Series) -> pl.Series:
    """Seconds since 1970 UTC of dates and times in ISO 8601; null for other texts.

    Without a zone a time is one of UTC, and a date its midnight. A second may be a leap second.

    Examples
    --------
    >>> texts = ["1970-01-02", "1970-01-01T01:00:00.5+01:00", "1970-01-01 00:01", "soon"]
    >>> iso_seconds(pl.Series(texts)).to_list()
    [86400.0, 0.5, 60.0, None]
    """
    parts = texts.str.strip_chars().str.extract_groups(_ISO).struct.unnest()
    date = pl.concat_str("year", "month", "day", separator="-").str.to_date(
        "%Y-%m-%d", strict=False
    )
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
