"""One trial of a search."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from tf_recdenoiser.runs import Observer, RunDirectory, RunError, Settings
from tf_recdenoiser.tuning.tuners import METRIC


@dataclasses.dataclass(frozen=True)
class Trial:
    """Settings that are tried, and what is known of them.

    Attributes
    ----------
    number
        From 1.
    values
        What was chosen, by the name of the setting.
    settings
        All settings of its run.
    directory
        The trial's own run directory.
    score
        Validation NDCG@10 by the search's protocol; None before it has ended and if it failed.
    failure
        Why it failed, if it did.
    """

    number: int
    values: dict[str, Any]
    settings: Settings
    directory: RunDirectory
    score: float | None = None
    failure: str | None = None

    @property
    def failure_file(self) -> Path:
        """Holds why the trial failed; without it the trial is run again."""
        return self.directory.path / "failure.txt"

    def ended(self, protocol: str) -> Trial:
        """The trial with the score or the failure that its directory holds, if any."""
        if self.failure_file.exists():
            return dataclasses.replace(self, failure=self.failure_file.read_text("utf-8").strip())
        if not self.directory.is_finished():
            return self
        score = self.directory.metrics()["valid"][protocol][METRIC]
        return dataclasses.replace(self, score=score)

    def has_ended(self) -> bool:
        """Whether it has a score or has failed."""
        return self.score is not None or self.failure is not None


class SearchObserver(Observer):
    """Gets reports of a search, trial by trial; see `Observer`."""

    def begin_trial(self, trial: Trial) -> None:
        """Before a trial is trained, or goes on."""

    def end_trial(self, trial: Trial) -> None:
        """After a trial, or when an earlier one is taken from the directory."""


def best_trial(trials: Sequence[Trial]) -> Trial:
    """The one with the highest score; the first of equals.

    Raises
    ------
    RunError
        If none completed.
    """
    scored = [trial for trial in trials if trial.score is not None]
    if not scored:
        reason = trials[0].failure if trials else "no trial"
        raise RunError(
            f"None of {len(trials)} trials completed: the reason of each is in its failure.txt. "
            f"Try other values or settings in another directory. Received: {reason}"
        )
    return max(scored, key=lambda trial: trial.score or 0.0)
