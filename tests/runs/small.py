"""Settings of runs that take seconds, and what may be compared between two of them."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from types import MappingProxyType
from typing import Any

from tf_recdenoiser.runs import RunDirectory, Settings, load_dataset

SYNTHETIC = {"log.users": 60, "log.items": 40, "log.clusters": 5}
DATASET = load_dataset(Settings.of("synthetic", SYNTHETIC))
_SMALL = Settings.of(
    "synthetic",
    {
        **SYNTHETIC,
        "model": {
            "max_length": 12,
            "hidden_dim": 8,
            "num_heads": 2,
            "num_layers": 1,
            "gamma": 1e-3,
            "jacobian_batch_size": 8,
        },
        "gates": {"name": "positional", "penalty": "entries", "beta": 0.1, "estimator": "disarm"},
        "noise.detector": "none",
        "fit": {"batch_size": 32, "epochs": 2, "patience": 0},
    },
)


def small(changes: Mapping[str, Any] = MappingProxyType({}), log: str | None = None) -> Settings:
    """One gated block under the Jacobian penalty, so that everything random takes part."""
    settings = _SMALL if log is None else dataclasses.replace(_SMALL, log=Settings.of(log).log)
    return settings.replace(changes)


def plain(changes: Mapping[str, Any] = MappingProxyType({}), log: str | None = None) -> Settings:
    """The quickest to train: no gates and no Jacobian penalty."""
    return small({"gates": "none", "model.gamma": 0.0}, log).replace(changes)


def metrics_of(directory: RunDirectory) -> dict[str, Any]:
    """All of `metrics.json` but how long it took."""
    return {name: value for name, value in directory.metrics().items() if name != "seconds"}


def history_of(directory: RunDirectory) -> list[dict[str, Any]]:
    """All of the training log but how long it took."""
    return [
        {name: value for name, value in row.items() if name != "seconds"}
        for row in directory.history()
    ]
