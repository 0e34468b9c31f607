"""Training that stops at once where it has run away."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from tf_recdenoiser._keras import keras
from tf_recdenoiser.runs.errors import RunError

_CAUSES = {
    "sparsity": "`gates.beta` or `gates.target_density`",
    "jacobian": "`model.gamma`",
}
_LIKELY = "`fit.learning_rate`, `gates.learning_rate`, `gates.beta` or `model.gamma`"


def finite(what: str, values: np.ndarray) -> np.ndarray:
    """The values that a run's models computed; RunError if one is not finite."""
    if not np.isfinite(values).all():
        raise RunError(
            f"{what} must be finite, but the weights are too large to compute with: put back the "
            f"checkpoints that the run wrote, or train anew with a lower {_LIKELY}. "
            f"Received: {values[~np.isfinite(values)][0]}"
        )
    return values


class RequireFinite(keras.callbacks.Callback):
    """RunError where the loss or a weight is not finite, with the epoch and the step.

    Place it before callbacks that save the model: what they saved last stays.
    """

    def __init__(self) -> None:
        super().__init__()
        self._epoch = 0

    def on_epoch_begin(self, epoch: int, logs: dict[str, Any] | None = None) -> None:
        self._epoch = epoch + 1

    def on_train_batch_end(self, batch: int, logs: dict[str, Any] | None = None) -> None:
        # Means over the epoch so far: once a value is not finite, they stay so.
        found = {name: float(value) for name, value in (logs or {}).items()}
        wrong = {name: value for name, value in found.items() if not math.isfinite(value)}
        if wrong:
            # Where the weights have run away, so has the data's part.
            parts = () if "data" in wrong else [one for one in _CAUSES if one in wrong]
            cause = " and ".join(_CAUSES[part] for part in parts) or _LIKELY
            self._fail("The loss", batch, cause, wrong)

    def on_epoch_end(self, epoch: int, logs: dict[str, Any] | None = None) -> None:
        weights = self.model.trainable_variables
        wrong = [one for one in weights if not np.isfinite(np.asarray(one)).all()]
        if wrong:
            step = int(self.params["steps"]) - 1
            self._fail("Weights", step, _LIKELY, {one.name: "not finite" for one in wrong[:3]})

    def _fail(self, what: str, batch: int, cause: str, found: dict[str, Any]) -> None:
        listed = ", ".join(f"{name}={value}" for name, value in found.items())
        raise RunError(
            f"{what} must be finite, but ran away in epoch {self._epoch}, step {batch + 1}: lower "
            f"{cause} and train anew. What was saved of earlier epochs is as it was. "
            f"Received: {listed}"
        )
