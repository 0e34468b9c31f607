"""The interaction log: who interacted with what, in which order, and what was wrong with it."""

from __future__ import annotations

from bisect import bisect_right
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Literal, NamedTuple

import polars as pl

Repeats = Literal["keep", "drop"]
ROLES = {
    "user": "users",
    "item": "items",
    "time": "times",
    "rating": "ratings",
    "feedback": "feedback",
}
"""What a log's columns hold, by what each row has of it."""
OPTIONAL = ("rating", "feedback")
"""What a row can be without, though others have it."""
PER_SECOND = {"s": 1, "ms": 10**3, "us": 10**6, "ns": 10**9}
"""The units of times."""


class DataError(ValueError):
    """A problem with the user's data. Its text is fit to be shown on a command line as it is."""


class MissingColumnError(DataError):
    """A log does not have a column that was named.

    Parameters
    ----------
    message
        What is wrong.
    roles
        What the columns that are missing were to hold: keys of `ROLES`.
    """

    def __init__(self, message: str, roles: Sequence[str]) -> None:
        super().__init__(message)
        self.roles = tuple(roles)


class BadRow(NamedTuple):
    """A row of a log that cannot be used.

    Attributes
    ----------
    line
        Line number in the source, from 1; the row number for Parquet and tables. In a log of
        several files it counts on through all of them: see `LineNames`.
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


@dataclass(frozen=True)
class LineNames:
    """What a person calls the lines of a log that several files make up.

    Attributes
    ----------
    starts
        The files' names in order, each with how many lines come before it; with one file or none,
        a line is called by its number alone.

    Examples
    --------
    >>> LineNames({"may.csv": 0, "june.csv": 30})(31)
    'june.csv:1'
    """

    starts: Mapping[str, int] = field(default_factory=dict)

    def __call__(self, line: int | LineSpan) -> str:
        """The name of a line, or of the lines of one row."""
        if len(self.starts) < 2:
            return str(line)
        first = line.first if isinstance(line, LineSpan) else line
        name, before = list(self.starts.items())[
            bisect_right(list(self.starts.values()), first - 1) - 1
        ]
        if isinstance(line, LineSpan):
            return f"{name}:{LineSpan(line.first - before, line.last - before)}"
        return f"{name}:{line - before}"


def describe_bad_rows(
    bad_rows: Iterable[BadRow], shown: int = 5, named: LineNames = LineNames()
) -> str:
    """One line per reason: how many rows, and the names of the lines of the first `shown`.

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
        f"  {len(lines):,} × {reason} ({describe_lines(lines, shown, named)})"
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


def describe_lines(
    lines: Sequence[int | LineSpan], shown: int = 5, named: LineNames = LineNames()
) -> str:
    """The names of the first `shown` lines, in brackets' words: "line 3" or "lines 2, 7, …"."""
    names = ", ".join(map(named, lines[:shown]))
    more = ", …" if len(lines) > shown else ""
    one = len(lines) == 1 and not isinstance(lines[0], LineSpan)
    return f"{'line' if one else 'lines'} {names}{more}"


