"""A run from its settings to its metrics, stage by stage: detect, build, fit, evaluate."""

from __future__ import annotations

import contextlib
import dataclasses
from pathlib import Path
from typing import Any

import numpy as np
import tensorflow as tf

from tf_recdenoiser._files import check_room
from tf_recdenoiser._keras import generators_kept, keras
from tf_recdenoiser.data import Dataset
from tf_recdenoiser.noise import Detection
from tf_recdenoiser.runs.build import Built, best_recommender, build
from tf_recdenoiser.runs.checkpoints import model_variables, size_of, training_variables
from tf_recdenoiser.runs.cluster import ALONE, Cluster
from tf_recdenoiser.runs.detect import detect, read_detection, with_detector
from tf_recdenoiser.runs.directory import RunDirectory
from tf_recdenoiser.runs.errors import RunError
from tf_recdenoiser.runs.evaluate import evaluate
from tf_recdenoiser.runs.fit import epochs_done, fit
from tf_recdenoiser.runs.noise_known import NoiseKnown
from tf_recdenoiser.runs.observer import Observer
from tf_recdenoiser.runs.resolve import check_data, resolve
from tf_recdenoiser.runs.scoring import PARTS, Scorer
from tf_recdenoiser.runs.settings import Settings
from tf_recdenoiser.runs.sources import load_split
from tf_recdenoiser.runs.warm_start import check_known_items, known_titles

EXTENDABLE = frozenset({"fit.epochs", "fit.patience"})
"""Settings that a resumed run may change, since they do not touch the epochs already done."""


@generators_kept()
def train(
    settings: Settings,
    dataset: Dataset,
    directory: RunDirectory | str | Path,
    resume: bool = False,
    observer: Observer | None = None,
    detection: Detection | None = None,
    titles: np.ndarray | None = None,
    cluster: Cluster = ALONE,
) -> dict[str, Any]:
    """Train on `dataset`, evaluate, and record all of it in `directory`.

    Parameters
    ----------
    settings
        Of the run; what they leave open is recorded as it was decided. When resuming they must be
        the recorded ones, but for `fit.epochs` and `fit.patience`.
    dataset
        The prepared data.
    directory
        Must hold no run, unless `resume`.
    resume
        Go on from the last checkpoint; the end is the same as without the break.
    observer
        Gets reports of what is done; None (default) for none.
    detection
        What was found of the noise in this data, if it is known already; None (default): noise
        is looked for as the settings say.
    titles
        Of the items, `[item_count]`, to be kept with the run; see `read_titles`. Where they are
        None (default) or empty: those of the run that the settings begin with, if any.
    cluster
        The devices and processes that train together, each of which calls this with a directory
        that all of them reach; one device alone by default.

    Returns
    -------
    The contents of `metrics.json`.

    Raises
    ------
    RunError
        If the directory cannot be used as asked.
    FolderError
        If it cannot be written to, or another process writes to it.
    DataError
        If there is nothing to learn from, no user to evaluate, or the log lacks what the
        backbone reads.
    ValueError
        If a setting is out of its range. Like a DataError, it comes before anything is written.
    """
    if not isinstance(directory, RunDirectory):
        directory = RunDirectory(Path(directory))
    observer = Observer() if observer is None else observer
    with (
        directory.locked() if cluster.is_chief else contextlib.nullcontext(),
        cluster.naming_failures(),
    ):
        return _train(settings, dataset, directory, resume, observer, detection, titles, cluster)


def _train(
    settings: Settings,
    dataset: Dataset,
    directory: RunDirectory,
    resume: bool,
    observer: Observer,
    detection: Detection | None,
    titles: np.ndarray | None,
    cluster: Cluster,
) -> dict[str, Any]:
    fresh = not (resume and directory.exists())
    if fresh:
        directory.require_free()
    settings = resolve(settings)
    check_data(settings, dataset)
    noisy = load_split(settings, dataset)
    settings = with_detector(settings, noisy)
    if not fresh:
        _check_resumable(settings, dataset, directory)
    check_known_items(settings, dataset)
    _check_batch(settings, cluster)
    observer.begin_run(settings, directory)
    # Before the first op: sums in one order, so that a run can be repeated exactly.
    tf.config.experimental.enable_op_determinism()
    cluster.wait()
    known, ready = NoiseKnown(settings, dataset, noisy, detection), None
    if cluster.is_chief:
        known, ready = _begin(known, directory, fresh, titles, observer, cluster)
    cluster.wait()
    if not cluster.is_chief and settings.looks_for_noise and detection is None:
        known = dataclasses.replace(known, detection=read_detection(directory))
    ready = ready or _ready(known, directory, cluster)
    return _fit_and_evaluate(ready, directory, observer, cluster)


