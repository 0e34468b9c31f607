"""Files that do not name their columns: what they most probably hold, and when that is certain."""

from __future__ import annotations

import re
from collections.abc import Sequence

import polars as pl

from tf_recdenoiser.data.times import AS_NUMBERS, iso_seconds, read_numbers

RATINGS = ("user", "item", "rating", "time")
_LOOKED_AT = 200
# Amazon's ids of reviewers and of products, which no other shop has.
_REVIEWER, _PRODUCT = r"^A[0-9A-Z]{9,30}$", r"^(B[0-9A-Z]{9}|[0-9]{9}[0-9X])$"
_NUMBER = r"^-?[0-9]+([.][0-9]+)?$"
_STARS = r"^(0[.]5|[1-4]([.][05])?|5([.]0)?)$"
_WHOLE = r"^[0-9]+$"


def is_value(field: str) -> bool:
    """Whether a field is a number or a date, and so no name of a column."""
    return bool(re.match(_NUMBER, field)) or iso_seconds(pl.Series([field])).null_count() == 0


def known_columns(records: Sequence[Sequence[str]], separator: str) -> tuple[str, ...] | None:
    """The columns of a file without a header that is one of three kinds; None for any other.

    MovieLens has `user::item::rating::time` in `ratings.dat` and the same between tabs in `u.data`.
    Amazon's ratings are `user,item,rating,time` or `item,user,rating,time`, as their ids tell.

    Parameters
    ----------
    records
        The fields of lines, from the first on.
    separator
        What stands between them.

    Examples
    --------
    >>> known_columns([["1", "1193", "5", "978300760"]], "::")
    ('user', 'item', 'rating', 'time')
    >>> known_columns([["1", "1193", "5", "978300760"]], ",")
    """
    columns = _columns(records)
    if len(columns) != len(RATINGS) or not (
        _is_rating(columns[2], _STARS) and _is_time(columns[3])
    ):
        return None
    if separator in ("::", "\t"):
        numbered = all(column.str.contains(_WHOLE).all() for column in columns[:2])
        return RATINGS if numbered else None
    amazon = [
        ("user" if column.str.contains(_REVIEWER).all() else "item")
        for column in columns[:2]
        if column.str.contains(rf"{_REVIEWER}|{_PRODUCT}").all()
    ]
    return (*amazon, *RATINGS[2:]) if sorted(amazon) == ["item", "user"] else None


def likely_columns(records: Sequence[Sequence[str]]) -> tuple[str, ...]:
    """Names for the columns of a file without a header, to be looked at by a person.

    Examples
    --------
    >>> likely_columns([["7", "tea", "2024-05-17"], ["8", "rice", "2024-05-18"]])
    ('user', 'item', 'time')
    """
    columns = _columns(records)
    names = dict.fromkeys(range(len(columns)), "_")
    time = next((index for index, one in enumerate(columns) if _is_time(one)), None)
    if time is not None:
        names[time] = "time"
    free = [index for index in names if index != time]
    names.update(zip(free, ("user", "item"), strict=False))
    for index in free[2:]:
        if _is_rating(columns[index], _NUMBER) and "rating" not in names.values():
            names[index] = "rating"
    return tuple(names.values())


def _columns(records: Sequence[Sequence[str]]) -> list[pl.Series]:
    """The fields by column, of those of the first lines that have as many as the first."""
    width = len(records[0])
    kept = [record for record in records[:_LOOKED_AT] if len(record) == width]
    return [pl.Series([field.strip() for field in column]) for column in zip(*kept, strict=True)]


def _is_rating(column: pl.Series, pattern: str) -> bool:
    fits = column.str.contains(pattern).all()
    return fits and column.cast(pl.Float64).is_between(0, 10).all()


def _is_time(column: pl.Series) -> bool:
    if column.str.contains(_NUMBER).all():
        return read_numbers(column.cast(pl.Float64), "auto").kind != AS_NUMBERS
    return iso_seconds(column).null_count() == 0
