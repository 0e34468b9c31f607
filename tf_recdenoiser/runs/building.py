"""From settings to a compiled model."""

from __future__ import annotations

from typing import Any

from tf_recdenoiser._keras import keras
from tf_recdenoiser.backbones import BACKBONES
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


def build_recommender(settings: Settings, item_count: int) -> Recommender:
    """The untrained, compiled recommender of these settings."""
    backbone = _named(BACKBONES, settings.backbone, "backbone")(
        item_count=item_count,
        max_length=settings.max_length,
        width=settings.width,
        blocks=settings.blocks,
        heads=settings.heads,
        dropout=settings.dropout,
        norm=settings.norm,
        gates=build_gates(settings),
        gamma=settings.gamma,
        jacobian_rows=settings.jacobian_rows,
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
