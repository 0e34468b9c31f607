"""From settings to a compiled model."""

from __future__ import annotations

import dataclasses
import inspect
from collections.abc import Mapping
from typing import Any

from tf_recdenoiser._keras import keras
from tf_recdenoiser.backbones import BACKBONES, Backbone
from tf_recdenoiser.data import DataError, Dataset
from tf_recdenoiser.layers import GATES, Gates
from tf_recdenoiser.runs.settings import Settings
from tf_recdenoiser.training import OBJECTIVES, Recommender

NO_GATES = "none"


def _named(table: dict[str, Any], name: str, argument: str) -> Any:
    if name not in table:
        raise ValueError(
            f"`{argument}` must be one of {', '.join(table)}. Received: {argument}={name!r}"
        )
    return table[name]


def _arguments(table: Mapping[str, type], argument: str, settings: Settings) -> dict[str, Any]:
    """The settings that the constructor of the chosen kind takes, by name.

    Raises
    ------
    ValueError
        If a setting that other kinds of the table take is not at its default.
    """
    taken = {name: inspect.signature(kind).parameters for name, kind in table.items()}
    chosen = getattr(settings, argument)
    arguments = {}
    for field in dataclasses.fields(settings):
        name, value = field.name, getattr(settings, field.name)
        takers = [kind for kind, parameters in taken.items() if name in parameters]
        if chosen in takers:
            arguments[name] = value
        elif takers and value != field.default:
            raise ValueError(
                f"`{name}` must be left at {field.default} with the {argument} {chosen}, which has "
                f"no such setting: it is one of {', '.join(takers)}. Received: {name}={value!r}"
            )
    return arguments


def backbone_class(settings: Settings) -> type[Backbone]:
    """The backbone that the settings name."""
    kind: type[Backbone] = _named(BACKBONES, settings.backbone, "backbone")
    return kind


def check_data(settings: Settings, dataset: Dataset) -> None:
    """Raise DataError if the data lack what the backbone reads."""
    kind = backbone_class(settings)
    if "times" in kind.extra_inputs and dataset.times is None:
        raise DataError(
            f"{kind.__name__} needs times: the log must say when each item was met. Give the name "
            "of its time column with --time-column, or choose another backbone. "
            f"Received: {settings.data}, which has none"
        )


def build_gates(settings: Settings) -> Gates | None:
    """The prototype of the gate layers, or None."""
    kind = _named({NO_GATES: None, **GATES}, settings.gates, "gates")
    if kind is None:
        return None
    gates: Gates = kind(
        beta=settings.beta if settings.target_density is None else 0.0,
        penalty=settings.penalty,
        initial_keep=settings.initial_keep,
        inference=settings.inference,
        target_density=settings.target_density,
    )
    return gates


def build_recommender(settings: Settings, item_count: int, user_count: int = 0) -> Recommender:
    """The untrained, compiled recommender of these settings.

    Parameters
    ----------
    settings
        Of the run.
    item_count, user_count
        Numbers of items and of users of whom something can be learned, as far as the backbone
        asks for them.
    """
    kind = backbone_class(settings)
    sizes = {"item_count": item_count, "user_count": user_count}
    taken = inspect.signature(kind).parameters
    backbone = kind(
        **{name: size for name, size in sizes.items() if name in taken},
        **{**_arguments(BACKBONES, "backbone", settings), "gates": build_gates(settings)},
    )
    objective = _named(OBJECTIVES, settings.objective, "objective")(settings.negatives)
    recommender = Recommender(backbone, objective)
    recommender.compile(
        keras.optimizers.Adam(settings.learning_rate, beta_2=0.98),
        gate_optimizer=keras.optimizers.Adam(settings.gate_learning_rate),
        estimator=settings.estimator,
        credit=backbone.causal if settings.credit is None else settings.credit,
        estimator_rows=settings.estimator_rows,
        l2=settings.l2,
        seed=settings.seed,
    )
    # Else the first train step makes the optimizers' variables, and has to be traced twice.
    recommender.build_optimizers()
    return recommender
