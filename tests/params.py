"""Parameters of tests of which some are left to `make test-slow`."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any

import pytest


def only(fast: Callable[..., bool], values: Iterable[Any]) -> list[Any]:
    """A parameter set for each of the values; those that are not `fast` are marked slow.

    Parameters
    ----------
    fast
        Called with a value, or with the values of a tuple.
    values
        A value each, or a tuple of several.
    """
    found = []
    for value in values:
        parts = value if isinstance(value, tuple) else (value,)
        marks = () if fast(*parts) else pytest.mark.slow
        found.append(pytest.param(*parts, marks=marks))
    return found
