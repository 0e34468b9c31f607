"""A run that has every file that a run can have."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np

from tests.runs.small import DATASET, small
from tf_recdenoiser.runs import RunDirectory, load_run, train

WHOLE = small(
    {
        "model": "sse_pt",
        "noise.injection.rate": 0.25,
        "noise.detector": "context",
        "noise.correction": "sequence",
        "fit.epochs": 1,
    }
)


def whole_run(path: Path) -> RunDirectory:
    """A finished run that knows users and titles, has gates, and looked for noise."""
    directory = RunDirectory(path)
    titles = np.array([f"Film {raw}" for raw in DATASET.item_ids], object)
    train(WHOLE, DATASET, directory, titles=titles)
    return directory


def evaluated(path: Path) -> dict[str, Any]:
    """What `evaluate` finds of a run."""
    run = load_run(path)
    return run.scorer("test").result(run.recommender, "full").summary()
