"""A run from its settings to its metrics, stage by stage: detect, build, fit, evaluate."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import tensorflow as tf

from tf_recdenoiser._keras import generators_kept, keras
from tf_recdenoiser.data import Dataset, user_codes
from tf_recdenoiser.noise import Detection
from tf_recdenoiser.runs.build import best_recommender, build
from tf_recdenoiser.runs.detect import detect, read_detection, with_detector
from tf_recdenoiser.runs.directory import RunDirectory
from tf_recdenoiser.runs.errors import RunError
from tf_recdenoiser.runs.evaluate import evaluate
from tf_recdenoiser.runs.fit import epochs_done, fit
from tf_recdenoiser.runs.noise_known import NoiseKnown
from tf_recdenoiser.runs.observer import Observer
from tf_recdenoiser.runs.resolve import check_data, resolve
from tf_recdenoiser.runs.scoring import PARTS
from tf_recdenoiser.runs.settings import Settings
from tf_recdenoiser.runs.sources import load_split

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

    Returns
    -------
    The contents of `metrics.json`.

    Raises
    ------
    RunError
        If the directory cannot be used as asked.
    DataError
        If there is nothing to learn from, no user to evaluate, or the log lacks what the
        backbone reads.
    ValueError
        If a setting is out of its range. Like a DataError, it comes before anything is written.
    """
    if not isinstance(directory, RunDirectory):
        directory = RunDirectory(Path(directory))
    observer = Observer() if observer is None else observer
    fresh = not (resume and directory.exists())
    if fresh:
        directory.require_free()
    settings = resolve(settings)
    check_data(settings, dataset)
    noisy = load_split(settings, dataset)
    settings = with_detector(settings, noisy)
    if not fresh:
        _check_resumable(settings, dataset, directory)
    observer.begin_run(settings, directory)
    # Before the first op: sums in one order, so that a run can be repeated exactly.
    tf.config.experimental.enable_op_determinism()
    # For what is built on trial before noise is looked for: without a seed, no op may draw now.
    keras.utils.set_random_seed(settings.seed)
    known = NoiseKnown(settings, dataset, noisy, detection)
    if settings.looks_for_noise and detection is None:
        if fresh:
            known = detect(known, observer.report)
        else:
            known = NoiseKnown(settings, dataset, noisy, read_detection(directory))
    scorers = {part: known.scorer(part) for part in PARTS}
    keras.utils.set_random_seed(settings.seed)
    # What cannot be built raises before anything is written, so that a second try can follow.
    built = build(known, directory)
    history = epochs_done(built, directory)
    if fresh:
        knows_users = "user_ids" in built.recommender.backbone.extra_inputs
        users = dataset.user_ids[user_codes(noisy.split.train) > 0] if knows_users else None
        directory.create(
            settings, dataset, users, known.detection, known.user_count, known.mixture_rate
        )
    else:
        directory.reopen(settings)
    fit(built, settings, scorers["valid"], directory, history, observer.callbacks)
    metrics = evaluate(best_recommender(directory), known, scorers, directory.history())
    directory.write_metrics(metrics)
    observer.end_run(metrics)
    return metrics


def _check_resumable(settings: Settings, dataset: Dataset, directory: RunDirectory) -> None:
    directory.check_keras()
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
