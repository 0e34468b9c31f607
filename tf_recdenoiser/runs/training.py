"""Train a recommender and leave a run directory behind."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import tensorflow as tf

from tf_recdenoiser._keras import keras
from tf_recdenoiser.data import Dataset, Histories, Split, TrainingBatches, user_codes
from tf_recdenoiser.evaluation import PROTOCOLS
from tf_recdenoiser.layers import Draws
from tf_recdenoiser.noise import (
    CORRECTIONS,
    DETECTORS,
    Detection,
    NoisySplit,
    noise_frequencies,
    precision_at_noise,
    roc_auc,
)
from tf_recdenoiser.runs.building import (
    backbone_class,
    build_batches,
    build_recommender,
    check_data,
    resolved,
)
from tf_recdenoiser.runs.directory import RunDirectory
from tf_recdenoiser.runs.models import RunError, load_model
from tf_recdenoiser.runs.noise_models import noise_model
from tf_recdenoiser.runs.recording import Recording, best_epoch, is_exhausted
from tf_recdenoiser.runs.scoring import PARTS, Inputs, Scorer
from tf_recdenoiser.runs.settings import Settings
from tf_recdenoiser.runs.sources import load_split
from tf_recdenoiser.training import Recommender, fix_gates

# Settings that a resumed run may change, since they do not touch the epochs already done.
EXTENDABLE = frozenset({"epochs", "patience"})
CUTOFFS = (1, 5, 10, 20)
# What looks for noise if nothing else is said.
DEFAULT_DETECTOR = "context"


def train(
    settings: Settings,
    dataset: Dataset,
    directory: RunDirectory,
    resume: bool = False,
    callbacks: Sequence[Any] = (),
    detection: Detection | None = None,
    report: Callable[[str], None] = lambda text: None,
) -> dict[str, Any]:
    """Train on `dataset`, evaluate, and record all of it in `directory`.

    Parameters
    ----------
    settings
        Of the run; what they leave open is recorded as it was decided (`resolved`; `detect`
        by the log). When resuming they must be the recorded ones, but for `epochs` and
        `patience`.
    dataset
        The prepared data.
    directory
        Must hold no run, unless `resume`.
    resume
        Go on from the last checkpoint; the end is the same as without the break.
    callbacks
        Further Keras callbacks, to show progress for instance. They see validation metrics
        in the logs of an epoch.
    detection
        What was found of the noise in this data, if it is known already; None (default): noise
        is looked for as the settings say.
    report
        Told what is being done while noise is looked for; see `NoiseModel.cross_fit`.

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
    settings = resolved(settings)
    fresh = not (resume and directory.exists())
    if fresh:
        directory.require_free()
    check_data(settings, dataset)
    noisy = load_split(settings, dataset)
    _check_oracle(settings, noisy)
    settings = _with_finder(settings, noisy.split.train)
    if not fresh:
        _check_resumable(settings, dataset, directory)
    # Before the first op: sums in one order, so that a run can be repeated exactly.
    tf.config.experimental.enable_op_determinism()
    if settings.looks_for_noise and detection is None:
        _check(settings, dataset, noisy)
        if fresh:
            detection = _search(settings, dataset, noisy.split, report)
        else:
            detection = directory.detection()
    noise = training_noise(settings, noisy, detection)
    users = user_codes(noisy.split.train)
    scorers = {part: scorer(settings, dataset, noisy, part, detection) for part in PARTS}
    keras.utils.set_random_seed(settings.seed)
    # What cannot be built raises before anything is written, so that a second try can follow.
    if directory.exists() and directory.last.exists():
        recommender = load_model(directory.last)
    else:
        rate = _mixture_rate(settings, noise, detection)
        recommender = build_recommender(settings, dataset.item_count, int(users.max()), rate)
        observed = _item_counts(noisy.split, None, dataset.item_count)
        recommender.assume_noise(noise_frequencies(observed, settings.noise_distribution))
        recommender.backbone.adapt(_item_counts(noisy.split, noise, dataset.item_count))
        if settings.gates_from is not None:
            _take_gates(recommender, settings)
    batches = build_batches(
        settings, noisy.split.train, dataset.item_count, recommender.backbone, noise
    )
    history = _history(recommender, directory, batches.steps_per_epoch)
    if fresh:
        knows_users = "user_ids" in recommender.backbone.extra_inputs
        known = dataset.user_ids[users > 0] if knows_users else None
        directory.create(settings, dataset, known, detection)
    else:
        directory.reopen(settings)
    _fit(recommender, settings, batches, scorers["valid"], directory, history, callbacks)
    best = load_model(directory.best)
    metrics = {
        **_final_metrics(best, settings, dataset, scorers, directory.history()),
        **_noise_metrics(settings, noisy, detection),
    }
    directory.write_metrics(metrics)
    return metrics


