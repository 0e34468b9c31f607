"""The ways to search: KerasTuner's oracles by name.

KerasTuner is imported where it is used, since it brings a second Keras along, and the table of
names is needed to show help.
"""

from __future__ import annotations

import importlib.util
import math
from collections.abc import Callable
from typing import Any

from tf_recdenoiser.runs import RunError

METRIC = "ndcg@10"
"""What is sought to be high."""
_FACTOR = 3


def _random(space: Any, trials: int, epochs: int, seed: int) -> Any:
    """Settings drawn at random, no two the same."""
    from keras_tuner.oracles import RandomSearchOracle

    return RandomSearchOracle(max_trials=trials, **_common(space, trials, seed))


def _hyperband(space: Any, trials: int, epochs: int, seed: int) -> Any:
    """Many settings for few epochs, the best third of them for three times as many, and so on.

    Li et al., "Hyperband" (JMLR 2018), with as many brackets as have a whole sweep within
    `trials`; in units of epochs ÷ `max_epochs`.
    """
    from keras_tuner.oracles import HyperbandOracle

    brackets = brackets_within(trials, epochs)
    return HyperbandOracle(
        max_epochs=_FACTOR ** (brackets - 1),
        factor=_FACTOR,
        hyperband_iterations=trials // sweep_size(brackets),
        **_common(space, trials, seed),
    )


def _bayesian(space: Any, trials: int, epochs: int, seed: int) -> Any:
    """A Gaussian process of what was found so far, after one random trial for each setting."""
    missing = [name for name in ("scipy", "sklearn") if importlib.util.find_spec(name) is None]
    if missing:
        raise RunError(
            "The tuner bayesian needs SciPy and scikit-learn: install tf_recdenoiser[bayesian], "
            f"or choose another tuner. Received: an environment without {', '.join(missing)}"
        )
    from keras_tuner.oracles import BayesianOptimizationOracle

    return BayesianOptimizationOracle(
        max_trials=trials,
        num_initial_points=len(space.space),
        **_common(space, trials, seed),
    )


TUNERS: dict[str, Callable[[Any, int, int, int], Any]] = {
    "random": _random,
    "hyperband": _hyperband,
    "bayesian": _bayesian,
}
"""Makes an oracle of the search space, the number of trials, their epochs and the seed, by name."""

EXTENDABLE = frozenset({"random", "bayesian"})
"""Tuners whose first trials do not depend on how many there will be."""


def sweep_size(brackets: int) -> int:
    """The number of trials in one sweep of Hyperband (Li et al. 2018, Algorithm 1).

    Bracket s of S = s_max + 1 has s + 1 rounds, in round i ⌈S / (s + 1) · 3^(s − i)⌉ trials;
    KerasTuner rounds up in every round.

    Examples
    --------
    >>> [sweep_size(brackets) for brackets in (1, 2, 3, 4)]
    [1, 6, 23, 70]
    """
    return sum(
        math.ceil(brackets / (s + 1) * _FACTOR ** (s - i))
        for s in range(brackets)
        for i in range(s + 1)
    )


def brackets_within(trials: int, epochs: int) -> int:
    """The most brackets of which a sweep fits, with an epoch at least for each trial.

    Examples
    --------
    >>> brackets_within(30, 200), brackets_within(30, 5), brackets_within(5, 200)
    (3, 2, 1)
    """
    brackets = 1
    while sweep_size(brackets + 1) <= trials and _FACTOR**brackets <= epochs:
        brackets += 1
    return brackets


def _common(space: Any, trials: int, seed: int) -> dict[str, Any]:
    from keras_tuner import Objective

    return {
        "objective": Objective(METRIC, "max"),
        "hyperparameters": space,
        "seed": seed + 1,  # KerasTuner takes a seed of 0 for none
        # A search goes on whatever fails, and its caller learns of it.
        "max_consecutive_failed_trials": trials + 1,
    }
