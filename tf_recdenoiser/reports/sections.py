"""What a section of a page is made of."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from typing import Any

from markupsafe import Markup
from matplotlib.figure import Figure

from tf_recdenoiser.reports.pictures import as_svg


@dataclasses.dataclass(frozen=True)
class Picture:
    """A picture, and what is said below it.

    Attributes
    ----------
    svg
        As `as_svg` makes it.
    caption
        Empty for none.
    """

    svg: Markup
    caption: str = ""

    @classmethod
    def of(cls, figure: Figure, description: str, caption: str = "") -> Picture:
        """A figure that was made within `drawing()`; `description` is for those who do not see."""
        return cls(as_svg(figure, description), caption)


@dataclasses.dataclass(frozen=True)
class Table:
    """A table; the first cell of a row says what the row is about.

    Attributes
    ----------
    columns
        Their names, C.
    rows
        Of C cells each.
    caption
        Empty for none.
    """

    columns: Sequence[str]
    rows: Sequence[Sequence[object]]
    caption: str = ""


@dataclasses.dataclass(frozen=True)
class Entry:
    """One line of a card.

    Attributes
    ----------
    text
        What the line is about.
    share
        In [0, 1]: drawn as a bar.
    value
        The same, or more, in words or figures.
    is_marked
        Whether the line stands out; false by default.
    """

    text: str
    share: float
    value: str
    is_marked: bool = False


@dataclasses.dataclass(frozen=True)
class Card:
    """A list of lines in a frame, such as one history.

    Attributes
    ----------
    title
        Above the list.
    entries
        In order.
    note
        Below the list; empty (default) for none.
    """

    title: str
    entries: Sequence[Entry]
    note: str = ""


@dataclasses.dataclass(frozen=True)
class Section:
    """One section of a page.

    Attributes
    ----------
    name
        By which the numbers are known to other programs.
    title
        Its heading.
    about
        How to read it, in a few sentences.
    numbers
        What it shows, for other programs: JSON values.
    pictures, cards, tables
        In the order of the page; none by default.
    note
        Said at the end; empty (default) for nothing.
    """

    name: str
    title: str
    about: str
    numbers: Any = None
    pictures: Sequence[Picture] = ()
    cards: Sequence[Card] = ()
    tables: Sequence[Table] = ()
    note: str = ""
