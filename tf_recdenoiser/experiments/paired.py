"""Runs that differ by a method and a seed, and how the methods compare."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from tf_recdenoiser.data import Dataset
from tf_recdenoiser.evaluation import DISLIKED
from tf_recdenoiser.experiments.comparison import Comparison, compare
from tf_recdenoiser.noise import Detection
from tf_recdenoiser.runs import (
    Observer,
    RunDirectory,
    RunError,
    Settings,
    assignment,
    build_recommender,
    load_run,
    load_split,
    resolve,
    train,
)
from tf_recdenoiser.runs.detect import read_detection

PLAIN = "plain"

Changes = Mapping[str, Any]
Method = Changes | Callable[[Path, int], Changes]
"""What differs from the plain run: settings by name, or what gives them for a directory of runs
and a seed, whose earlier methods have then been trained."""


def run_paired(
    base: Settings,
    dataset: Dataset,
    out: Path,
    methods: Mapping[str, Method],
    seeds: Sequence[int],
    observer: Observer | None = None,
) -> dict[str, dict[str, Comparison]]:
    """Train what is not there yet, and compare every method with the plain run.

    Noise is looked for once in each way, with the first seed, and what was found serves all seeds:
    what differs from seed to seed is the recommender's training.

    Parameters
    ----------
    base
        The plain run's settings.
    dataset
        What `load_dataset(base)` gives.
    out
        A directory with one for each run, `METHOD-SEED`; those that are finished with the same
        settings are kept.
    methods
        By name, in the order in which they are trained; `PLAIN`, to compare with, comes first
        and need not be named.
    seeds
        Of the runs.
    observer
        Gets reports of what is done; None (default) for none.

    Returns
    -------
    By method and then by "PROTOCOL METRIC", such as "full ndcg@10", of all test users, and by
    "full ndcg@10, newest is noise" of those whose newest item is, if there are any. Of
    "full disliked@10", which is there where held-out dislikes are known, less is better.

    Raises
    ------
    RunError
        If a method does not go with the settings, before anything is trained; or if `out` holds
        one of its runs with other settings.
    """
    if len(set(seeds)) < len(seeds):
        raise ValueError(f"`seeds` must differ from one another. Received: {[*seeds]}")
    methods = {PLAIN: {}, **methods}
    _check(base, methods)
    # The same users for every run, or there would be nothing to compare.
    newest_is_noise = load_split(base, dataset).test.last(1)[:, 0] > 0
    values: dict[str, dict[str, list[np.ndarray]]] = {method: {} for method in methods}
    detections: dict[Settings, Detection] = {}
    for seed in seeds:
        for name, method in methods.items():
            settings = base.replace({"seed": seed, **_changes(method, out, seed)})
            directory = RunDirectory(run_directory(out, name, seed))
            search = _search(settings)
            if not _is_finished(directory, settings):
                train(settings, dataset, directory, True, observer, detections.get(search))
            if settings.looks_for_noise and search not in detections:
                detections[search] = read_detection(directory)
            for metric, per_user in _per_user(directory.path, dataset, newest_is_noise).items():
                values[name].setdefault(metric, []).append(per_user)
    return {
        name: {
            metric: compare(np.stack(found), np.stack(values[PLAIN][metric]))
            for metric, found in by_metric.items()
        }
        for name, by_metric in values.items()
    }


def _check(base: Settings, methods: Mapping[str, Method]) -> None:
    """Build every method's recommender once, but for methods that are made from trained ones."""
    for name, method in methods.items():
        if callable(method):
            continue
        try:
            build_recommender(base.replace(method), 1, 1)
        except ValueError as error:
            raise RunError(f"The method {name!r} does not go with the settings. {error}") from error


def _is_finished(directory: RunDirectory, settings: Settings) -> bool:
    return directory.is_finished() and directory.settings() == resolve(settings)


def _search(settings: Settings) -> Settings:
    """The settings that may decide what is found of noise; its seed is the first run's."""
    noise = {
        "noise.detector": settings.noise.detector,
        "noise.distribution": settings.noise.distribution,
    }
    return settings.plain().replace({**noise, "seed": 0})


def run_directory(out: Path, method: str, seed: int) -> Path:
    """Where a run of an experiment lies."""
    return out / f"{re.sub('[ =/]', '-', method)}-{seed}"


def chosen(methods: Mapping[str, Method], texts: Iterable[str]) -> dict[str, Method]:
    """The methods that some texts ask for: `NAME`, or `NAME PATH=VALUE …` with other settings.

    Raises
    ------
    RunError
        If there is no such method.
    SettingsError
        If a setting is not written `PATH=VALUE`.

    Examples
    --------
    >>> found = chosen({"gated": {"gates": "item"}}, ["gated", "gated gates.beta=0.01"])
    >>> list(found.values())
    [{'gates': 'item'}, {'gates': 'item', 'gates.beta': 0.01}]
    """
    return {text: _method(methods, text) for text in dict.fromkeys(texts)}


def _method(methods: Mapping[str, Method], text: str) -> Method:
    words = text.split()
    name = " ".join(word for word in words if "=" not in word)
    if name not in methods:
        raise RunError(f"A method must be one of {', '.join(methods)}. Received: {name!r}")
    method = methods[name]
    further = dict(assignment(word) for word in words if "=" in word)
    if callable(method):
        return lambda out, seed: {**method(out, seed), **further}
    return {**method, **further}


def _changes(method: Method, out: Path, seed: int) -> Changes:
    return method(out, seed) if callable(method) else method


def _per_user(path: Path, dataset: Dataset, newest_is_noise: np.ndarray) -> dict[str, np.ndarray]:
    """Metrics of each user [E], on all test users and on those whose newest item is noise."""
    run = load_run(path)
    scorer = run.scorer("test", dataset)
    values = {}
    for protocol in ("full", "paper"):
        result = scorer.result(run.recommender, protocol)
        disliked = [] if result.disliked is None else [f"{DISLIKED}@10"]
        for metric in ("ndcg@10", "hit@10", *disliked):
            per_user = result.per_user(metric)
            values[f"{protocol} {metric}"] = per_user
            if newest_is_noise.any():
                values[f"{protocol} {metric}, newest is noise"] = per_user[newest_is_noise]
    return values
