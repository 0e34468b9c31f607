"""The items of a run as a person looks for them: by id and by title."""

from __future__ import annotations

import itertools
from collections.abc import Iterable
from typing import Any

import numpy as np


class Catalogue:
    """Raw ids as texts, with titles where there are any.

    Parameters
    ----------
    item_ids
        The raw ids `[item_count]`; code c is `item_ids[c - 1]`.
    titles
        A text for each, `""` where none is known; None (default) where there are none.

    Examples
    --------
    >>> tea = Catalogue(np.array([7, 70]), np.array(["Green tea", "Black tea"], object))
    >>> tea.search("black", limit=5)
    [{'id': '70', 'title': 'Black tea'}]
    >>> [found["id"] for found in tea.search("7", limit=5)], tea.codes(["70", "8"])
    (['7', '70'], [2, 0])
    """

    def __init__(self, item_ids: np.ndarray, titles: np.ndarray | None = None) -> None:
        self._ids = [str(one) for one in item_ids.tolist()]
        self._titles = [""] * len(self._ids) if titles is None else titles.tolist()
        self._code = {one: code for code, one in enumerate(self._ids, 1)}
        named = zip(self._ids, self._titles, strict=True)
        self._searched = [f"{one}\n{title}".casefold() for one, title in named]

    def __len__(self) -> int:
        return len(self._ids)

    @property
    def has_titles(self) -> bool:
        """Whether any item has one."""
        return any(self._titles)

    def codes(self, ids: Iterable[str]) -> list[int]:
        """The code of each id; 0 for what is none."""
        return [self._code.get(one, 0) for one in ids]

    def shown(self, code: int) -> dict[str, Any]:
        """The id and the title of an item."""
        return {"id": self._ids[code - 1], "title": self._titles[code - 1]}

    def search(self, text: str, limit: int) -> list[dict[str, Any]]:
        """Items whose id or title holds the text, in any case; first the one whose id it is."""
        wanted = text.casefold()
        itself = self._code.get(text, 0)
        others = (
            code for code, one in enumerate(self._searched, 1) if wanted in one and code != itself
        )
        found = itertools.chain([itself] if itself else [], others)
        return [self.shown(code) for code in itertools.islice(found, limit)]
