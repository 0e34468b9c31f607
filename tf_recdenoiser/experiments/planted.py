"""Planted noise: how much of it is found, and how much of its harm is mended."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from tf_recdenoiser.experiments.comparison import Comparison, compare
from tf_recdenoiser.runs import (
    RunDirectory,
    Settings,
    load_dataset,
    load_run,
    load_split,
    train,
)

_AS_IT_IS = {"clean_above": 1.0, "clean_newest_above": 1.0}

METHODS: Mapping[str, Mapping[str, Any]] = {
    "plain": {},
    "oracle targets": {"detect": "oracle", "mend": "targets", **_AS_IT_IS},
    "oracle sequence": {"detect": "oracle", "mend": "sequence"},
    "context targets": {"detect": "context", "mend": "targets", **_AS_IT_IS},
    "context sequence": {"detect": "context", "mend": "sequence"},
}
"""What is done about noise, by name: the settings that differ from the plain run's.

Oracles know where the noise is. "targets": noise is no training target; "sequence": it is taken
out of whole sequences, the histories that recommendations start from included.
"""


def planted_settings(
    base: Settings, methods: Iterable[str], seeds: Iterable[int]
) -> dict[tuple[str, int], Settings]:
    """The settings of every run, by method and seed."""
    return {
        (method, seed): dataclasses.replace(base, seed=seed, **METHODS[method])
        for seed in seeds
        for method in methods
    }


def run_planted(
    base: Settings,
    out: Path,
    methods: Sequence[str] = tuple(METHODS),
    seeds: Sequence[int] = (0, 1, 2, 3, 4),
    callbacks: Sequence[Any] = (),
    report: Callable[[str], None] = lambda text: None,
) -> dict[str, dict[str, Comparison]]:
    """Train what is not there yet, and compare every method with the plain run.

    Noise is looked for once, with the first seed, and what was found serves all seeds: what
    differs from seed to seed is the recommender's training.

    Parameters
    ----------
    base
        The plain run's settings, with a `planted_rate`.
    out
        A directory with one for each run, `METHOD-SEED`; those that are finished are kept.
    methods
        Names of `METHODS`; "plain", to compare with, always runs.
    seeds
        Of the runs.
    callbacks
        Further Keras callbacks for each training.
    report
        Told what is being done while noise is looked for.

    Returns
    -------
    By method and then by "PROTOCOL METRIC", such as "full ndcg@10".
    """
    methods = list(dict.fromkeys(["plain", *methods]))
    dataset = load_dataset(base)
    values: dict[str, dict[str, list[np.ndarray]]] = {method: {} for method in methods}
    detection = None
    for (method, seed), settings in planted_settings(base, methods, seeds).items():
        directory = RunDirectory(run_directory(out, method, seed))
        looks = settings.detect == "context"
        if not directory.metrics_file.exists():
            known = detection if looks else None
            train(settings, dataset, directory, True, callbacks, known, report)
        if looks and detection is None:
            detection = directory.detection()
        for name, per_user in _per_user(directory.path).items():
            values[method].setdefault(name, []).append(per_user)
    return {
        method: {
            name: compare(np.stack(found), np.stack(values["plain"][name]))
            for name, found in by_name.items()
        }
        for method, by_name in values.items()
    }


def run_directory(out: Path, method: str, seed: int) -> Path:
    """Where a run of the experiment lies."""
    return out / f"{method.replace(' ', '-')}-{seed}"


def closed_gap(
    found: Mapping[str, Mapping[str, Comparison]], metric: str
) -> dict[str, tuple[float, float]]:
    """The share of the best oracle's gap that each method closes, with its standard error.

    The error is that of the method's difference, over seeds and users; the oracle's is taken as
    it stands. Empty without an oracle that gains anything.
    """
    oracles = [by_name[metric].difference for name, by_name in found.items() if "oracle" in name]
    best = max(oracles, default=0.0)
    if best <= 0:
        return {}
    return {
        name: (
            by_name[metric].difference / best,
            float(np.hypot(np.nan_to_num(by_name[metric].seed_error), by_name[metric].user_error))
            / best,
        )
        for name, by_name in found.items()
    }


def _per_user(path: Path) -> dict[str, np.ndarray]:
    """Metrics of each user [E], on all test users and on those whose newest item is noise."""
    run = load_run(path)
    scorer = run.scorer("test")
    newest = load_split(run.settings, run.dataset()).test.last(1)[:, 0] > 0
    values = {}
    for protocol in ("full", "paper"):
        result = scorer.result(run.recommender, protocol)
        for metric in ("ndcg@10", "hit@10"):
            per_user = result.per_user(metric)
            values[f"{protocol} {metric}"] = per_user
            if newest.any():
                values[f"{protocol} {metric}, newest is noise"] = per_user[newest]
    return values
