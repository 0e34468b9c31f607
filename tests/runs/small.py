"""Settings of runs that take seconds, and what may be compared between two of them."""

from __future__ import annotations

from typing import Any

from tf_recdenoiser.runs import RunDirectory, Settings, load_dataset

SYNTHETIC = "synthetic:users=60,items=40,clusters=5"
DATASET = load_dataset(Settings(SYNTHETIC))


def small(**changes: Any) -> Settings:
    """One gated block under the Jacobian penalty, so that everything random takes part."""
    settings = {
        "max_length": 12,
        "hidden_dim": 8,
        "num_heads": 2,
        "num_layers": 1,
        "batch_size": 32,
        "epochs": 2,
        "patience": 0,
        "gates": "positional",
        "penalty": "entries",
        "gamma": 1e-3,
        "jacobian_batch_size": 8,
        "estimator": "disarm",
        "detect": "none",
        "beta": 0.1,
    }
    return Settings(**{"data": SYNTHETIC, **settings, **changes})


def plain(**changes: Any) -> Settings:
    """The quickest to train: no gates and no Jacobian penalty."""
    return small(**{"gates": "none", "gamma": 0.0, **changes})


def metrics_of(directory: RunDirectory) -> dict[str, Any]:
    """All of `metrics.json` but how long it took."""
    return {name: value for name, value in directory.metrics().items() if name != "seconds"}


def history_of(directory: RunDirectory) -> list[dict[str, Any]]:
    """All of the training log but how long it took."""
    return [
        {name: value for name, value in row.items() if name != "seconds"}
        for row in directory.history()
    ]
