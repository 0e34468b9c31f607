"""Settings as a tree of small frozen dataclasses: how they are made, changed and written down.

The settings of a thing that a table names are the parameters of what makes it, so a new backbone
or objective brings its settings along, and what a thing does not take cannot be set.
"""

from __future__ import annotations

import dataclasses
import difflib
import functools
import inspect
import math
import os
import types
import typing
from collections.abc import Callable, Collection, Iterator, Mapping
from typing import Any, ClassVar, NamedTuple

import numpy as np

NAME = "name"
NONE = "none"
"""Stands for None where a setting may be None, since TOML has no word for it."""

_WORDS = {
    bool: "true or false",
    int: "a whole number",
    float: "a number",
    str: "a text",
    type(None): NONE,
}


class SettingsError(ValueError):
    """A setting that does not exist or has a value it cannot have."""


@dataclasses.dataclass(frozen=True)
class Section:
    """Settings that belong together; each field is a setting, or a section within.

    `rules` says of numbers what they must be, as a text and a test. All must be finite.
    """

    rules: ClassVar[Mapping[str, tuple[str, Callable[[Any], bool]]]] = {}

    def __post_init__(self) -> None:
        for name, (text, holds) in self.rules.items():
            value = getattr(self, name)
            if not holds(value):
                raise SettingsError(f"`{name}` must be {text}. Received: {name}={value}")
        for name, value in vars(self).items():
            if isinstance(value, float) and not math.isfinite(value):
                raise SettingsError(f"`{name}` must be finite. Received: {name}={value}")


def at_least(least: float) -> tuple[str, Callable[[Any], bool]]:
    """A rule for `Section.rules`."""
    return f"at least {least}", lambda value: value >= least


def above(least: float) -> tuple[str, Callable[[Any], bool]]:
    """A rule for `Section.rules`."""
    return f"above {least}", lambda value: value > least


def one_of(names: Collection[str]) -> tuple[str, Callable[[Any], bool]]:
    """A rule for `Section.rules`."""
    return f"one of {', '.join(names)}", lambda value: value in names


def one_of_or_none(names: Collection[str]) -> tuple[str, Callable[[Any], bool]]:
    """A rule for `Section.rules`, of what can be left open."""
    return f"one of {', '.join(names)}, or none", lambda value: value is None or value in names


class Choice:
    """A section that is one of several, by its `name`; it makes what it names by its `make`.

    Parameters
    ----------
    table
        What each name makes: something to call, whose parameters are the settings. None for a
        name without settings.
    without
        Parameters that are no settings, since the caller of `make` gives them.
    bases
        Further settings, by name.
    within
        Choices within, by the parameter that takes them.
    """

    def __init__(
        self,
        table: Mapping[str, Callable[..., Any] | None],
        without: Collection[str] = (),
        bases: Mapping[str, type[Section]] | None = None,
        within: Mapping[str, Any] | None = None,
    ) -> None:
        self.table = table
        self._without = without
        self._bases = bases or {}
        self._within = within or {}
        self._made: dict[tuple[str, Any], type[Section]] = {}

    @property
    def sections(self) -> dict[str, type[Section]]:
        """The dataclass of each name; what the table gains later has one, too."""
        for name, kind in self.table.items():
            if (name, kind) not in self._made:
                self._made[name, kind] = self._section(name, kind)
        return {name: self._made[name, kind] for name, kind in self.table.items()}

    def _section(self, name: str, kind: Callable[..., Any] | None) -> type[Section]:
        base = self._bases.get(name, Section)
        based = {field.name for field in dataclasses.fields(base)}
        fields: list[Any] = [(NAME, str, dataclasses.field(default=name))]
        for one, (hint, initial) in _parameters(kind).items():
            if one in self._within:
                fields.append((one, Any, self._within[one].field(initial)))
            elif one not in (*self._without, *based) and _scalar(hint):
                fields.append((one, hint, dataclasses.field(default=initial)))

        def make(section: Section, **given: Any) -> Any:
            """What is named, made by these settings and, as far as it takes them, `given`."""
            assert kind is not None
            values = {**paths(section), **given}
            taken = [one for one in _parameters(kind) if one in values and one != NAME]
            return kind(**{one: values[one] for one in taken})

        return dataclasses.make_dataclass(
            f"{name}_settings", fields, bases=(base,), frozen=True, namespace={"make": make}
        )

    def field(self, initial: str | None) -> Any:
        """A dataclass field for this choice; `initial` is the name that it has by default."""
        section = None if initial is None else self.named(initial)
        return dataclasses.field(default=section, metadata={"choice": self})

    def named(self, name: Any, current: Section | None = None, path: str = NAME) -> Section:
        """The section of that name, with what `current` has that is not its default."""
        if name not in self.sections:
            raise SettingsError(
                f"`{path}` must be one of {', '.join(self.table)}. Received: {path}={name!r}"
            )
        kind = self.sections[name]
        known = {field.name for field in dataclasses.fields(kind)} - {NAME}
        kept = {} if current is None else changed(current)
        return kind(**{one: value for one, value in kept.items() if one in known})


