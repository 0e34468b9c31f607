"""KerasTuner's loop, whose trials are runs."""

from __future__ import annotations

import math
import shutil
from pathlib import Path
from typing import Any

from keras_tuner.engine.base_tuner import BaseTuner

from tf_recdenoiser._files import FolderError, written_whole
from tf_recdenoiser.data import Dataset
from tf_recdenoiser.runs import RunDirectory, Settings, train
from tf_recdenoiser.runs.files import write_text
from tf_recdenoiser.tuning.space import Choices, search_space
from tf_recdenoiser.tuning.trial import SearchObserver, Trial
from tf_recdenoiser.tuning.tuners import METRIC


class RecommenderTuner(BaseTuner):
    """Runs trials by `runs.train`, each in a run directory; no model passes through KerasTuner.

    A trial that has ended is not run again: its score, or its failure, is read from its
    directory. One that was interrupted goes on from its last epoch. The oracle gets the same
    results each time, so it asks for the same trials, and what KerasTuner itself keeps is not
    needed.

    Parameters
    ----------
    oracle
        Of `TUNERS`.
    base, choices, protocol
        See `Search`.
    dataset
        The prepared data.
    trials
        Directory for the run directories, `1`, `2`, …
    observer
        Gets reports of what is done.
    scratch
        Directory for KerasTuner's own files; empty.
    """

    def __init__(
        self,
        oracle: Any,
        base: Settings,
        choices: Choices,
        protocol: str,
        dataset: Dataset,
        trials: Path,
        observer: SearchObserver,
        scratch: str,
    ) -> None:
        oracle.verbose = 0
        super().__init__(oracle, directory=scratch, project_name="search")
        self.ended: list[Trial] = []
        self._base = base
        self._choices = choices
        self._protocol = protocol
        self._dataset = dataset
        self._trials = trials
        self._observer = observer

    def run_trial(self, trial: Any) -> dict[str, float]:
        ours = self._trial(trial).ended(self._protocol)
        if not ours.has_ended():
            self._observer.begin_trial(ours)
            self._run(ours, trial.hyperparameters.values.get("tuner/trial_id"))
            ours = ours.ended(self._protocol)
        self.ended.append(ours)
        self._observer.end_trial(ours)
        return {METRIC: math.nan if ours.score is None else ours.score}

    def on_trial_end(self, trial: Any) -> None:
        # Not by an exception in `run_trial`, of which KerasTuner would print the traceback.
        if (failure := self.ended[-1].failure) is not None:
            trial.status, trial.message = "FAILED", failure
        super().on_trial_end(trial)

    def _trial(self, trial: Any) -> Trial:
        hp = trial.hyperparameters
        settings = search_space(hp, self._base, self._choices)
        # Hyperband alone gives a trial a part of the epochs.
        part, whole = hp.values.get("tuner/epochs", 1), getattr(self.oracle, "max_epochs", 1)
        return Trial(
            int(trial.trial_id) + 1,
            {name: hp.values[name] for name in self._choices},
            settings.replace({"fit.epochs": math.ceil(settings.fit.epochs * part / whole)}),
            self._directory(trial.trial_id),
        )

    def _directory(self, trial_id: str) -> RunDirectory:
        return RunDirectory(self._trials / str(int(trial_id) + 1))

    def _run(self, trial: Trial, continued: str | None) -> None:
        """Train; `continued` is the id of the trial whose epochs are the first of this one."""
        directory = trial.directory
        try:
            if continued is not None and not directory.exists():
                _copy_run(self._directory(continued), directory)
            train(
                trial.settings,
                self._dataset,
                directory,
                resume=True,
                observer=self._observer,
            )
        except (FolderError, OSError):  # no settings are to blame
            raise
        except Exception as error:  # whatever it is, other trials may do better
            directory.path.mkdir(parents=True, exist_ok=True)
            write_text(trial.failure_file, f"{type(error).__name__}: {error}\n")


def _copy_run(source: RunDirectory, target: RunDirectory) -> None:
    """Copy a run whole, but for its end."""
    with written_whole(target.path) as temporary:
        shutil.copytree(source.path, temporary)
        RunDirectory(temporary).begin_again()
