"""Gate layers: which attention edges stay open.

A new kind of gate is one file and one line in `GATES`; one that only drops at random, with
nothing to learn, one line in `DROPPING`.
"""

from __future__ import annotations

from typing import Any

from tf_recdenoiser._keras import clone, layer_of
from tf_recdenoiser.layers.gates.base import Gates
from tf_recdenoiser.layers.gates.dropping import DroppingGates
from tf_recdenoiser.layers.gates.head_drop import HeadDrop
from tf_recdenoiser.layers.gates.item import ItemGates
from tf_recdenoiser.layers.gates.key import KeyGates
from tf_recdenoiser.layers.gates.layer_drop import LayerDrop
from tf_recdenoiser.layers.gates.pairwise import PairwiseGates
from tf_recdenoiser.layers.gates.positional import PositionalGates
from tf_recdenoiser.layers.gates.relative import RelativeGates

GATES: dict[str, type[Gates]] = {
    "positional": PositionalGates,
    "relative": RelativeGates,
    "pairwise": PairwiseGates,
    "item": ItemGates,
    "key": KeyGates,
}
"""Every kind of trained gate by name."""

DROPPING: dict[str, type[DroppingGates]] = {"layer_drop": LayerDrop, "head_drop": HeadDrop}
"""Every kind of gate that only drops at random by name."""


def get_gates(
    identifier: str | dict[str, Any] | Gates | DroppingGates | None,
) -> Gates | DroppingGates | None:
    """A new gate layer of that name, configuration or prototype; None for none.

    Examples
    --------
    >>> get_gates("positional").initial_keep
    0.9
    """
    if identifier is None:
        return None
    if isinstance(identifier, (Gates, DroppingGates)):
        return clone(identifier)
    if isinstance(identifier, dict):
        return clone(layer_of(identifier))
    kinds: dict[str, type[Gates] | type[DroppingGates]] = {**GATES, **DROPPING}
    if identifier not in kinds:
        raise ValueError(
            f"`gates` must be None, a gate layer or one of {', '.join(kinds)}. "
            f"Received: gates={identifier!r}"
        )
    return kinds[identifier]()


__all__ = [
    "DROPPING",
    "GATES",
    "DroppingGates",
    "Gates",
    "HeadDrop",
    "ItemGates",
    "KeyGates",
    "LayerDrop",
    "PairwiseGates",
    "PositionalGates",
    "RelativeGates",
    "get_gates",
]
