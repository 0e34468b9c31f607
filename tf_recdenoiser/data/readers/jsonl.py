"""JSON lines: an object a line. The names in an object within an object are joined by a dot."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Sequence
from typing import Any

import polars as pl

from tf_recdenoiser.data.log import ROLES, BadRow, DataError
from tf_recdenoiser.data.readers._reader import Options, Reader
from tf_recdenoiser.data.readers._source import Source
from tf_recdenoiser.data.readers._text import first_line, read_lines, refuse_broken
from tf_recdenoiser.data.rows import RawRows, describe_columns

_LOOKED_AT = 1000
# Of an object, or of an array of objects; ids may have braces, too.
_BEGIN = re.compile(r"\{\s*([\"}]|$)|\[\s*(\{|$)")
_Path = tuple[str, ...]


def _recognises(head: bytes, options: Options) -> bool:
    return _BEGIN.match(first_line(head)) is not None


def _read(source: Source, options: Options) -> RawRows:
    texts = read_lines(source)["text"].to_list()
    paths = _paths(texts[:_LOOKED_AT], source)
    names = list(map(".".join, paths))
    taken = options.names.resolve(names)
    wanted = [_Wanted(role, paths[index]) for role, index in taken.items()]
    rows: list[list[int | str | None]] = []
    bad_rows: list[BadRow] = []
    for line, text in enumerate(texts, 1):
        one = _object(text)
        if one is None:
            bad_rows.append(BadRow(line, "not a JSON object" if text.strip() else "blank line"))
            continue
        try:
            rows.append([line, *(each.text_in(one) for each in wanted)])
        except _NoValue as fault:
            bad_rows.append(BadRow(line, str(fault)))
    schema = {"line": pl.Int64, **dict.fromkeys(taken, pl.String)}
    table = pl.DataFrame(rows, schema=schema, orient="row")
    return RawRows(table, tuple(bad_rows), columns=describe_columns(names, taken))


def _paths(texts: Sequence[str], source: Source) -> list[_Path]:
    """Where the first objects have values, in the order in which these occur."""
    objects = list(filter(None, map(_object, texts)))
    if not objects or texts[0].lstrip().startswith("["):
        refuse_broken(texts[0], source)
        raise DataError(
            "A JSON log must hold an object a line; of one array such lines are made by "
            f"`jq -c '.[]'`. Received: {source}, whose first line is {texts[0][:80]!r}"
        )
    return list(dict.fromkeys(path for one in objects for path in _leaves(one)))


def _object(text: str) -> dict[str, Any] | None:
    try:
        found = json.loads(text)
    except (ValueError, RecursionError):
        return None
    return found if isinstance(found, dict) else None


def _leaves(one: dict[str, Any], above: _Path = ()) -> Iterator[_Path]:
    for name, value in one.items():
        if isinstance(value, dict):
            yield from _leaves(value, (*above, name))
        else:
            yield (*above, name)


class _NoValue(Exception):
    """What is wrong with a value."""


_TYPES = {"user": (str, int), "item": (str, int), "time": (str, int, float)}
_WORDS = {int: "a whole number", float: "a number"}


class _Wanted:
    """A value that each object is to have."""

    def __init__(self, role: str, path: _Path) -> None:
        self._where = f"in the column of the {ROLES[role]}"
        self._types = _TYPES.get(role)
        *self._above, self._name = path

    def text_in(self, one: dict[str, Any]) -> str | None:
        """The value as text; None if there is none."""
        for name in self._above:
            below = one.get(name)
            one = below if isinstance(below, dict) else {}
        value = one.get(self._name)
        if value is None:
            return None
        if self._types is not None and type(value) not in self._types:
            words = _WORDS[self._types[-1]]
            raise _NoValue(f"{self._where}, what is neither a text nor {words}")
        text = value if isinstance(value, str) else str(value)
        try:
            text.encode()
        except UnicodeEncodeError:
            raise _NoValue(f"{self._where}, half of a surrogate pair") from None
        return text


READER = Reader(suffixes=(".jsonl", ".ndjson"), recognises=_recognises, read=_read)
