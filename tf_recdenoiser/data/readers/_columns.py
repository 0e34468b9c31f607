"""Which column of a source holds the users, the items, the times, the ratings and the feedback."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import chain

import polars as pl

from tf_recdenoiser.data.log import ROLES, DataError, MissingColumnError
from tf_recdenoiser.data.rows import shown

# Names that a column may have, where none is given. Those of an earlier line are surer than those
# of a later one; two of the same line are a question. Case and everything but letters and digits
# are ignored, so that "userid" stands for user_id, userId, "User ID" and so on.
KNOWN: dict[str, tuple[str, ...]] = {
    "user": (
        "user userid uid userno usernumber userpseudoid",
        "customer customerid customerno customernumber client clientid visitor visitorid "
        "fullvisitorid reviewer reviewerid member memberid buyer buyerid shopper shopperid account "
        "accountid person personid profileid player playerid reader readerid listener listenerid",
        "email emailaddress useremail customeremail billingemail username login",
        "session sessionid anonymousid deviceid cookieid",
    ),
    "item": (
        "item itemid iid itemno itemnumber parentasin",
        "product productid productno productnumber productcode sku productsku itemsku itemcode "
        "lineitemsku variantsku stockcode article articleid articleno asin isbn ean gtin upc movie "
        "movieid film filmid book bookid song songid track trackid artist artistid video videoid "
        "game gameid recipe recipeid business businessid venueid listingid offerid newsid "
        "contentid courseid",
        "productname itemname lineitemname movietitle",
    ),
    "time": (
        "time timestamp ts unixtime unixtimestamp unixreviewtime epoch eventtimestamp timems "
        "timestampms",
        "datetime when createdat eventtime createtime creationtime occurredat orderedat "
        "purchasedat viewedat clickedat watchedat playedat listenedat ratedat reviewedat "
        "purchasetime ordertime transactiontime visittime playedtime",
        "date eventdate orderdate createddate createdon datecreated datecreatedgmt created "
        "purchasedate transactiondate invoicedate reviewdate ratingdate reviewtime tdat",
    ),
    "rating": ("rating ratings stars overall score reviewscore starrating",),
    "feedback": (),  # no name says which of its values are bad
}
REQUIRED = ("user", "item")
TIERS = {role: [tuple(tier.split()) for tier in tiers] for role, tiers in KNOWN.items()}
NAMES = {role: tuple(chain.from_iterable(tiers)) for role, tiers in TIERS.items()}
"""All of these names, by what they stand for."""


@dataclass(frozen=True)
class ColumnNames:
    """The column names that were asked for; None leaves the choice to `resolve`."""

    user: str | None = None
    item: str | None = None
    time: str | None = None
    rating: str | None = None
    feedback: str | None = None

    def given(self) -> dict[str, str]:
        """The names that are not None, by role."""
        return {role: name for role in ROLES if (name := getattr(self, role)) is not None}

    def resolve(self, found: Sequence[str], hint: str = "") -> dict[str, int]:
        """The index in `found` of the column for each role that is there.

        Parameters
        ----------
        found
            The names of all columns.
        hint
            What else to say, where a column is asked for.

        Raises
        ------
        MissingColumnError
            If a name that was given is not among `found`.
        DataError
            If no name for the users or the items is, or if more than one is.

        Examples
        --------
        >>> ColumnNames(item="what").resolve(["userId", "what", "price"])
        {'user': 0, 'item': 1}
        """
        matches = {role: self._find(role, found) for role in ROLES}
        asked = [role for role, indices in matches.items() if self._is_open(role, indices)]
        if asked:
            question = self._question(asked, matches, found, hint)
            missing = [role for role in asked if role in self.given() and not matches[role]]
            raise MissingColumnError(question, missing) if missing else DataError(question)
        return {role: indices[0] for role, indices in matches.items() if len(indices) == 1}

    def _find(self, role: str, found: Sequence[str]) -> list[int]:
        if (name := self.given().get(role)) is not None:
            return [index for index, column in enumerate(found) if column == name]
        plain = [plain_name(column) for column in found]
        tiers = ([i for i, one in enumerate(plain) if one in tier] for tier in TIERS[role])
        # Feedback takes no column from another: it may be the ratings.
        names = [name for other, name in self.given().items() if other != "feedback"]
        taken = [found.index(name) for name in names if name in found]
        free = ([index for index in indices if index not in taken] for indices in tiers)
        return next(filter(None, free), [])

    def _is_open(self, role: str, indices: Sequence[int]) -> bool:
        if role in self.given():
            return len(indices) != 1
        if role == "rating":  # is not needed: where it is in doubt, there is none
            return False
        return len(indices) > 1 or (role in REQUIRED and not indices)

    def _question(
        self,
        asked: Sequence[str],
        matches: Mapping[str, Sequence[int]],
        found: Sequence[str],
        hint: str,
    ) -> str:
        """What to answer: which columns there are, and by which options they are named."""
        columns = ", ".join(map(shown, found[:40])) + (", …" if len(found) > 40 else "")
        return (
            f"Which column holds the {' and which the '.join(ROLES[role] for role in asked)}? "
            f"The columns are {columns}; name {'it' if len(asked) == 1 else 'them'} with "
            f"{' and '.join(f'--{role}-column' for role in asked)} "
            f"(in Python: {', '.join(f'{role}_column' for role in asked)}). {hint}"
            f"Received: {', and '.join(self._why(role, matches[role], found) for role in asked)}"
        )

    def _why(self, role: str, indices: Sequence[int], found: Sequence[str]) -> str:
        if (name := self.given().get(role)) is not None:
            return f"{'more than one column' if indices else 'no column'} called {name!r}"
        if not indices:
            return f"no name that is known for {ROLES[role]}"
        fitting = " and ".join(shown(found[index]) for index in indices)
        return f"{fitting} for {ROLES[role]}"


def plain_name(name: str) -> str:
    """A name without what does not count in it.

    Examples
    --------
    >>> plain_name("Created_at "), plain_name("user-ID")
    ('createdat', 'userid')
    """
    return "".join(filter(str.isalnum, name)).lower()


def is_header() -> pl.Expr:
    """Whether a row's `user` and `item` are names that those columns have, and so no ids."""
    known = [name for role in REQUIRED for name in NAMES[role]]
    plain = pl.col(*REQUIRED).str.replace_all(r"[^\p{L}\p{N}]", "").str.to_lowercase()
    return pl.all_horizontal(plain.is_in(known))
