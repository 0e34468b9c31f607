"""The check of an argument."""

from __future__ import annotations

from collections.abc import Collection


def require(holds: bool, name: str, value: object, rule: str) -> None:
    """ValueError that names an argument, its rule and its value, unless the rule holds.

    Examples
    --------
    >>> require(0 <= 2 < 1, "rate", 2, "be in [0, 1)")
    Traceback (most recent call last):
    ValueError: `rate` must be in [0, 1). Received: rate=2
    """
    if not holds:
        raise ValueError(f"`{name}` must {rule}. Received: {name}={value!r}")


def require_one_of(choices: Collection[str], name: str, value: object) -> None:
    """ValueError unless an argument is one of some names.

    Examples
    --------
    >>> require_one_of(("pre", "post"), "norm", "middle")
    Traceback (most recent call last):
    ValueError: `norm` must be one of pre, post. Received: norm='middle'
    """
    require(value in choices, name, value, f"be one of {', '.join(choices)}")
