"""Gate layers: which attention links stay open.

A new kind of gate is one file and one line in `GATES`.
"""

from __future__ import annotations

from typing import Any

from tf_recdenoiser._keras import clone, keras
from tf_recdenoiser.layers.gates.base import PENALTIES, Gates
from tf_recdenoiser.layers.gates.item import ItemGates
from tf_recdenoiser.layers.gates.pairwise import PairwiseGates
from tf_recdenoiser.layers.gates.positional import PositionalGates
from tf_recdenoiser.layers.gates.relative import RelativeGates

GATES: dict[str, type[Gates]] = {
    "positional": PositionalGates,
    "relative": RelativeGates,
    "pairwise": PairwiseGates,
    "item": ItemGates,
}
"""Every kind of gate by name."""


def get_gates(identifier: str | dict[str, Any] | Gates | None) -> Gates | None:
    """A new gate layer of that name, configuration or prototype; None for none.

    Examples
    --------
    >>> get_gates("positional").initial_keep
    0.9
    """
    if identifier is None:
        return None
    if isinstance(identifier, Gates):
        return clone(identifier)
    if isinstance(identifier, dict):
        return clone(keras.layers.deserialize(identifier))
    if identifier not in GATES:
        raise ValueError(
            f"`gates` must be None, a gate layer or one of {', '.join(GATES)}. "
            f"Received: gates={identifier!r}"
        )
    return GATES[identifier]()


__all__ = [
    "GATES",
    "PENALTIES",
    "Gates",
    "ItemGates",
    "PairwiseGates",
    "PositionalGates",
    "RelativeGates",
    "get_gates",
]
