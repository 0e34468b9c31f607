"""What Keras users give for one output or for several, put in the order of the outputs."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any


def is_several(value: Any) -> bool:
    """Whether `value` is a dict, list or tuple.

    Examples
    --------
    >>> is_several(["mse"]), is_several("mse")
    (True, False)
    """
    return isinstance(value, (dict, list, tuple))


def of_outputs(what: str, value: Any, names: Sequence[Any], needed: bool = False) -> list[Any]:
    """What of `value` belongs to each output, in the order of `names`.

    Parameters
    ----------
    what
        What to call `value` in an error.
    value
        A dict by names, a list in the order of outputs, or one for all of them.
    names
        Of the outputs; numbers where they have none.
    needed
        Whether each output must have its own; False by default: None where a dict has none, and
        what is neither a dict nor a list belongs to all.

    Raises
    ------
    ValueError
        If `value` has names of no output, or is a list of another length.

    Examples
    --------
    >>> of_outputs("loss_weights", {"b": 2.0}, ["a", "b"])
    [None, 2.0]
    >>> of_outputs("loss", "mse", ["a", "b"])
    ['mse', 'mse']
    """
    known = ", ".join(map(str, names))
    if isinstance(value, dict):
        strange = sorted(str(name) for name in set(value) - set(names))
        missing = sorted(str(name) for name in set(names) - set(value)) if needed else []
        if strange or missing:
            raise ValueError(
                f"`{what}` must be a dict by the names of outputs, {known}, or a list in their "
                f"order. Received: {', '.join(map(str, value))}"
            )
        return [value.get(name) for name in names]
    if isinstance(value, (list, tuple)):
        if len(value) != len(names):
            raise ValueError(
                f"`{what}` must have one for each output, {known}. Received: {len(value)}"
            )
        return list(value)
    if needed and len(names) > 1:
        raise ValueError(
            f"`{what}` must be a dict or a list with one for each output, {known}. "
            f"Received: {type(value).__name__}"
        )
    return [value] * len(names)


def names_of(model: Any, outputs: Any) -> list[Any]:
    """The names of a model's outputs, as it returned them; numbers if they have none."""
    if isinstance(outputs, dict):
        return list(outputs)
    count = len(outputs) if is_several(outputs) else 1
    names = getattr(model, "output_names", None) or ()
    return list(names) if len(names) == count else list(range(count))
