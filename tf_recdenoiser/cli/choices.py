"""Options that choose from a table of names."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import typer


def one_of(names: Iterable[str], help: str) -> dict[str, Any]:
    """Arguments for `typer.Option` that let an option take these names alone.

    The names stand at the end of its help, where a narrow terminal breaks lines between them.
    """
    allowed = tuple(names)

    def check(value: str | None) -> str | None:
        if value is not None and value not in allowed:
            raise typer.BadParameter(f"{value!r} is not one of {', '.join(allowed)}.")
        return value

    help = f"{help} One of: {', '.join(allowed)}."
    return {"callback": check, "metavar": "NAME", "help": help}