def _check_oracle(settings: Settings, noisy: NoisySplit) -> None:
    places = (noisy.train, noisy.valid, noisy.test)
    if settings.detect == "oracle" and not any(marks.items.any() for marks in places):
        raise ValueError(
            "`detect='oracle'` needs noise whose places are known: inject some, by "
            f"`injection_rate`. Received: {settings.data}, of which no noise is known"
        )


def _with_finder(settings: Settings, train: Histories) -> Settings:
    """The settings with the way to find noise that they leave open."""
    if settings.detect is not None:
        return settings
    finder = DEFAULT_DETECTOR if DETECTORS[DEFAULT_DETECTOR].can_cross_fit(train) else "none"
    return resolved(dataclasses.replace(settings, detect=finder))


def _check(settings: Settings, dataset: Dataset, noisy: NoisySplit) -> None:
    """Make a run's parts once, so that what cannot be made is named before a long search."""
    recommender = build_recommender(settings, 1, 1)
    build_batches(settings, noisy.split.train, dataset.item_count, recommender.backbone)
    for part in PARTS:
        scorer(settings, dataset, noisy, part, None)


def _mixture_rate(
    settings: Settings, noise: np.ndarray | None, detection: Detection | None
) -> float:
    """How much of the targets the objective is to take for noise."""
    if noise is None or not CORRECTIONS[settings.correction].mixes_noise:
        return 0.0
    return float(noise.mean()) if detection is None else detection.scorer.rate


def _take_gates(recommender: Recommender, settings: Settings) -> None:
    source = RunDirectory(Path(str(settings.gates_from)))
    source.check_keras()
    fix_gates(
        recommender,
        load_model(source.best),
        settings.shuffle_gates,
        settings.seed,
        recommender.backbone.causal,
    )


def _check_resumable(settings: Settings, dataset: Dataset, directory: RunDirectory) -> None:
    directory.check_keras()
    changed = settings.differences(directory.settings())
    fixed = {name: pair for name, pair in changed.items() if name not in EXTENDABLE}
    if fixed:
        listed = ", ".join(f"{name}: {new!r}, was {old!r}" for name, (new, old) in fixed.items())
        raise RunError(
            f"A resumed run keeps its settings, except {' and '.join(sorted(EXTENDABLE))}. "
            f"Received: {listed}"
        )
    check_fingerprint(dataset, directory)


def check_fingerprint(dataset: Dataset, directory: RunDirectory) -> None:
    """Raise RunError unless `dataset` is the one the run was trained on."""
    if dataset.fingerprint() != directory.fingerprint():
        raise RunError(
            f"{directory.settings().data} is not what {directory.path} was trained on: its "
            f"content has changed. Received: {dataset.fingerprint()}"
        )


def _item_counts(split: Split, noise: np.ndarray | None, item_count: int) -> np.ndarray:
    """How often each item is met in training, `[item_count + 1]`, as far as it was meant."""
    clean_probability = None if noise is None else 1.0 - noise
    return np.bincount(split.train.items, clean_probability, minlength=item_count + 1)


def _history(
    recommender: Recommender, directory: RunDirectory, steps_per_epoch: int
) -> list[dict[str, Any]]:
    """The epochs that a recommender has behind it."""
    done = int(recommender.optimizer.iterations) // steps_per_epoch
    history = directory.history()[:done]
    if [row.get("epoch") for row in history] != [*range(1, done + 1)]:
        raise RunError(
            f"{directory.history_file} must have a line for each of the {done} epochs that "
            f"{directory.last} has behind it: put back the file that the run wrote, or train "
            f"anew in another directory. Received: {len(history)} lines"
        )
    return history


def _search(
    settings: Settings, dataset: Dataset, split: Split, report: Callable[[str], None]
) -> Detection:
    model = noise_model(settings, dataset.item_count, report)
    return model.cross_fit(
        split.train, settings.noise_distribution, seed=settings.seed, report=report
    )


