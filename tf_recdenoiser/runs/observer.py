"""What gets reports of a run."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from tf_recdenoiser.runs.directory import RunDirectory
from tf_recdenoiser.runs.settings import Settings


class Observer:
    """Gets reports of a run. This one does nothing with them: the base class of others.

    Attributes
    ----------
    callbacks
        Further Keras callbacks for every training; they see validation metrics in the logs of an
        epoch.
    """

    callbacks: Sequence[Any] = ()

    def begin_run(self, settings: Settings, directory: RunDirectory) -> None:
        """Before a run begins or goes on; its settings are resolved."""

    def report(self, text: str) -> None:
        """While noise is looked for: what is being done, in a few words."""

    def end_run(self, metrics: dict[str, Any]) -> None:
        """After a run, with the contents of `metrics.json`."""