def describe_multiline(rows: Sequence[LineSpan], named: LineNames = LineNames()) -> str:
    """How many rows take several lines, which, and what to do if they should not."""
    return (
        f"Rows that take several lines each: {len(rows):,} ({describe_lines(rows, 5, named)}). If "
        "a quote is text there, and encloses nothing, read with --set log.quote_char=none (in "
        "Python: quote_char='none')."
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
    unread_feedback
        The lines of rows whose feedback is neither a number nor yes or no; they are kept, and
        whether the item was liked is unknown.
    repeated_rows
        The lines of rows that repeat the user, the item and the time of an earlier one.
    repeats
        What became of those: "keep" or "drop".
    headers
        The lines that repeat their file's header, as where files were joined; they are no rows.
    columns
        Which columns were read, in words; empty if they have no names.
    times
        What the times are, and from when to when, in words; empty if the log has none.
    feedback
        How many rows are disliked, liked, neither and unknown, in words; empty if no column says.
    named
        What the lines are called in `describe`.
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
    unread_feedback: tuple[int, ...] = ()
    repeated_rows: tuple[int, ...] = ()
    repeats: Repeats = "keep"
    headers: tuple[int, ...] = ()
    columns: str = ""
    times: str = ""
    feedback: str = ""
    named: LineNames = LineNames()

    @property
    def rows_kept(self) -> int:
        """Rows in the log."""
        return self.rows_read - len(self.bad_rows) - self.rows_dropped

    @property
    def rows_dropped(self) -> int:
        """Rows left out since they repeat an earlier one."""
        return len(self.repeated_rows) if self.repeats == "drop" else 0

    def describe(self) -> str:
        """The report as text for a person: counts, what was found, then the skipped rows."""
        return "\n".join(filter(None, self._sentences()))

    def _sentences(self) -> Iterator[str]:
        yield (
            f"{counted(self.rows_read, 'row')} read, {self.rows_kept:,} kept: "
            f"{counted(self.user_count, 'user')}, {counted(self.item_count, 'item')}."
        )
        yield self.columns and f"Columns: {self.columns}."
        yield self.times and f"Times: {self.times}."
        yield self.feedback and f"Feedback: {self.feedback}."
        if self.short_users:
            yield (
                f"Users with fewer than three interactions, trained on but not evaluated: "
                f"{self.short_users:,} ({self.single_row_users:,} with one)."
            )
        if self.repeated_pairs:
            yield f"Rows that repeat an earlier (user, item) pair, kept: {self.repeated_pairs:,}."
        if self.repeated_rows:
            yield (
                "Rows with the user, the item and the time of an earlier one, "
                f"{_REPEATS[self.repeats]}: {self._counted(self.repeated_rows)}."
            )
        if self.unread_ratings:
            yield (
                "Rows without a rating, since theirs is no number, kept: "
                f"{self._counted(self.unread_ratings)}."
            )
        if self.unread_feedback:
            yield (
                "Rows whose feedback is unknown, since theirs is neither a number nor yes or no, "
                f"kept: {self._counted(self.unread_feedback)}."
            )
        if self.headers:
            yield (
                "Headers once more, as where files were joined, passed over: "
                f"{self._counted(self.headers)}."
            )
        if self.multiline_rows:
            yield describe_multiline(self.multiline_rows, self.named)
        if self.bad_rows:
            yield f"Bad rows, skipped: {len(self.bad_rows):,}."
            yield describe_bad_rows(self.bad_rows, named=self.named)

    def _counted(self, lines: Sequence[int]) -> str:
        return f"{len(lines):,} ({describe_lines(lines, named=self.named)})"


_REPEATS = {"keep": "kept (--repeats drop leaves them out)", "drop": "left out"}


@dataclass(frozen=True)
class InteractionLog:
    """Interactions as they stand in the source, every row of them usable.

    Attributes
    ----------
    table
        One row per interaction, in the source's order, with the columns `user` and `item`
        (each Int64 if every id in it is a canonical integer, else String, so that "007" stays
        "007"), `time` if known (in `time_unit`; Int64 if all are whole, else Float64), `rating`
        if known (Float64, null where the source has no number), `disliked` if a column says so
        (Float64: 1 disliked, 0 liked, 0.5 neither, null unknown) and `line` (Int64, from 1).
    report
        Counts and skipped rows.
    time_unit
        "s" (default), "ms", "us" or "ns": how exactly the source has the times.
    """

    table: pl.DataFrame
    report: ReadReport
    time_unit: str = "s"

    @property
    def has_times(self) -> bool:
        """Whether the log says when each interaction happened."""
        return "time" in self.table.columns

    @property
    def seconds(self) -> pl.Series | None:
        """The times in seconds, since 1970 if the source says so; None if the log has none."""
        if not self.has_times:
            return None
        return self.table["time"].cast(pl.Float64) / PER_SECOND[self.time_unit]