def training_noise(
    settings: Settings, noisy: NoisySplit, detection: Detection | None
) -> np.ndarray | None:
    """P(noise) of each item of the training sequences, float [N]; None if nothing is known."""
    if settings.detect == "oracle":
        return noisy.train.items.astype(np.float32)
    return None if detection is None else detection.probability


def scorer(
    settings: Settings,
    dataset: Dataset,
    noisy: NoisySplit,
    part: str,
    detection: Detection | None,
) -> Scorer:
    """What ranks a recommender on one part of the data, histories cleaned as the settings say."""
    marks = {"valid": noisy.valid, "test": noisy.test}[part]

    def clean(inputs: Inputs) -> Inputs:
        if settings.detect == "oracle":
            probability = marks.last(settings.max_length).astype(np.float32)
        elif detection is not None:
            probability = detection.scorer(inputs["item_ids"])
        else:
            return inputs
        return settings.cleaning(inputs, probability)

    extra_inputs = backbone_class(settings).extra_inputs
    return Scorer(dataset, noisy.split, part, settings.max_length, clean, extra_inputs)


def _fit(
    recommender: Recommender,
    settings: Settings,
    batches: TrainingBatches,
    scorer: Scorer,
    directory: RunDirectory,
    history: list[dict[str, Any]],
    callbacks: Sequence[Any],
) -> None:
    done = len(history)
    # Without weights to train, an epoch changes nothing: one is enough to see how good it is.
    epochs = settings.epochs if recommender.trainable_variables else 1
    if done >= epochs or (history and is_exhausted(history, settings.patience)):
        return
    examples = batches.dataset(done, epochs - done).map(recommender.objective.example)
    recording = Recording(
        directory,
        lambda: scorer.result(recommender, "full").summary(ks=(10,)),
        settings.validate_every,
        epochs,
        settings.patience,
        history,
    )
    recommender.fit(
        examples,
        initial_epoch=done,
        epochs=epochs,
        steps_per_epoch=batches.steps_per_epoch,
        shuffle=False,  # the batches are shuffled already
        callbacks=[recording, *callbacks],
        verbose=0,
    )


def _final_metrics(
    recommender: Recommender,
    settings: Settings,
    dataset: Dataset,
    scorers: dict[str, Scorer],
    history: list[dict[str, Any]],
) -> dict[str, Any]:
    metrics = {
        part: {
            protocol: scorer.result(recommender, protocol).summary(ks=CUTOFFS)
            for protocol in PROTOCOLS
        }
        for part, scorer in scorers.items()
    }
    return {
        **metrics,
        **gate_statistics(recommender, scorers["test"]),
        "best_epoch": best_epoch(history),
        "epochs": len(history),
        "seconds": round(sum(row["seconds"] for row in history), 1),
        "parameters": sum(math.prod(v.shape) for v in recommender.trainable_variables),
        "seed": settings.seed,
        "data": dataclasses.asdict(dataset.fingerprint()),
    }


def _noise_metrics(
    settings: Settings, noisy: NoisySplit, detection: Detection | None
) -> dict[str, dict[str, float]]:
    """What was found of noise in the test histories, and how well where it is known."""
    if detection is None:
        return {}
    item_ids = noisy.split.test.histories.last(settings.max_length)
    is_item = item_ids > 0
    is_noise = noisy.test.last(settings.max_length)[is_item] > 0
    found = {"rate": detection.scorer.rate, "cross_fit_roc_auc": detection.roc_auc}
    if is_noise.any() and not is_noise.all():
        scores = detection.scorer(item_ids)[is_item]
        found["roc_auc"] = roc_auc(scores, is_noise)
        found["precision"] = precision_at_noise(scores, is_noise)
    return {"noise": found}


def gate_statistics(recommender: Recommender, scorer: Scorer) -> dict[str, list[float]]:
    """Realised density and mean keep probability of each gated layer, on some histories."""
    backbone = recommender.backbone
    inputs = recommender.inputs_of(**scorer.some_inputs())
    with Draws(tf.zeros([2], tf.int32)) as draws:
        backbone(backbone.prediction_inputs(inputs), training=False)
    records = draws.records.values()
    return {
        "density": [float(record.density) for record in records],
        "keep": [float(record.mean_keep) for record in records],
    }
