"""Keras callbacks that make a run's record: training log, checkpoints, early stopping."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from typing import Any

from tf_recdenoiser._keras import keras
from tf_recdenoiser.runs.checkpoints import (
    model_variables,
    training_variables,
    write_checkpoint,
)
from tf_recdenoiser.runs.directory import RunDirectory

MONITOR = "val_ndcg@10"


def best_epoch(history: Sequence[dict[str, Any]]) -> int | None:
    """The number of the epoch with the best validation NDCG@10; the first of equals.

    Examples
    --------
    >>> best_epoch([{"epoch": 1, "val_ndcg@10": 0.2}, {"epoch": 2, "val_ndcg@10": 0.1}])
    1
    """
    validated = [row for row in history if MONITOR in row]
    if not validated:
        return None
    epoch: int = max(validated, key=lambda row: row[MONITOR])["epoch"]
    return epoch


def is_exhausted(history: Sequence[dict[str, Any]], patience: int) -> bool:
    """Whether the best epoch lies `patience` epochs back or more (0: never)."""
    best = best_epoch(history)
    return bool(patience) and best is not None and history[-1]["epoch"] - best >= patience


class Recording(keras.callbacks.Callback):
    """Validates, writes the training log and checkpoints, and stops when nothing improves.

    What decides is the log alone, so that a resumed run goes on as an unbroken one does.

    Parameters
    ----------
    directory
        The run directory.
    validate
        Gives the validation metrics of the model as it is.
    validate_every, epochs, patience
        See `Settings`; the last of `epochs` is always validated.
    history
        Epochs recorded before.
    of_chief
        Tells other processes what this one, which decides, has decided.
    """

    def __init__(
        self,
        directory: RunDirectory,
        validate: Callable[[], dict[str, float]],
        validate_every: int,
        epochs: int,
        patience: int,
        history: list[dict[str, Any]],
        of_chief: Callable[[bool], bool],
    ) -> None:
        super().__init__()
        self._of_chief = of_chief
        self._directory = directory
        self._run = directory.model_record().run
        self._validate = validate
        self._validate_every = validate_every
        self._epochs = epochs
        self._patience = patience
        self._history = history
        self._started = 0.0

    def on_epoch_begin(self, epoch: int, logs: dict[str, Any] | None = None) -> None:
        self._started = time.perf_counter()

    def on_epoch_end(self, epoch: int, logs: dict[str, Any] | None = None) -> None:
        logs = {} if logs is None else logs
        number = epoch + 1
        row = {"epoch": number, **{name: float(value) for name, value in logs.items()}}
        row["seconds"] = round(time.perf_counter() - self._started, 3)
        if number % self._validate_every == 0 or number == self._epochs:
            row.update({f"val_{name}": value for name, value in self._validate().items()})
        logs.update(row)
        self._history.append(row)
        if best_epoch(self._history) == number:
            write_checkpoint(self._directory.best, model_variables(self.model), self._run)
        # The log first: what is in it beyond the checkpoint is dropped when a run is resumed.
        self._directory.write_history(self._history)
        write_checkpoint(self._directory.last, training_variables(self.model), self._run)
        if self._of_chief(is_exhausted(self._history, self._patience)):
            self.model.stop_training = True


class Following(keras.callbacks.Callback):
    """Stops when the process that records says so, which it waits for after each epoch."""

    def __init__(self, of_chief: Callable[[bool], bool]) -> None:
        super().__init__()
        self._of_chief = of_chief

    def on_epoch_end(self, epoch: int, logs: dict[str, Any] | None = None) -> None:
        if self._of_chief(False):
            self.model.stop_training = True
