"""What is searched: values to choose from for each setting, and settings chosen from them."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from typing import Any

from tf_recdenoiser._settings import NAME, all_paths, enabling, nearest
from tf_recdenoiser.estimators import ESTIMATORS
from tf_recdenoiser.runs import Settings, SettingsError, resolve
from tf_recdenoiser.runs.resolve import EDGES_PER_ENTRY
from tf_recdenoiser.training import OBJECTIVES

Choices = Mapping[str, Sequence[Any]]
"""Values to choose from by the path of the setting."""

_TENTHS = (1e-5, 1e-4, 1e-3, 1e-2, 1e-1)

CHOICES: Choices = {
    "model.hidden_dim": (10, 20, 30, 40, 50),
    "model.num_layers": (1, 2, 3),
    "model.num_heads": (1, 2, 4, 5),
    "model.dropout": (0.0, 0.1, 0.2, 0.3, 0.5),
    "gates.beta": _TENTHS,
    "model.gamma": _TENTHS,
    "gates.estimator": tuple(ESTIMATORS),
    "gates.initial_keep": (0.6, 0.7, 0.8, 0.9, 0.95),
    "fit.learning_rate": (3e-4, 1e-3, 3e-3),
    "gates.learning_rate": (0.01, 0.03, 0.1),
    "objective": tuple(OBJECTIVES),
}
"""What is searched by default. The hidden size, β and γ have the grids of Chen et al.
(2022); β a hundredth of it (`EDGES_PER_ENTRY`) where it is the weight of attention edges.
"""

# Every trial has the same data; what is noise in them is not for a search to decide. Epochs are
# a trial's budget.
_NOT_SEARCHED = ("log.", "noise.injection.", "fit.epochs")


def choices_for(
    base: Settings, fixed: Collection[str] = (), given: Choices | None = None
) -> dict[str, tuple[Any, ...]]:
    """What is searched around some settings: `CHOICES`, as far as they matter and go together.

    Left out is what has no effect with `base` (β without gates, say), objectives that refuse a
    setting of `base`, and numbers of heads that do not divide every hidden size; where heads are
    fixed, sizes that they do not divide. So every combination can be built.

    Parameters
    ----------
    base
        Settings that hold for whatever is not searched.
    fixed
        Paths that are not searched; none by default.
    given
        Values to choose from instead of those of `CHOICES`, or beside them for other settings;
        they are taken as they are. None (default): no others.

    Raises
    ------
    ValueError
        If `given` names what cannot be searched, or no value is left to choose from.

    Examples
    --------
    >>> plain = Settings.of("log.csv", {"model.hidden_dim": 64}).plain()
    >>> fixed = ("model.hidden_dim", "model.gamma", "objective")
    >>> choices_for(plain, fixed, given={"model.max_length": (20, 50)})
    {'model.num_layers': (1, 2, 3), 'model.num_heads': (1, 2, 4),
     'model.dropout': (0.0, 0.1, 0.2, 0.3, 0.5), 'fit.learning_rate': (0.0003, 0.001, 0.003),
     'model.max_length': (20, 50)}
    """
    given = {} if given is None else given
    for path, values in given.items():
        _check_searchable(path, values, base)
    fixed = {*fixed, *(path.removesuffix(f".{NAME}") for path in fixed)}
    kept = {
        path: _scaled(path, values, base)
        for path, values in CHOICES.items()
        if path not in fixed and path not in given and _matters(path, values[0], base)
    }
    choices = {**kept, **{path: tuple(values) for path, values in given.items()}}
    _keep_divisible(choices, kept, base)
    if "objective" in kept:
        choices["objective"] = tuple(o for o in choices["objective"] if _resolves(o, base))
    for path, values in choices.items():
        if not values:
            raise SettingsError(
                f"`{path}` must have a value that goes with the other settings: fix it, or give "
                f"others to choose from. Received: {[*CHOICES.get(path, ())]}, and none goes"
            )
    return choices


def _check_searchable(path: str, values: Sequence[Any], base: Settings) -> None:
    known = all_paths(Settings)
    whole = path if path in known else f"{path}.{NAME}"
    if whole not in known:
        raise SettingsError(
            f"There is no setting `{path}` to search. {nearest(path, Settings)}Received: {path}"
        )
    if path.startswith(_NOT_SEARCHED):
        raise SettingsError(
            f"`{path}` cannot be searched: all trials have the same data, and `fit.epochs` is what "
            f"each may use. Received: {path}"
        )
    able = base if _has(base, path) else base.replace(enabling(whole, Settings))
    for value in values:
        able.replace({path: value})


def _has(settings: Settings, path: str) -> bool:
    return bool({path, f"{path}.{NAME}"} & settings.paths().keys())


def _keep_divisible(choices: dict[str, Any], kept: Choices, base: Settings) -> None:
    """Leave out numbers of heads, or hidden sizes, that do not go with all of the others."""
    sizes = choices.get("model.hidden_dim", (getattr(base.model, "hidden_dim", 0),))
    heads = choices.get("model.num_heads", (getattr(base.model, "num_heads", 1),))
    beside = getattr(base.model, "user_dim", 0)
    if "model.num_heads" in kept:
        choices["model.num_heads"] = tuple(
            h for h in heads if all((d + beside) % h == 0 for d in sizes)
        )
    elif "model.hidden_dim" in kept:
        choices["model.hidden_dim"] = tuple(
            d for d in sizes if all((d + beside) % h == 0 for h in heads)
        )


def trial_base(base: Settings) -> Settings:
    """The settings that trials start from: noise is looked for only if `base` says how.

    Each trial would look anew, and find the same.
    """
    return base.replace({"noise.detector": "none"}) if base.detector is None else base


def search_space(hp: Any, base: Settings, choices: Choices | None = None) -> Settings:
    """The settings that `hp` chooses, after what is searched was declared to it.

    Parameters
    ----------
    hp
        A `keras_tuner.HyperParameters`.
    base
        Settings that hold for whatever is not searched.
    choices
        What is searched, by path; None (default): `choices_for(base)`.

    Examples
    --------
    >>> import keras_tuner
    >>> hp = keras_tuner.HyperParameters()
    >>> choices = {"model.hidden_dim": (10, 20), "fit.learning_rate": (0.1, 0.01)}
    >>> search_space(hp, Settings.of("log.csv"), choices).model.hidden_dim
    10
    >>> hp.values  # at first: what `base` has, or the first value
    {'model.hidden_dim': 10, 'fit.learning_rate': 0.1}
    """
    choices = choices_for(base) if choices is None else choices
    at_first = resolve(base).paths()
    chosen = {}
    for path, values in choices.items():
        default = at_first.get(path, at_first.get(f"{path}.{NAME}"))
        chosen[path] = hp.Choice(path, [*values], default=default if default in values else None)
    # Names come first: what a trial's names do not take has no effect on it.
    names = {path: value for path, value in chosen.items() if not _is_leaf(path)}
    named = trial_base(base).replace(names)
    return named.replace({path: value for path, value in chosen.items() if _has(named, path)})


def _is_leaf(path: str) -> bool:
    return path in all_paths(Settings) and not path.endswith(f".{NAME}")


def _matters(path: str, value: Any, base: Settings) -> bool:
    """Whether a setting of `CHOICES` has an effect."""
    if path == "gates.beta" and getattr(base.gates, "target_density", None) is not None:
        return False
    try:
        base.replace({path: value})
    except SettingsError:
        return False
    return True


def _scaled(path: str, values: Sequence[Any], base: Settings) -> tuple[Any, ...]:
    """The values as they are, but for weights of attention edges."""
    of_edges = path == "gates.beta" and resolve(base).gates.penalty == "edges"
    return tuple(value / EDGES_PER_ENTRY for value in values) if of_edges else tuple(values)


def _resolves(objective: str, base: Settings) -> bool:
    """Whether an objective goes with the other settings, and takes what is set of the base's."""
    try:
        changed = trial_base(base).replace({"objective": objective})
        resolve(changed)
    except ValueError:
        return False
    return True
