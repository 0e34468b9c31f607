"""What was measured, with its spread, as tables and as files."""

from __future__ import annotations

import dataclasses
import math
import statistics
from collections.abc import Mapping, Sequence
from typing import Any

from rich.console import Console
from rich.table import Table


@dataclasses.dataclass(frozen=True)
class Spread:
    """The median of some numbers, with the least and the greatest."""

    median: float
    least: float
    greatest: float

    @classmethod
    def of(cls, numbers: Sequence[float]) -> Spread:
        return cls(statistics.median(numbers), min(numbers), max(numbers))

    def __str__(self) -> str:
        middle, *ends = map(short, (self.median, self.least, self.greatest))
        return middle if self.least == self.greatest else f"{middle} ({ends[0]} to {ends[1]})"


def short(number: float) -> str:
    """Three digits that count, or all before the point.

    >>> short(0.012345), short(1.5), short(12345.6)
    ('0.0123', '1.50', '12,346')
    """
    if number == 0 or abs(number) >= 1000:
        return f"{number:,.0f}"
    digits = max(0, 2 - math.floor(math.log10(abs(number))))
    return f"{number:.{digits}f}"


def ratios(mine: Sequence[float], others: Sequence[float]) -> list[float]:
    """What was measured in each round, over what another had in the same round."""
    return [one / other for one, other in zip(mine, others, strict=True)]


@dataclasses.dataclass(frozen=True)
class Report:
    """One table: a row for each contender, with a number for each round.

    Attributes
    ----------
    suite
        The name of what was measured.
    title
        Of the table.
    unit
        Of the numbers.
    rows
        The numbers by the names of contenders; ratios are to the first row.
    more
        Further columns by their headings, with texts by the names of rows.
    at
        Where the table is one of a series: the name of what changes, and how much of it there is.
    notes
        Lines below the table; who was left out, and why.
    compared
        Whether rows are to be compared with the first.
    """

    suite: str
    title: str
    unit: str
    rows: Mapping[str, Sequence[float]]
    more: Mapping[str, Mapping[str, str]] = dataclasses.field(default_factory=dict)
    at: tuple[str, float] | None = None
    notes: Sequence[str] = ()
    compared: bool = True

    def spreads(self) -> dict[str, Spread]:
        return {name: Spread.of(numbers) for name, numbers in self.rows.items()}

    def ratios(self) -> dict[str, Spread]:
        """Of every row to the first, pair by pair within a round."""
        if not self.compared or not self.rows:
            return {}
        first = next(iter(self.rows.values()))
        return {name: Spread.of(ratios(mine, first)) for name, mine in self.rows.items()}

    def cells(self) -> list[list[str]]:
        """The headings, then the rows."""
        spreads, relative = self.spreads(), self.ratios()
        headings = ["", self.unit, *(["ratio to the first"] if relative else []), *self.more]
        return [
            headings,
            *(
                [
                    name,
                    str(spread),
                    *([str(relative[name])] if relative else []),
                    *(texts.get(name, "") for texts in self.more.values()),
                ]
                for name, spread in spreads.items()
            ),
        ]

    def show(self, console: Console) -> None:
        headings, *rows = self.cells()
        table = Table(title=self.title, title_justify="left")
        for number, heading in enumerate(headings):
            table.add_column(heading, justify="right" if number else "left")
        for row in rows:
            table.add_row(*row)
        if rows:
            console.print(table)
        else:
            console.print(f"{self.title}: nothing could be measured")
        for note in self.notes:
            console.print(note, markup=False)

    def markdown(self) -> str:
        headings, *rows = self.cells()
        lines = [headings, ["---"] * len(headings), *rows]
        table = [
            "| " + " | ".join(cell.replace("|", "\\|") for cell in line) + " |" for line in lines
        ]
        notes = [f"\n{note}" for note in self.notes]
        return "\n".join([f"**{self.title}**", "", *(table if rows else []), *notes, ""])

    def document(self) -> dict[str, Any]:
        """As JSON has it, with all that was measured and what was made of it."""
        medians = {
            "medians": {name: spread.median for name, spread in self.spreads().items()},
            "ratios": {name: dataclasses.astuple(s) for name, s in self.ratios().items()},
        }
        return {**dataclasses.asdict(self), **medians}
