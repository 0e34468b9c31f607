"""JSON lines: an object a line. The names in an object within an object are joined by a dot."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Sequence
from typing import Any, NamedTuple

import polars as pl

from tf_recdenoiser.data.log import ROLES, BadRow, DataError
from tf_recdenoiser.data.readers._reader import Options, Reader
from tf_recdenoiser.data.readers._source import Source
from tf_recdenoiser.data.readers._text import first_line, read_lines, refuse_broken
from tf_recdenoiser.data.rows import RawRows, describe_columns

_LOOKED_AT = 1000


def _recognises(head: bytes, options: Options) -> bool:
    return options.columns is None and first_line(head).startswith(("{", "["))


def _read(source: Source, options: Options) -> RawRows:
    lines = read_lines(source)
    texts = lines["text"].to_list()
    names = _names(texts[:_LOOKED_AT], source)
    taken = options.names.resolve(names)
    found: dict[str, list[str | None]] = {role: [] for role in taken}
    good: list[int] = []
    bad_rows: list[BadRow] = []
    for line, text in enumerate(texts, 1):
        values, fault = _values(text, {role: names[index] for role, index in taken.items()})
        if fault is not None:
            bad_rows.append(BadRow(line, fault))
            continue
        good.append(line)
        for role, value in values.items():
            found[role].append(value)
    schema = {"line": pl.Int64, **dict.fromkeys(found, pl.String)}
    table = pl.DataFrame({"line": good, **found}, schema=schema)
    return RawRows(table, tuple(bad_rows), columns=describe_columns(names, taken))


def _names(texts: Sequence[str], source: Source) -> list[str]:
    """The names in the first objects, in the order in which they first occur."""
    objects = list(filter(None, map(_object, texts)))
    if not objects:
        refuse_broken(texts[0], source)
        raise DataError(
            "A JSON log must hold an object a line; of one array such lines are made by "
            f"`jq -c '.[]'`. Received: {source}, whose first line is {texts[0][:80]!r}"
        )
    return list(dict.fromkeys(name for one in objects for name, _ in _flat(one)))


def _object(text: str) -> dict[str, Any] | None:
    try:
        found = json.loads(text)
    except (ValueError, RecursionError):
        return None
    return found if isinstance(found, dict) else None


def _flat(one: dict[str, Any], prefix: str = "") -> Iterator[tuple[str, Any]]:
    for name, value in one.items():
        if isinstance(value, dict):
            yield from _flat(value, f"{prefix}{name}.")
        else:
            yield prefix + name, value


class _Kind(NamedTuple):
    """What a value must be, as a test and in words."""

    holds: Callable[[Any], bool]
    words: str


def _is_text_or(*types: type) -> Callable[[Any], bool]:
    return lambda value: isinstance(value, (str, *types)) and not isinstance(value, bool)


_ID = _Kind(_is_text_or(int), "neither a text nor a whole number")
_KINDS = {
    "user": _ID,
    "item": _ID,
    "time": _Kind(_is_text_or(int, float), "neither a text nor a number"),
}


def _values(text: str, names: dict[str, str]) -> tuple[dict[str, str | None], str | None]:
    """The values of one line as texts, and what is wrong with the line."""
    if not text.strip():
        return {}, "blank line"
    if (one := _object(text)) is None:
        return {}, "not a JSON object"
    flat = dict(_flat(one))
    values: dict[str, str | None] = {}
    for role, name in names.items():
        value, kind = flat.get(name), _KINDS.get(role)
        if value is not None and kind is not None and not kind.holds(value):
            return {}, f"in the column of the {ROLES[role]}, what is {kind.words}"
        try:
            values[role] = None if value is None else _text(value)
        except UnicodeEncodeError:
            return {}, f"in the column of the {ROLES[role]}, half of a surrogate pair"
    return values, None


def _text(value: Any) -> str:
    text = value if isinstance(value, str) else json.dumps(value)
    text.encode()
    return text


READER = Reader(suffixes=(".jsonl", ".ndjson"), recognises=_recognises, read=_read)
