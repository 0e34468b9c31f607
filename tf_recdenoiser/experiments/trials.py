"""The models of an experiment: what each is called and how its settings differ."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

from tf_recdenoiser.experiments.measurement import Measure
from tf_recdenoiser.runs import RunError, assignment

PLAIN = "plain"

Changes = Mapping[str, Any]
Method = Changes | Callable[[Path, int], Changes]
"""What differs from the base: settings by name, or what gives them for a directory of runs and a
seed, whose earlier trials have then been trained."""


@dataclasses.dataclass(frozen=True)
class Trial:
    """A model of an experiment, which is trained with every seed.

    Attributes
    ----------
    method
        What tables and `--methods` call it.
    changes
        What differs from the experiment's base.
    factors
        What else is varied, by name, as `{"noise": 0.1}`; nothing by default.
    baseline
        The method that it is compared with, at the same factors if there is such a trial; None for
        none. `PLAIN` by default.
    needs
        Methods whose runs it is made from; none by default.
    quick
        Whether it takes part in a quick run; true by default.
    also
        What is measured of its runs beside what the experiment measures of all; nothing by
        default.
    """

    method: str
    changes: Method
    factors: Mapping[str, Any] = dataclasses.field(default_factory=dict)
    baseline: str | None = PLAIN
    needs: tuple[str, ...] = ()
    quick: bool = True
    also: tuple[Measure, ...] = ()

    @property
    def name(self) -> str:
        """What no other trial is called.

        Examples
        --------
        >>> Trial("gates", {}, {"noise": 0.1}).name
        'gates, noise 0.1'
        """
        return ", ".join(
            [self.method, *(f"{name} {value}" for name, value in self.factors.items())]
        )


def of_methods(methods: Mapping[str, Method], baseline: str | None = PLAIN) -> tuple[Trial, ...]:
    """A trial of each method."""
    return tuple(Trial(name, changes, {}, baseline) for name, changes in methods.items())


def crossed(
    trials: Iterable[Trial],
    factor: str,
    levels: Mapping[Any, Method],
    quick: Sequence[Any] | None = None,
) -> tuple[Trial, ...]:
    """Every trial at every level of one more factor.

    Parameters
    ----------
    trials
        At each of the levels.
    factor
        What the levels are of.
    levels
        What each changes.
    quick
        The levels of quick runs; None (default): all.

    Examples
    --------
    >>> plain = Trial("plain", {"gates": "none"})
    >>> short, long = crossed([plain], "n", {n: {"model.max_length": n} for n in (20, 50)})
    >>> long.name, long.changes
    ('plain, n 50', {'gates': 'none', 'model.max_length': 50})
    """
    return tuple(
        dataclasses.replace(
            trial,
            changes=together(trial.changes, changes),
            factors={**trial.factors, factor: level},
            quick=trial.quick and (quick is None or level in quick),
        )
        for level, changes in levels.items()
        for trial in trials
    )


def together(first: Method, second: Method) -> Method:
    """What two methods change, the second where both change the same."""
    if callable(first) or callable(second):
        return lambda out, seed: {**changes_of(first, out, seed), **changes_of(second, out, seed)}
    return {**first, **second}


def changes_of(method: Method, out: Path, seed: int) -> Changes:
    """What a method changes, where the experiment's runs lie in `out`."""
    return method(out, seed) if callable(method) else method


def baseline_of(trial: Trial, trials: Iterable[Trial]) -> Trial | None:
    """The trial that one is compared with: of its baseline, at the same factors or at none."""
    of_method = [one for one in trials if one.method == trial.baseline]
    same = [one for one in of_method if one.factors == trial.factors]
    return next(iter([*same, *(one for one in of_method if not one.factors)]), None)


def chosen(trials: Sequence[Trial], texts: Iterable[str]) -> tuple[Trial, ...]:
    """The trials that some texts ask for: `NAME`, or `NAME PATH=VALUE …` with other settings.

    What they are compared with and made from comes too, in the order of `trials`; what has other
    settings comes last.

    Raises
    ------
    RunError
        If there is no such method.
    SettingsError
        If a setting is not written `PATH=VALUE`.

    Examples
    --------
    >>> trials = (Trial("plain", {}), Trial("gated", {"gates": "item"}), Trial("other", {}))
    >>> [trial.method for trial in chosen(trials, ["gated gates.beta=0.01"])]
    ['plain', 'gated gates.beta=0.01']
    """
    asked = [_asked(trials, text) for text in dict.fromkeys(texts)]
    wanted = {method for method, further in asked if not further}
    for method, _ in asked:
        wanted |= _leaned_on(trials, method)
    changed = [
        dataclasses.replace(
            trial,
            method=" ".join([method, *(f"{path}={value}" for path, value in further.items())]),
            changes=together(trial.changes, further),
        )
        for method, further in asked
        if further
        for trial in trials
        if trial.method == method
    ]
    return (*(trial for trial in trials if trial.method in wanted), *changed)


def _asked(trials: Sequence[Trial], text: str) -> tuple[str, dict[str, Any]]:
    words = text.split()
    method = " ".join(word for word in words if "=" not in word)
    known = list(dict.fromkeys(trial.method for trial in trials))
    if method not in known:
        raise RunError(f"A method must be one of {', '.join(known)}. Received: {method!r}")
    return method, dict(assignment(word) for word in words if "=" in word)


def _leaned_on(trials: Sequence[Trial], method: str) -> set[str]:
    """The methods that one is compared with or made from, and those that these need."""
    found: set[str] = set()
    waiting = [method]
    while waiting:
        name = waiting.pop()
        its = [trial for trial in trials if trial.method == name]
        others = {needed for trial in its for needed in (*trial.needs, trial.baseline)} - {None}
        waiting += [str(other) for other in others if other not in found and other != name]
        found |= {str(other) for other in others}
    return found
