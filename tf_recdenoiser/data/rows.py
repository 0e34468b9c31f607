"""A source's rows as its reader gives them, before their values are checked."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import polars as pl

from tf_recdenoiser.data.log import ROLES, BadRow, LineSpan

NOT_TEXT = "\uffff"
"""Stands for bytes that are no UTF-8; Unicode has no such character."""


@dataclass(frozen=True)
class RawRows:
    """Rows before their values are checked.

    Attributes
    ----------
    table
        `line` (integer, from 1), `user`, `item` and, if the source has them, `time`, `rating` and
        `feedback`, of whatever type the format gives; oldest first within a user wherever times
        do not say otherwise.
    bad_rows
        Rows that could not be split into fields.
    multiline_rows
        Rows, good or bad, that take more than one line.
    headers
        Lines that repeat the header; they are no rows.
    columns
        Which columns were read, in words; empty if they have no names. See `describe_columns`.
    source
        The path of the file; None (default) for a table in memory.
    """

    table: pl.DataFrame
    bad_rows: tuple[BadRow, ...] = ()
    multiline_rows: tuple[LineSpan, ...] = ()
    headers: tuple[int, ...] = ()
    columns: str = ""
    source: str | None = None

    def __str__(self) -> str:
        return "a table" if self.source is None else repr(self.source)

    @property
    def last_line(self) -> int:
        """The greatest number of a line that is named."""
        bad = [row.line for row in self.bad_rows]
        spans = [span.last for span in self.multiline_rows]
        in_table = self.table["line"].max() if self.table.height else 0
        assert isinstance(in_table, int)
        return max([in_table, *bad, *spans, *self.headers])


def describe_columns(names: Sequence[str], taken: Mapping[str, int]) -> str:
    """Which columns are read, and what is left if none of them is known to hold times.

    Examples
    --------
    >>> describe_columns(["sku", "customer", "price"], {"user": 1, "item": 0, "rating": 2})
    "users from 'customer', items from 'sku', ratings from 'price'"
    """
    words = [f"{ROLES[role]} from {shown(names[index])}" for role, index in taken.items()]
    others = [shown(name) for index, name in enumerate(names) if index not in taken.values()]
    if "time" not in taken and others:
        more = ", …" if len(others) > 8 else ""
        listed = ", ".join(others[:8])
        words.append(f"no times (other columns: {listed}{more}; --time-column names one)")
    return ", ".join(words)


def shown(name: str) -> str:
    """A column's name between quotes, as messages have it.

    Examples
    --------
    >>> print(shown(f"Pr{NOT_TEXT}nom"))
    'Pr�nom'
    """
    return repr(name.replace(NOT_TEXT, "\ufffd"))


def as_bad_rows(table: pl.DataFrame) -> tuple[BadRow, ...]:
    """The rows of a table with the columns `line` and `fault`."""
    return tuple(map(BadRow._make, table.select("line", "fault").iter_rows()))