def default(function: Callable[..., Any], argument: str) -> Any:
    """The default that `function` has for `argument`, so that it is written in one place.

    Examples
    --------
    >>> default(int.from_bytes, "signed")
    False
    """
    return inspect.signature(function).parameters[argument].default


def choice(
    table: Mapping[str, Callable[..., Any] | None], initial: str | None, **options: Any
) -> Any:
    """A dataclass field that is a `Choice`; see there."""
    return Choice(table, **options).field(initial)


def changed(section: Section) -> dict[str, Any]:
    """What a section has that is not its default."""
    fields = [field for field in dataclasses.fields(section) if field.name != NAME]
    own = {field.name: getattr(section, field.name) for field in fields}
    return {field.name: own[field.name] for field in fields if own[field.name] != field.default}


@functools.cache
def _parameters(kind: Callable[..., Any] | None) -> dict[str, tuple[Any, Any]]:
    """The type and the default of each parameter; of a class that hands on the rest, its bases'."""
    found: dict[str, tuple[Any, Any]] = {}
    if kind is None:
        return found
    functions = (
        [vars(one).get("__init__") for one in kind.__mro__] if isinstance(kind, type) else [kind]
    )
    for function in functions:
        if function is None:
            continue
        if not isinstance(function, types.FunctionType):
            break
        hints = typing.get_type_hints(function)
        parameters = inspect.signature(function).parameters
        for name, one in parameters.items():
            if one.kind in (one.POSITIONAL_OR_KEYWORD, one.KEYWORD_ONLY) and name != "self":
                found.setdefault(name, (hints.get(name, Any), one.default))
        if not any(one.kind is one.VAR_KEYWORD for one in parameters.values()):
            break
    return found


def _types(hint: Any) -> tuple[Any, ...]:
    """The types that a hint allows; a `Literal`'s is that of its values."""
    if isinstance(hint, str):
        return ()
    origin = typing.get_origin(hint)
    if origin in (types.UnionType, typing.Union):
        return tuple(one for part in typing.get_args(hint) for one in _types(part))
    if origin is typing.Literal:
        return tuple({type(value) for value in typing.get_args(hint)})
    return (hint,)


def _scalar(hint: Any) -> bool:
    found = set(_types(hint)) - {type(None)}
    return bool(found) and found <= set(_WORDS)


def replace(section: Any, changes: Mapping[str, Any]) -> Any:
    """The section with some settings changed, by their paths such as `model.hidden_dim`.

    A mapping stands for the paths that begin with its own, the name alone for a section that has
    one. Names come first: what a newly named section knows of the settings of the old one it keeps.

    Raises
    ------
    SettingsError
        If there is no such setting, or the value cannot be.
    """
    flat, root = _flat(changes), type(section)
    for path in sorted(flat, key=lambda path: (path.count("."), not path.endswith(f".{NAME}"))):
        section = _set(section, path.split("."), flat[path], path, root)
    return section


def _flat(changes: Mapping[str, Any], prefix: str = "") -> dict[str, Any]:
    found: dict[str, Any] = {}
    for name, value in changes.items():
        path = prefix + name
        found |= _flat(value, f"{path}.") if isinstance(value, Mapping) else {path: value}
    return found


def _set(section: Any, parts: list[str], value: Any, path: str, root: type) -> Any:
    head, *rest = parts
    fields = {field.name: field for field in dataclasses.fields(section)}
    if head not in fields:
        raise SettingsError(_unknown(path, root))
    current, one_of_several = getattr(section, head), fields[head].metadata.get("choice")
    if one_of_several is not None and rest in ([], [NAME]):
        if not isinstance(value, Section) and (value, fields[head].default) != (None, None):
            value = one_of_several.named(value, current, path.removesuffix(f".{NAME}"))
    elif rest:
        if not isinstance(current, Section):
            raise SettingsError(_unknown(path, root))
        value = _set(current, rest, value, path, root)
    elif isinstance(current, Section) and not isinstance(value, Section):
        raise SettingsError(f"`{path}` has settings of its own. Received: {path}={value!r}")
    else:
        value = _converted(_hints(section.__class__)[head], value, path)
    return dataclasses.replace(section, **{head: value})


