"""The interaction log: who interacted with what, in which order, and what was wrong with it."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import NamedTuple

import polars as pl


class DataError(ValueError):
    """A problem with the user's data. Its text is fit to be shown on a command line as it is."""


class BadRow(NamedTuple):
    """A row of a log that cannot be used.

    Attributes
    ----------
    line
        Line number in the source, from 1; the row number for Parquet.
    reason
        What is wrong, in the same words for all rows with the same fault.
    """

    line: int
    reason: str


class LineSpan(NamedTuple):
    """The first and the last line of a row that takes more than one."""

    first: int
    last: int

    def __str__(self) -> str:
        return f"{self.first}–{self.last}"


def describe_bad_rows(bad_rows: Iterable[BadRow], shown: int = 5) -> str:
    """One line per reason: how many rows, and the numbers of the first `shown`.

    Examples
    --------
    >>> print(describe_bad_rows([BadRow(2, "blank line"), BadRow(7, "blank line")]))
      2 × blank line (lines 2, 7)
    """
    lines_by_reason: dict[str, list[int]] = defaultdict(list)
    for line, reason in bad_rows:
        lines_by_reason[reason].append(line)
    by_count = sorted(lines_by_reason.items(), key=lambda entry: -len(entry[1]))
    return "\n".join(
        f"  {len(lines):,} × {reason} ({_describe_lines(lines, shown)})"
        for reason, lines in by_count
    )


def counted(count: int, noun: str) -> str:
    """The count, and the noun in its number.

    Examples
    --------
    >>> counted(1, "row"), counted(2000, "row")
    ('1 row', '2,000 rows')
    """
    return f"{count:,} {noun}{'' if count == 1 else 's'}"


def _describe_lines(lines: Sequence[int | LineSpan], shown: int = 5) -> str:
    numbers = ", ".join(map(str, lines[:shown]))
    more = ", …" if len(lines) > shown else ""
    one = len(lines) == 1 and not isinstance(lines[0], LineSpan)
    return f"{'line' if one else 'lines'} {numbers}{more}"


def describe_multiline(rows: Sequence[LineSpan]) -> str:
    """How many rows take several lines, which, and what to do if they should not."""
    return (
        f"Rows that take several lines each: {len(rows):,} ({_describe_lines(rows)}). If a quote "
        "is text there, and encloses nothing, read with --set log.quote_char=none (in Python: "
        "quote_char='none')."
    )


@dataclass(frozen=True)
class ReadReport:
    """What was read, what was left out, and what is unusual in what was kept.

    Attributes
    ----------
    rows_read
        Rows in the source, bad ones included; a header is not a row.
    bad_rows
        The rows that were skipped, in the source's order.
    user_count
        Distinct users among the rows kept.
    item_count
        Distinct items among the rows kept.
    single_row_users
        Users with exactly one row.
    short_users
        Users with fewer than three rows (those with one included); they train but
        are not evaluated.
    repeated_pairs
        Rows whose (user, item) pair occurred in an earlier row; they are kept.
    multiline_rows
        The lines of each row, kept or not, that takes more than one, as a CSV row does
        whose quotes enclose a line break.
    unread_ratings
        The lines of rows whose rating is no number; they are kept, without a rating.
    """

    rows_read: int
    bad_rows: tuple[BadRow, ...]
    user_count: int
    item_count: int
    single_row_users: int
    short_users: int
    repeated_pairs: int
    multiline_rows: tuple[LineSpan, ...] = ()
    unread_ratings: tuple[int, ...] = ()

    @property
    def rows_kept(self) -> int:
        """Rows in the log."""
        return self.rows_read - len(self.bad_rows)

    def describe(self) -> str:
        """The report as text for a person: counts, then the skipped rows by reason."""
        lines = [
            f"{counted(self.rows_read, 'row')} read, {self.rows_kept:,} kept: "
            f"{counted(self.user_count, 'user')}, {counted(self.item_count, 'item')}."
        ]
        if self.short_users:
            lines.append(
                f"Users with fewer than three interactions, trained on but not evaluated: "
                f"{self.short_users:,} ({self.single_row_users:,} with one)."
            )
        if self.repeated_pairs:
            lines.append(
                f"Rows that repeat an earlier (user, item) pair, kept: {self.repeated_pairs:,}."
            )
        if self.unread_ratings:
            lines.append(
                f"Rows without a rating, since theirs is no number, kept: "
                f"{len(self.unread_ratings):,} ({_describe_lines(self.unread_ratings)})."
            )
        if self.multiline_rows:
            lines.append(describe_multiline(self.multiline_rows))
        if self.bad_rows:
            lines += [
                f"Bad rows, skipped: {len(self.bad_rows):,}.",
                describe_bad_rows(self.bad_rows),
            ]
        return "\n".join(lines)


@dataclass(frozen=True)
class InteractionLog:
    """Interactions as they stand in the source, every row of them usable.

    Attributes
    ----------
    table
        One row per interaction, in the source's order, with the columns `user` and `item`
        (each Int64 if every id in it is a canonical integer, else String, so that "007" stays
        "007"), `time` if known (Int64 or Float64, finite), `rating` if known (Float64, null
        where the source has no number) and `line` (Int64, from 1).
    report
        Counts and skipped rows.
    """

    table: pl.DataFrame
    report: ReadReport

    @property
    def has_times(self) -> bool:
        """Whether the log says when each interaction happened."""
        return "time" in self.table.columns


def report_on(
    table: pl.DataFrame,
    bad_rows: tuple[BadRow, ...],
    multiline_rows: tuple[LineSpan, ...] = (),
    unread_ratings: tuple[int, ...] = (),
) -> ReadReport:
    """Count what `ReadReport` holds in a table with the columns `user` and `item`."""
    rows_per_user = table.group_by("user").len()["len"]
    return ReadReport(
        rows_read=table.height + len(bad_rows),
        bad_rows=bad_rows,
        user_count=len(rows_per_user),
        item_count=table["item"].n_unique(),
        single_row_users=int((rows_per_user == 1).sum()),
        short_users=int((rows_per_user < 3).sum()),
        repeated_pairs=table.height - table.select("user", "item").n_unique(),
        multiline_rows=multiline_rows,
        unread_ratings=unread_ratings,
    )
