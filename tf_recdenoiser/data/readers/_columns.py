"""Which column of a source holds the users, the items, the times and the ratings."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import polars as pl

from tf_recdenoiser.data.log import DataError

# Without a name given, these are tried from left to right. Case and everything but letters and
# digits are ignored, so that "userid" stands for user_id, userId, "User ID" and so on.
TRIED = {
    "user": ("user", "userid", "uid", "customerid", "visitorid", "reviewerid"),
    "item": ("item", "itemid", "iid", "productid", "movieid", "asin"),
    "time": ("time", "timestamp", "unixtime", "unixreviewtime", "datetime", "date"),
    "rating": ("rating", "ratings", "stars", "overall"),
}
REQUIRED = ("user", "item")
_ARTICLES = {"user": "a", "item": "an", "time": "a", "rating": "a"}


@dataclass(frozen=True)
class ColumnNames:
    """The column names that were asked for; None leaves the choice to `resolve`."""

    user: str | None = None
    item: str | None = None
    time: str | None = None
    rating: str | None = None

    def given(self) -> dict[str, str]:
        """The names that are not None, by role."""
        return {role: name for role in TRIED if (name := getattr(self, role)) is not None}

    def resolve(self, found: Sequence[str]) -> dict[str, int]:
        """The index in `found` of the column for each role that is there.

        Raises
        ------
        DataError
            If a name that was given, or any name for the users or the items, is not
            among `found`, or if it is there more than once.

        Examples
        --------
        >>> ColumnNames(item="sku").resolve(["userId", "sku", "price"])
        {'user': 0, 'item': 1}
        """
        return {role: index for role in TRIED if (index := self._find(role, found)) is not None}

    def _find(self, role: str, found: Sequence[str]) -> int | None:
        name = self.given().get(role)
        matches = _exact(name, found) if name is not None else _by_default(role, found)
        if len(matches) > 1:
            raise DataError(
                f"The {role} column must be the only one of its name; rename the others or give "
                f"another name with {_option(role)}. Received: columns {list(found)}"
            )
        if matches:
            return matches[0]
        if name is not None or role in REQUIRED:
            sought = repr(name) if name is not None else f"any of {', '.join(TRIED[role])}"
            raise DataError(
                f"The log must have {_ARTICLES[role]} {role} column: {sought} was looked for; "
                f"give its name with {_option(role)}. Received: columns {list(found)}"
            )
        return None


def _exact(name: str, found: Sequence[str]) -> list[int]:
    return [index for index, column in enumerate(found) if column == name]


def _by_default(role: str, found: Sequence[str]) -> list[int]:
    plain = ["".join(filter(str.isalnum, column)).lower() for column in found]
    return next((matches for name in TRIED[role] if (matches := _exact(name, plain))), [])


def _option(role: str) -> str:
    return f"--{role}-column (in Python: {role}_column)"


def is_header() -> pl.Expr:
    """Whether a row's `user` and `item` are names that those columns have, and so no ids."""
    known = [name for role in REQUIRED for name in TRIED[role]]
    plain = pl.col(*REQUIRED).str.replace_all(r"[^\p{L}\p{N}]", "").str.to_lowercase()
    return pl.all_horizontal(plain.is_in(known))