def _begin(
    known: NoiseKnown,
    directory: RunDirectory,
    fresh: bool,
    titles: np.ndarray | None,
    observer: Observer,
    cluster: Cluster,
) -> tuple[NoiseKnown, _Ready | None]:
    """Look for noise and write what comes before training, unless that is done.

    Returns what is known, and what training needs if that is made for one device.
    """
    settings, dataset = known.settings, known.dataset
    goes_on = not fresh and directory.has_begun_training()
    looks = settings.looks_for_noise and known.detection is None
    if goes_on and looks:
        known = dataclasses.replace(known, detection=read_detection(directory))
    # On one device: what is made for several is made where all processes are.
    ready = _ready(known, directory, ALONE)
    if fresh:
        titles = known_titles(settings, dataset, titles)
        directory.create(settings, dataset, ready.user_ids, titles)
    else:
        directory.reopen(settings)
    if not goes_on:
        if looks:
            ready = _ready(detect(ready.known, observer.report), directory, ALONE)
        known = ready.known
        directory.begin_training(known.detection, known.user_count, known.mixture_rate)
    return known, ready if cluster.strategy is None else None


@dataclasses.dataclass(frozen=True, eq=False)
class _Ready:
    """All that training needs."""

    known: NoiseKnown
    scorers: dict[str, Scorer]
    built: Built
    history: list[dict[str, Any]]

    @property
    def user_ids(self) -> np.ndarray | None:
        """Raw ids of the users that the model knows; None if it knows none."""
        if "user_ids" not in self.built.recommender.backbone.extra_inputs:
            return None
        return self.known.user_ids


def _ready(known: NoiseKnown, directory: RunDirectory, cluster: Cluster) -> _Ready:
    """What training needs, made or read.

    It is made before noise is looked for too: what cannot be made, or will find no room, raises
    before anything is written, so that a second try can follow.
    """
    scorers = {part: known.scorer(part) for part in PARTS}
    keras.utils.set_random_seed(known.settings.seed)
    built = build(known, directory, cluster)
    check_room(directory.path, _room_for(built))
    return _Ready(known, scorers, built, epochs_done(built, directory))


def _room_for(built: Built) -> int:
    """The bytes of a run's checkpoints: two, and the next while it is being written."""
    return size_of(model_variables(built.recommender)) + 2 * size_of(
        training_variables(built.recommender)
    )


def _fit_and_evaluate(
    ready: _Ready, directory: RunDirectory, observer: Observer, cluster: Cluster
) -> dict[str, Any]:
    settings, valid = ready.known.settings, ready.scorers["valid"]
    fit(ready.built, settings, valid, directory, ready.history, observer.callbacks, cluster)
    if cluster.is_chief:
        best = best_recommender(directory)
        directory.write_metrics(evaluate(best, ready.known, ready.scorers, directory.history()))
    cluster.wait()
    metrics = directory.metrics()
    observer.end_run(metrics)
    return metrics


def _check_batch(settings: Settings, cluster: Cluster) -> None:
    """ValueError if a batch has no row for each device."""
    if settings.fit.batch_size < cluster.replicas:
        raise ValueError(
            "`fit.batch_size` must be at least the number of devices that share a batch, "
            f"{cluster.replicas}. Received: fit.batch_size={settings.fit.batch_size}"
        )


def _check_resumable(settings: Settings, dataset: Dataset, directory: RunDirectory) -> None:
    directory.check_keras()
    if not directory.has_begun_training():
        directory.drop_search()
    directory.verify()
    changed = settings.differences(directory.settings())
    fixed = {name: pair for name, pair in changed.items() if name not in EXTENDABLE}
    if fixed:
        listed = ", ".join(f"{name}: {new!r}, was {old!r}" for name, (new, old) in fixed.items())
        raise RunError(
            f"A resumed run keeps its settings, except {' and '.join(sorted(EXTENDABLE))}. "
            f"Received: {listed}"
        )
    directory.check_fingerprint(dataset)
