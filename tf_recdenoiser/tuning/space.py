"""What is searched: values to choose from for each setting, and settings chosen from them."""

from __future__ import annotations

import dataclasses
import inspect
from collections.abc import Collection, Mapping, Sequence
from typing import Any

from tf_recdenoiser.estimators import ESTIMATORS
from tf_recdenoiser.layers import GATES
from tf_recdenoiser.runs import EDGES_PER_ENTRY, Settings, build_objective, resolved
from tf_recdenoiser.runs.building import backbone_class
from tf_recdenoiser.training import OBJECTIVES

Choices = Mapping[str, Sequence[Any]]
"""Values to choose from by the name of the setting."""

_TENTHS = (1e-5, 1e-4, 1e-3, 1e-2, 1e-1)

CHOICES: Choices = {
    "hidden_dim": (10, 20, 30, 40, 50),
    "num_layers": (1, 2, 3),
    "num_heads": (1, 2, 4, 5),
    "dropout": (0.0, 0.1, 0.2, 0.3, 0.5),
    "beta": _TENTHS,
    "gamma": _TENTHS,
    "estimator": tuple(ESTIMATORS),
    "initial_keep": (0.6, 0.7, 0.8, 0.9, 0.95),
    "learning_rate": (3e-4, 1e-3, 3e-3),
    "gate_learning_rate": (0.01, 0.03, 0.1),
    "objective": tuple(OBJECTIVES),
}
"""What is searched if nothing else is said. Width, β and γ are the grids of Chen et al. (2022).

β is searched at a hundredth of these values (`EDGES_PER_ENTRY`) where it is the price of edges.
"""

_OF_BACKBONES = frozenset({"hidden_dim", "num_layers", "num_heads", "dropout", "gamma"})
_OF_GATES = frozenset({"beta", "estimator", "initial_keep", "gate_learning_rate"})
# Every trial has the same data; what is noise in them is not for a search to decide. Epochs are
# a trial's budget.
_NOT_SEARCHED = frozenset(
    {
        *("data", "format", "on_bad_row", "k_core", "epochs"),
        *("user_column", "item_column", "time_column", "rating_column"),
        *("injection_rate", "injection_distribution", "injection_places", "injection_seed"),
    }
)
SEARCHABLE = tuple(
    field.name for field in dataclasses.fields(Settings) if field.name not in _NOT_SEARCHED
)
"""Every setting that may be searched."""


def choices_for(
    base: Settings, fixed: Collection[str] = (), given: Choices | None = None
) -> dict[str, tuple[Any, ...]]:
    """What is searched around some settings: `CHOICES`, as far as they matter and go together.

    Left out is what has no effect with `base` (β without gates, say), objectives that refuse a
    setting of `base`, and heads that do not divide every width; where heads are fixed, widths
    that they do not divide. So every combination can be built.

    Parameters
    ----------
    base
        Settings that hold for whatever is not searched.
    fixed
        Names that are not searched; none by default.
    given
        Values to choose from instead of those of `CHOICES`, or beside them for other settings;
        they are taken as they are. None (default): no others.

    Raises
    ------
    ValueError
        If `given` names what cannot be searched, or no value is left to choose from.

    Examples
    --------
    >>> plain = Settings("log.csv", hidden_dim=64).plain()
    >>> choices_for(
    ...     plain, fixed=("hidden_dim", "gamma", "objective"), given={"max_length": (20, 50)}
    ... )
    {'blocks': (1, 2, 3), 'heads': (1, 2, 4), 'dropout': (0.0, 0.1, 0.2, 0.3, 0.5),
     'learning_rate': (0.0003, 0.001, 0.003), 'max_length': (20, 50)}
    """
    given = {} if given is None else given
    kept = {
        name: _scaled(name, values, base)
        for name, values in CHOICES.items()
        if name not in fixed and name not in given and _matters(name, base)
    }
    choices = {**kept, **{name: tuple(values) for name, values in given.items()}}
    hidden_dims = choices.get("hidden_dim", (base.hidden_dim,))
    num_heads = choices.get("num_heads", (base.num_heads,))
    if "num_heads" in kept:
        choices["num_heads"] = tuple(
            h for h in num_heads if all(_divides(h, w, base) for w in hidden_dims)
        )
    elif "hidden_dim" in kept:
        choices["hidden_dim"] = tuple(
            w for w in hidden_dims if all(_divides(h, w, base) for h in num_heads)
        )
    if "objective" in kept:
        choices["objective"] = tuple(o for o in choices["objective"] if _builds(o, base))
    for name, values in choices.items():
        if name not in SEARCHABLE:
            raise ValueError(
                f"What is searched must be one of {', '.join(SEARCHABLE)}. Received: {name}"
            )
        if not values:
            raise ValueError(
                f"`{name}` must have a value that goes with the other settings: fix it, or give "
                f"others to choose from. Received: {[*CHOICES.get(name, ())]}, and none goes"
            )
    return choices


def trial_base(base: Settings) -> Settings:
    """The settings that trials start from: noise is looked for only if `base` says how.

    Each trial would look anew, and find the same.
    """
    return dataclasses.replace(base, detect=base.detect or "none")


def search_space(hp: Any, base: Settings, choices: Choices | None = None) -> Settings:
    """The settings that `hp` chooses; what is searched becomes known to it by the way.

    Parameters
    ----------
    hp
        A `keras_tuner.HyperParameters`.
    base
        Settings that hold for whatever is not searched.
    choices
        What is searched, by name; None (default): `choices_for(base)`.

    Examples
    --------
    >>> import keras_tuner
    >>> hp = keras_tuner.HyperParameters()
    >>> search_space(
    ...     hp, Settings("log.csv"), {"hidden_dim": (10, 20), "beta": (0.1, 0.01)}
    ... ).hidden_dim
    10
    >>> hp.values  # at first: what `base` has, or the first value
    {'width': 10, 'beta': 0.1}
    """
    choices = choices_for(base) if choices is None else choices
    chosen, at_first = {}, resolved(base)
    for name, values in choices.items():
        usual = getattr(at_first, name)
        chosen[name] = hp.Choice(name, [*values], default=usual if usual in values else None)
    return dataclasses.replace(trial_base(base), **chosen)


def _matters(name: str, base: Settings) -> bool:
    """Whether a setting of `CHOICES` has an effect."""
    if name in _OF_BACKBONES:
        return name in inspect.signature(backbone_class(base)).parameters
    if name in _OF_GATES:
        return resolved(base).gates in GATES and (name != "beta" or base.target_density is None)
    return True


def _scaled(name: str, values: Sequence[Any], base: Settings) -> tuple[Any, ...]:
    """The values as they are, but for prices of edges."""
    of_links = name == "beta" and resolved(base).penalty == "edges"
    return tuple(value / EDGES_PER_ENTRY for value in values) if of_links else tuple(values)


def _divides(num_heads: int, hidden_dim: int, base: Settings) -> bool:
    reads_users = "user_dim" in inspect.signature(backbone_class(base)).parameters
    return (hidden_dim + base.user_dim * reads_users) % num_heads == 0


def _builds(objective: str, base: Settings) -> bool:
    """Whether an objective takes the settings as they are."""
    try:
        build_objective(dataclasses.replace(base, objective=objective))
    except ValueError:
        return False
    return True
