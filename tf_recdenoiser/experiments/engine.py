"""Trains what an experiment asks for, measures it, and goes on where it was stopped."""

from __future__ import annotations

import dataclasses
import itertools
import re
import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from tf_recdenoiser.data import Dataset
from tf_recdenoiser.experiments.measurement import Measure, Measurement, measured
from tf_recdenoiser.experiments.results import Results, Row
from tf_recdenoiser.experiments.trials import Trial, changes_of
from tf_recdenoiser.noise import Detection
from tf_recdenoiser.runs import (
    Observer,
    RunDirectory,
    RunError,
    Settings,
    build_recommender,
    resolve,
    train,
)
from tf_recdenoiser.runs.detect import read_detection
from tf_recdenoiser.runs.resolve import backbone_class

MEASURED = "measured"
"""The folder, beside the runs, of what was measured of them."""


@dataclasses.dataclass(frozen=True, eq=False)
class Subject:
    """A data set of an experiment.

    Attributes
    ----------
    name
        What tables call it.
    base
        The settings that all its trials change.
    dataset
        What `load_dataset(base)` gives.
    """

    name: str
    base: Settings
    dataset: Dataset


@dataclasses.dataclass(frozen=True, eq=False)
class Task:
    """One training: a trial on a data set with a seed, and where its run lies."""

    subject: Subject
    trial: Trial
    seed: int
    folder: Path

    @property
    def directory(self) -> RunDirectory:
        """Of the run."""
        return RunDirectory(run_directory(self.folder, self.trial.name, self.seed))

    @property
    def settings(self) -> Settings:
        """Of the run; what it is made from must have been trained."""
        changes = changes_of(self.trial.changes, self.folder, self.seed)
        return self.subject.base.replace({**changes, "seed": self.seed})

    @property
    def is_finished(self) -> bool:
        """Whether its run is there as the settings say."""
        done = self.directory.is_finished()
        return done and self.directory.settings() == resolve(self.settings)

    def measure(self, measures: Sequence[Measure]) -> list[Measurement]:
        """What is measured of the finished run."""
        folder = self.folder / MEASURED / self.directory.path.name
        return measured(self.directory, self.subject.dataset, [*measures, *self.trial.also], folder)


def run_directory(out: Path, name: str, seed: int) -> Path:
    """Where a run of an experiment lies."""
    return out / f"{re.sub('[ =/,]+', '-', name)}-{seed}"


def tasks_of(
    subjects: Iterable[tuple[Subject, Path]], trials: Sequence[Trial], seeds: Sequence[int]
) -> list[Task]:
    """All trainings, one seed after another, so that what is stopped has a whole first part.

    Trials that read times are left out where a log has none.
    """
    if len(set(seeds)) < len(seeds):
        raise ValueError(f"`seeds` must differ from one another. Received: {[*seeds]}")
    return [
        Task(subject, trial, seed, folder)
        for seed, (subject, folder), trial in itertools.product(seeds, subjects, trials)
        if fits(trial, subject)
    ]


def fits(trial: Trial, subject: Subject) -> bool:
    """Whether a log has the data that a trial reads."""
    if callable(trial.changes) or subject.dataset.times is not None:
        return True
    return "times" not in backbone_class(subject.base.replace(trial.changes)).extra_inputs


def check(tasks: Iterable[Task]) -> None:
    """Build a recommender of every method, but for those that are made from trained ones.

    Raises
    ------
    RunError
        If a method does not go with the settings.
    """
    checked = set()
    for task in tasks:
        trial = task.trial
        if callable(trial.changes) or (task.subject.name, trial.method) in checked:
            continue
        checked.add((task.subject.name, trial.method))
        try:
            build_recommender(task.settings, 1, 1)
        except ValueError as error:
            raise RunError(
                f"The method {trial.method!r} does not go with the settings. {error}"
            ) from error


def run_tasks(
    tasks: Sequence[Task],
    measures: Sequence[Measure],
    observer: Observer | None = None,
    begin: Callable[[Task, int, float | None], None] = lambda task, number, seconds: None,
) -> None:
    """Train and measure what is not there yet.

    Noise is looked for once in each way on each data set, and what was found serves all seeds:
    what differs from seed to seed is the recommender's training.

    Parameters
    ----------
    tasks
        In the order in which they are done; a trial that is made from another comes after it.
    measures
        Of each run.
    observer
        Gets reports of the trainings; None (default) for none.
    begin
        Called before each training that is to be done with the task, its number from 0, and about
        how many seconds are left, None if nothing is known of it.

    Raises
    ------
    RunError
        If a method does not go with the settings, before anything is trained; or if a run with
        other settings lies where one of them should.
    """
    check(tasks)
    detections: dict[tuple[str, Settings], Detection] = {}
    took: dict[tuple[str, str], float] = {}
    for number, task in enumerate(tasks):
        settings, began = task.settings, time.monotonic()
        search = (task.subject.name, _search(settings))
        is_new = not task.is_finished
        if is_new:
            begin(task, number, _seconds_left(tasks[number:], took))
            found = detections.get(search)
            train(settings, task.subject.dataset, task.directory, True, observer, found)
        if settings.looks_for_noise and search not in detections:
            detections[search] = read_detection(task.directory)
        task.measure(measures)
        if is_new:
            took[task.subject.name, task.trial.name] = time.monotonic() - began


def results_of(tasks: Iterable[Task], measures: Sequence[Measure]) -> Results:
    """What there is of all that was asked for."""
    done = [task for task in tasks if task.is_finished]
    return Results([row for task in done for row in _rows(task, measures)])


def _rows(task: Task, measures: Sequence[Measure]) -> Iterator[Row]:
    """One for each thing that was measured of the run."""
    by_factors: dict[tuple[tuple[str, Any], ...], dict[str, Any]] = {}
    for one in task.measure(measures):
        key = tuple({**task.trial.factors, **one.factors}.items())
        by_factors.setdefault(key, {}).update(one.values)
    for factors, values in by_factors.items():
        yield Row(task.subject.name, task.trial, task.seed, dict(factors), values, task.directory)


def _search(settings: Settings) -> Settings:
    """The settings that may decide what is found of noise; its seed is the first run's."""
    noise = {
        "noise.detector": settings.noise.detector,
        "noise.distribution": settings.noise.distribution,
    }
    return settings.plain().replace({**noise, "seed": 0})


def _seconds_left(tasks: Sequence[Task], took: Mapping[tuple[str, str], float]) -> float | None:
    """About how long some trainings take; None if none has been done.

    Each as it `took` with another seed, or else as all took on average.
    """
    if not took:
        return None
    average = sum(took.values()) / len(took)
    return sum(
        took.get((task.subject.name, task.trial.name), average)
        for task in tasks
        if not task.directory.is_finished()
    )
