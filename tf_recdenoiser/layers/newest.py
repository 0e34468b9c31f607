"""Asking a sequence encoder for its newest position alone."""

from __future__ import annotations

import contextlib
import contextvars
from collections.abc import Iterator

_asked = contextvars.ContextVar("newest_alone", default=False)


@contextlib.contextmanager
def newest_alone() -> Iterator[None]:
    """While it lasts, last blocks that do not train work out their newest position alone.

    Examples
    --------
    >>> is_newest_alone()
    False
    >>> with newest_alone():
    ...     is_newest_alone()
    True
    """
    token = _asked.set(True)
    try:
        yield
    finally:
        _asked.reset(token)


def is_newest_alone() -> bool:
    """Whether nobody will look at other positions than the newest."""
    return _asked.get()
