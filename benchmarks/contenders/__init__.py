"""Whom the suites measure; nothing of theirs is imported here."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from benchmarks.turns import Contender

TRAINED = "benchmarks.contenders.trained"


def ours(
    name: str,
    changes: dict[str, Any] | None = None,
    module: str = "benchmarks.contenders.ours",
    **options: Any,
) -> Contender:
    """This library under tf_keras, with changes of its settings; a module measures it."""
    return Contender(
        name,
        module,
        options={"changes": changes or {}, **options},
        variables={"TF_USE_LEGACY_KERAS": "1"},
    )


def rectools(name: str, **options: Any) -> Contender:
    """RecTools' SASRec, with changes of its arguments."""
    return Contender(name, "benchmarks.contenders.rectools", "rectools", options)


BCE = {"objective": "bce"}
SAMPLED = {"objective": "sampled_softmax", "objective.negatives": 256}
POSITIONAL = {**BCE, "gates": "positional", "gates.estimator": "disarm", "gates.credit": True}
JACOBIAN = {"model.gamma": 1e-4, "model.jacobian_batch_size": 16}

PLAIN = ours("ours, BCE", BCE)
SAMPLED_SOFTMAX = ours("ours, sampled softmax 256", SAMPLED)

RECTOOLS = (
    rectools("RecTools, BCE", loss="BCE", n_negatives=1),
    rectools("RecTools, sampled softmax 256", loss="sampled_softmax", n_negatives=256),
    rectools("RecTools, softmax (its default)", loss="softmax"),
)
RECBOLE = Contender("RecBole, BPR", "benchmarks.contenders.recbole", "recbole")
KERAS_EXAMPLE = Contender(
    "Keras 3 MultiHeadAttention, BCE",
    "benchmarks.contenders.keras_example",
    variables={"TF_USE_LEGACY_KERAS": "0"},
)

PEERS: Sequence[Contender] = (*RECTOOLS, RECBOLE, KERAS_EXAMPLE)
