"""Options that choose from a table of names."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import typer


def one_of(names: Iterable[str]) -> dict[str, Any]:
    """Arguments for `typer.Option` that let an option take these names alone, and list them."""
    allowed = tuple(names)

    def check(value: str | None) -> str | None:
        if value is not None and value not in allowed:
            raise typer.BadParameter(f"{value!r} is not one of {', '.join(allowed)}.")
        return value

    return {"callback": check, "metavar": "|".join(allowed)}