@functools.cache
def _hints(section: Any) -> dict[str, Any]:
    return typing.get_type_hints(section)


def _converted(hint: Any, value: Any, path: str) -> Any:
    allowed = _types(hint)
    if isinstance(value, np.generic):
        value = value.item()
    if isinstance(value, os.PathLike):
        value = os.fspath(value)
    if value == NONE and type(None) in allowed:
        return None
    if isinstance(value, Section) or type(value) in allowed:
        return value
    if type(value) is int and float in allowed:
        return float(value)
    wanted = " or ".join(_WORDS[one] for one in allowed)
    raise SettingsError(f"`{path}` must be {wanted}. Received: {path}={value!r}")


def _unknown(path: str, root: type) -> str:
    known, path = all_paths(root), path.removesuffix(f".{NAME}")
    whole = path if path in known else f"{path}.{NAME}"
    if whole in known:
        where, names, *_ = known[whole]
        return (
            f"`{path}` has no effect here: it goes with {where} {', '.join(names)}. "
            f"Received: {path}"
        )
    return f"There is no setting `{path}`. {nearest(path, root)}Received: {path}"


def nearest(path: str, root: type) -> str:
    """A sentence with the paths most like this one; empty if none is like it."""
    known = all_paths(root)
    last = path.rpartition(".")[2]
    same = [one for one in known if one.rpartition(".")[2] == last]
    found = same or difflib.get_close_matches(path, known, 1, 0.8)
    ends = {one.rpartition(".")[2]: one for one in known}
    found = found or [ends[one] for one in difflib.get_close_matches(last, ends, 1, 0.6)]
    found = [one.removesuffix(f".{NAME}") for one in found]
    return f"Did you mean {' or '.join(found)}? " if found else ""


class Setting(NamedTuple):
    """What a path leads to.

    Attributes
    ----------
    where, names
        The choice that it depends on, and the names there that have it; empty if it always is.
    type
        Of its values.
    words
        The values it may have, if they are words from a list; else empty.
    """

    where: str
    names: tuple[str, ...]
    type: type
    words: tuple[str, ...]


def all_paths(root: type) -> dict[str, Setting]:
    """Every setting there can be, by path."""
    found: dict[str, Setting] = {}
    for path, one in _walk(root, "", "", ()):
        names = found[path].names if path in found else ()
        found[path] = one._replace(names=tuple(dict.fromkeys((*names, *one.names))))
    return found


def enabling(path: str, root: type) -> dict[str, str]:
    """Names by which a path of `all_paths` becomes a setting: the first of each choice above it."""
    where, names, *_ = all_paths(root)[path]
    return {**enabling(f"{where}.{NAME}", root), f"{where}.{NAME}": names[0]} if where else {}


def _walk(
    section: type, prefix: str, where: str, names: tuple[str, ...]
) -> Iterator[tuple[str, Setting]]:
    hints = _hints(section)
    for field in dataclasses.fields(section):
        path, several = prefix + field.name, field.metadata.get("choice")
        if several is not None:
            yield f"{path}.{NAME}", Setting(where, names, str, tuple(several.table))
            for one, kind in several.sections.items():
                inner = _walk(kind, f"{path}.", path, (one,))
                yield from (found for found in inner if found[0] != f"{path}.{NAME}")
        elif isinstance(field.default, Section):
            yield from _walk(type(field.default), f"{path}.", where, names)
        else:
            hint = hints[field.name]
            words = typing.get_args(hint) if typing.get_origin(hint) is typing.Literal else ()
            yield path, Setting(where, names, _types(hint)[0], words)


def _fields(section: Any) -> list[Any]:
    """The fields of a section, its name first."""
    return sorted(dataclasses.fields(section), key=lambda field: field.name != NAME)


def paths(section: Section, prefix: str = "") -> dict[str, Any]:
    """Every setting of a tree as it is, by its path; sections without settings have their name."""
    found: dict[str, Any] = {}
    for field in _fields(section):
        value = getattr(section, field.name)
        if isinstance(value, Section):
            found |= paths(value, f"{prefix}{field.name}.")
        else:
            found[prefix + field.name] = value
    return found


def document(section: Section) -> dict[str, Any]:
    """The tree as nested dicts that TOML and JSON can hold; `replace` takes it back."""
    found: dict[str, Any] = {}
    for field in _fields(section):
        value = getattr(section, field.name)
        if isinstance(value, Section):
            found[field.name] = document(value)
        elif value is not None:
            found[field.name] = value
        elif field.default is not None:
            found[field.name] = NONE
    return found
