"""The columns of a request to a served recommender, and the rows of its answer."""

from __future__ import annotations

import contextlib
import json
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

NO_ID: Mapping[str, Any] = {"DT_INT64": -(2**63), "DT_STRING": ""}
"""What fills histories up and stands for an unknown user, by type: no log has such an id."""

UNSAID = -1.0
"""Stands where it is not known how the user liked an item."""

NO_SCORE = -3.4e38
"""No item's score is as low: where there is none stands the lowest float32, about -3.4028e38."""

_FILLERS = {"times": 0.0, "disliked": UNSAID}

Histories = Sequence[Sequence[Any]]


def request_columns(
    dtypes: Mapping[str, str], histories: Histories, length: int | None = None, **values: Any
) -> dict[str, list[Any]]:
    """Every input of a signature, with one row for each history.

    Parameters
    ----------
    dtypes
        The signature's inputs, and the names of their types, as the server's metadata has them.
    histories
        Raw ids of the type that the log has, each history's oldest first. May be empty.
    length
        How many columns to send. Where the server runs requests together, all clients must send
        equally many: choose at least the n of the model. Of longer histories the newest items
        are sent, so that older ones may be recommended again. None (default) for the longest
        of these histories.
    values
        Other inputs by name: one value for all rows, or a list with one for each. `times` are
        one for each item, and so is `disliked`: 1 where the user disliked it, 0 where they liked
        it, 0.5 for neither, -1 where nothing is known, as everywhere if it is left out. `users`
        that are left out are unknown ones, and `clean_history` is true. What the signature does not
        take is left out.

    Raises
    ------
    ValueError
        If an input is missing, or a list has not one value for each history.

    Examples
    --------
    >>> dtypes = {"histories": "DT_STRING", "lengths": "DT_INT32", "k": "DT_INT32"}
    >>> request_columns(dtypes, [["a", "b", "c"], ["d"]], length=2, k=5)
    {'histories': [['b', 'c'], ['d', '']], 'lengths': [2, 1], 'k': [5, 5]}
    """
    width = length or max([1, *map(len, histories)])
    unsaid = [[]] * len(histories)
    given = {"histories": histories, "clean_history": True, "disliked": unsaid, **values}
    if "users" in dtypes:
        given.setdefault("users", NO_ID[dtypes["users"]])
    given["lengths"] = [min(len(history), width) for history in histories]
    columns = {}
    for name, dtype in dtypes.items():
        if name not in given:
            raise ValueError(f"`{name}` must be given: the model reads it. Received: none")
        rows = given[name]
        if isinstance(rows, (str, int, float)):
            rows = [rows] * len(histories)
        if len(rows) != len(histories):
            raise ValueError(
                f"`{name}` must have one value for each of {len(histories)} histories. "
                f"Received: {len(rows)}"
            )
        if name == "histories":
            rows = [_filled(row, width, NO_ID[dtype]) for row in rows]
        elif name in _FILLERS:
            rows = [_filled(row, width, _FILLERS[name]) for row in rows]
        columns[name] = list(rows)
    return columns


def _filled(row: Sequence[Any], width: int, filler: Any) -> list[Any]:
    newest = list(row[-width:])
    return newest + [filler] * (width - len(newest))


def recommended(
    item_ids: Histories, scores: Sequence[Sequence[float]], titles: Histories | None = None
) -> list[list[Any]]:
    """`(item, score)` of each row's items, best first, without columns that hold none.

    With titles, `(item, score, title)`.

    There are such columns where a row had fewer items to offer than it asked for, or stood in a
    batch with one that asked for more.

    Examples
    --------
    >>> recommended([["a", "b"], ["c", ""]], [[2.5, 1.0], [0.5, -3.4028235e38]])
    [[('a', 2.5), ('b', 1.0)], [('c', 0.5)]]
    """
    columns = [item_ids, scores, *([] if titles is None else [titles])]
    return [
        [one for one in zip(*row, strict=True) if one[1] > NO_SCORE]
        for row in zip(*columns, strict=True)
    ]


class Explained(NamedTuple):
    """What a model made of an item of a history.

    Attributes
    ----------
    item
        The raw id, as it was sent.
    kept
        How much of it passes the gates, from 0 to 1; None for an item that is not known.
    noise
        The probability that it is noise, or, of a model that takes `disliked`, that the user
        disliked it; None if it is not known, or if the model does not tell.
    """

    item: Any
    kept: float | None
    noise: float | None


def explained(
    histories: Histories, answer: Mapping[str, Any], length: int | None = None
) -> list[list[Explained]]:
    """What was made of each row's items, oldest first.

    Parameters
    ----------
    histories, length
        Those of the request.
    answer
        The outputs of the signature `explain`.

    Examples
    --------
    >>> answer = {"kept": [[0.9, 0.0, 0.0]], "known": [[True, False, False]]}
    >>> (row,) = explained([["a", "no such item"]], answer)
    >>> row[0]
    Explained(item='a', kept=0.9, noise=None)
    >>> row[1]
    Explained(item='no such item', kept=None, noise=None)
    """
    sent = [history[-length:] if length else history for history in histories]
    untold = [[None] * len(row) for row in answer["known"]]
    columns = zip(sent, answer["known"], answer["kept"], answer.get("noise", untold), strict=True)
    return [
        [
            Explained(item, *(numbers if is_known else (None, None)))
            # What fills the row up comes after its items.
            for item, is_known, *numbers in zip(*row, strict=False)
        ]
        for row in columns
    ]


def parse_ids(text: str, dtype: str) -> list[Any]:
    """Ids of a type, from a list with commas between them, or from a JSON list.

    Examples
    --------
    >>> parse_ids("3,14", "DT_INT64"), parse_ids("3,14", "DT_STRING"), parse_ids("", "DT_INT64")
    ([3, 14], ['3', '14'], [])
    >>> parse_ids('["tea, green", "rice"]', "DT_STRING")
    ['tea, green', 'rice']
    """
    parts = text.split(",") if text else []
    with contextlib.suppress(ValueError):
        found = json.loads(text)
        parts = found if isinstance(found, list) else parts
    return [int(part) if dtype == "DT_INT64" else str(part) for part in parts]
