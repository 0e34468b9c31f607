"""What a person sees while a model trains."""

from __future__ import annotations

import shlex
from collections.abc import Callable, Sequence
from typing import Any

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn
from typing_extensions import Self

from tf_recdenoiser._keras import keras
from tf_recdenoiser.cli.console import note
from tf_recdenoiser.data.log import counted
from tf_recdenoiser.runs import Observer, RunDirectory, Settings

_COLUMNS = (
    ("epoch", 6),
    ("loss", 8),
    ("data", 8),
    ("sparsity", 9),
    ("jacobian", 9),
    ("val hit@10", 11),
    ("val ndcg@10", 12),
    ("seconds", 8),
    ("density", 9),  # the last, since it is as wide as there are layers
)


class ShowProgress(keras.callbacks.Callback):
    """A line for each epoch, under a bar that counts batches; plain lines without a terminal.

    The loss and its three parts are means over the epoch; density is the share of gates, layer
    by layer, that are kept with a probability above one half. `epochs` is how many there are at
    most.
    """

    def __init__(self, console: Console, before: Callable[[], None] = lambda: None) -> None:
        super().__init__()
        self.epochs = 0
        self._console = console
        self._before = before
        self._progress = Progress(
            TextColumn("{task.description}"),
            BarColumn(),
            MofNCompleteColumn(),
            TimeRemainingColumn(),
            console=console,
            transient=True,
            disable=not console.is_terminal,
        )
        self._task: Any = None

    def on_train_begin(self, logs: dict[str, Any] | None = None) -> None:
        self._before()
        self._console.print(
            "".join(name.rjust(width) for name, width in _COLUMNS), style="bold", soft_wrap=True
        )
        self._progress.start()
        self._task = self._progress.add_task("", total=None)

    def on_epoch_begin(self, epoch: int, logs: dict[str, Any] | None = None) -> None:
        self._progress.reset(
            self._task,
            total=self.params.get("steps"),
            description=f"epoch {epoch + 1} of at most {self.epochs}",
        )

    def on_train_batch_end(self, batch: int, logs: dict[str, Any] | None = None) -> None:
        self._progress.advance(self._task)

    def on_epoch_end(self, epoch: int, logs: dict[str, Any] | None = None) -> None:
        self._console.print(epoch_line(logs or {}), soft_wrap=True, highlight=False)

    def on_train_end(self, logs: dict[str, Any] | None = None) -> None:
        self.close()

    def close(self) -> None:
        """Take the bar away, also after an interruption or an error."""
        self._progress.stop()


class ShowRun(Observer):
    """Shows runs on a console: a spinner while noise is looked for, then the epochs.

    Used as a context manager, it clears the console whatever happens; after Ctrl-C, or if a disk
    is full, it says how to go on.

    Parameters
    ----------
    console
        Where to show them.
    go_on
        The command that goes on with what was stopped.
    """

    def __init__(self, console: Console, go_on: Sequence[str]) -> None:
        self._console = console
        self._go_on = go_on
        self._status = console.status("")
        self._progress = ShowProgress(console, self._status.stop)
        self._directory: RunDirectory | None = None
        self.callbacks = [self._progress]

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: Any
    ) -> None:
        self._status.stop()
        self._progress.close()
        # Of errors those that are nobody's fault here, such as a full disk.
        if kind is not None and issubclass(kind, (KeyboardInterrupt, OSError)):
            note(f"Stopped {self.stopped}. {self._what_next()}", self._console)

    def _what_next(self) -> str:
        if not self.is_recorded:
            return "Nothing is recorded yet: give the same command again."
        return f"Go on with: tf-recdenoiser {shlex.join(self._go_on)}"

    @property
    def is_recorded(self) -> bool:
        """Whether all that the command asked for can be read from what it wrote."""
        return self._directory is not None and self._directory.exists()

    @property
    def stopped(self) -> str:
        """How far it came when it was stopped, in words."""
        epochs = 0 if self._directory is None else len(self._directory.history())
        return f"after {counted(epochs, 'epoch')}"

    def begin_run(self, settings: Settings, directory: RunDirectory) -> None:
        self._directory = directory
        self._progress.epochs = settings.fit.epochs

    def report(self, text: str) -> None:
        self._status.update(f"Looking for noise: {text}")
        self._status.start()

    def end_run(self, metrics: dict[str, Any]) -> None:
        self._progress.close()


def epoch_line(logs: dict[str, Any]) -> str:
    """One epoch's figures, in the columns of the heading."""
    layers = sum(name.startswith("density_") for name in logs)
    densities = [f"{logs[f'density_{layer + 1}']:.2f}" for layer in range(layers)]
    cells = {
        "epoch": f"{logs['epoch']:.0f}",
        "loss": f"{logs['loss']:.4f}",
        "data": f"{logs['data']:.4f}",
        "sparsity": f"{logs['sparsity']:.4f}",
        "jacobian": f"{logs['jacobian']:.4f}",
        "val hit@10": _optional(logs.get("val_hit@10")),
        "val ndcg@10": _optional(logs.get("val_ndcg@10")),
        "seconds": f"{logs['seconds']:.1f}",
        "density": "  " + (" ".join(densities) or "-"),
    }
    # A space before each, however long it is.
    return "".join(" " + cells[name].rjust(width - 1) for name, width in _COLUMNS)


def _optional(value: float | None) -> str:
    return "-" if value is None else f"{value:.4f}"
