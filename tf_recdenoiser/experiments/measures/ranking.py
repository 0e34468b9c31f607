"""How well a model ranks what test users did next."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from tf_recdenoiser.data import Dataset
from tf_recdenoiser.evaluation import DISLIKED
from tf_recdenoiser.experiments.measurement import Measurement
from tf_recdenoiser.runs import Run, load_split


def ranking(run: Run, dataset: Dataset) -> Iterator[Measurement]:
    """NDCG@10 and Hit@10 of each test user, `full` and `paper`.

    Also of those alone whose newest item is noise, if it is known of any, and the share of what
    they disliked among the ten, if held-out dislikes are known.
    """
    results = run.scorer("test", dataset).results(run.recommender, ("full", "paper"))
    newest_is_noise = load_split(run.settings, dataset).test.last(1)[:, 0] > 0
    values: dict[str, float | np.ndarray] = {}
    for protocol, result in results.items():
        disliked = [] if result.disliked is None else [f"{DISLIKED}@10"]
        for metric in ("ndcg@10", "hit@10", *disliked):
            per_user = result.per_user(metric)
            values[f"{protocol} {metric}"] = per_user
            if newest_is_noise.any():
                values[f"{protocol} {metric}, newest is noise"] = per_user[newest_is_noise]
    yield Measurement(values)


def density(run: Run, dataset: Dataset) -> Iterator[Measurement]:
    """The share of reachable gates that a model keeps, over its layers; nothing without gates."""
    found = run.directory.metrics().get("density")
    if found:
        yield Measurement({"density": float(np.mean(found))})
