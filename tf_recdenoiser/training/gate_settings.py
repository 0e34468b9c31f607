"""The settings of gates that learn."""

from __future__ import annotations

import dataclasses
from typing import Any, ClassVar

from tf_recdenoiser._settings import Section, above, at_least, choice, default
from tf_recdenoiser.estimators import ESTIMATORS
from tf_recdenoiser.training.fixed_gates import fix_gates
from tf_recdenoiser.training.gate_training import GATE_LEARNING_RATE


@dataclasses.dataclass(frozen=True)
class GateTrainingSettings(Section):
    """How gates are trained, beside what their own kind takes; see `GateTraining.compile`.

    Attributes
    ----------
    beta
        The sparsity weight β. None (default): the backbone's `default_beta`, a hundredth of it
        with `penalty` "edges", or 0 for gates that have no sparsity weight by default and where
        `target_density` takes its place.
    estimator
        Of the gates' gradient. None (default): the kind's own, or else that of `compile`.
    credit
        Whether gates answer for the losses alone that they can change. None (default): where the
        backbone is causal.
    estimator_batch_size
        Sequences in the further evaluations of the loss; None (default) for the whole batch.
    learning_rate
        Of the gates' Adam.
    delay
        Epochs in which the gates' learning rate is 0, so that attention learns first.
    source, shuffle
        A run whose gates are taken over and stay as they are, and whether they are shuffled; see
        `fix_gates`. None (default): gates are trained.
    """

    rules: ClassVar = {"learning_rate": above(0), "delay": at_least(0)}

    beta: float | None = None
    estimator: Any = choice(ESTIMATORS, None)
    credit: bool | None = None
    estimator_batch_size: int | None = None
    learning_rate: float = GATE_LEARNING_RATE
    delay: int = 0
    source: str | None = None
    shuffle: bool = default(fix_gates, "shuffled")
