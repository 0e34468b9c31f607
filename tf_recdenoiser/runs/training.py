"""Train a recommender and leave a run directory behind."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from typing import Any

import tensorflow as tf

from tf_recdenoiser._keras import keras
from tf_recdenoiser.data import Dataset, Split, TrainingBatches, leave_one_out
from tf_recdenoiser.evaluation import PROTOCOLS
from tf_recdenoiser.layers import Draws
from tf_recdenoiser.runs.building import build_recommender
from tf_recdenoiser.runs.directory import RunDirectory, RunError
from tf_recdenoiser.runs.recording import Recording, best_epoch, is_exhausted
from tf_recdenoiser.runs.scoring import PARTS, Scorer
from tf_recdenoiser.runs.settings import Settings
from tf_recdenoiser.training import Recommender

# Settings that a resumed run may change, since they do not touch the epochs already done.
EXTENDABLE = frozenset({"epochs", "patience"})
CUTOFFS = (1, 5, 10, 20)


def train(
    settings: Settings,
    dataset: Dataset,
    directory: RunDirectory,
    resume: bool = False,
    callbacks: Sequence[Any] = (),
) -> dict[str, Any]:
    """Train on `dataset`, evaluate, and record all of it in `directory`.

    Parameters
    ----------
    settings
        Of the run. When resuming they must be the recorded ones, but for `epochs` and
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

    Returns
    -------
    The contents of `metrics.json`.

    Raises
    ------
    RunError
        If the directory cannot be used as asked.
    """
    if resume and directory.exists():
        _check_resumable(settings, dataset, directory)
        directory.write_settings(settings)
    else:
        directory.create(settings, dataset)
    split = leave_one_out(dataset)
    # Before the first op: sums in one order, so that a run can be repeated exactly.
    tf.config.experimental.enable_op_determinism()
    keras.utils.set_random_seed(settings.seed)
    recommender, history = _start(settings, dataset, directory)
    _fit(recommender, settings, dataset, split, directory, history, callbacks)
    best = load_model(directory.best)
    metrics = _final_metrics(best, settings, dataset, split, directory.history())
    directory.write_metrics(metrics)
    return metrics


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


def _start(
    settings: Settings, dataset: Dataset, directory: RunDirectory
) -> tuple[Recommender, list[dict[str, Any]]]:
    """The recommender to go on with, and the epochs it has behind it."""
    if not directory.last.exists():
        return build_recommender(settings, dataset.item_count), []
    recommender = load_model(directory.last)
    batches = _batches(settings, dataset, leave_one_out(dataset))
    done = int(recommender.optimizer.iterations) // batches.steps_per_epoch
    return recommender, [row for row in directory.history() if row["epoch"] <= done]


def _batches(settings: Settings, dataset: Dataset, split: Split) -> TrainingBatches:
    return TrainingBatches(
        split.train,
        dataset.item_count,
        settings.max_length,
        settings.batch_size,
        settings.negatives,
        settings.seed,
        settings.windows,
    )


def _fit(
    recommender: Recommender,
    settings: Settings,
    dataset: Dataset,
    split: Split,
    directory: RunDirectory,
    history: list[dict[str, Any]],
    callbacks: Sequence[Any],
) -> None:
    done = len(history)
    if done >= settings.epochs or (history and is_exhausted(history, settings.patience)):
        return
    batches = _batches(settings, dataset, split)
    examples = batches.dataset(done, settings.epochs - done).map(recommender.objective.example)
    scorer = Scorer(dataset, split, "valid", settings.max_length)
    recording = Recording(
        directory,
        lambda: scorer.result(recommender, "full").summary(ks=(10,)),
        settings.validate_every,
        settings.epochs,
        settings.patience,
        history,
    )
    recommender.fit(
        examples,
        initial_epoch=done,
        epochs=settings.epochs,
        steps_per_epoch=batches.steps_per_epoch,
        shuffle=False,  # the batches are shuffled already
        callbacks=[recording, *callbacks],
        verbose=0,
    )


def _final_metrics(
    recommender: Recommender,
    settings: Settings,
    dataset: Dataset,
    split: Split,
    history: list[dict[str, Any]],
) -> dict[str, Any]:
    metrics: dict[str, Any] = {}
    for part in PARTS:
        scorer = Scorer(dataset, split, part, settings.max_length)
        metrics[part] = {
            protocol: scorer.result(recommender, protocol).summary(ks=CUTOFFS)
            for protocol in PROTOCOLS
        }
    return {
        **metrics,
        **gate_statistics(recommender, Scorer(dataset, split, "test", settings.max_length)),
        "best_epoch": best_epoch(history),
        "epochs": len(history),
        "seconds": round(sum(row["seconds"] for row in history), 1),
        "parameters": int(recommender.count_params()),
        "seed": settings.seed,
        "data": dataclasses.asdict(dataset.fingerprint()),
    }


def gate_statistics(recommender: Recommender, scorer: Scorer) -> dict[str, list[float]]:
    """Realised density and mean keep probability of each gated layer, on some histories."""
    with Draws(tf.zeros([2], tf.int32)) as draws:
        recommender.backbone({"item_ids": tf.constant(scorer.some_histories())}, training=False)
    records = draws.records.values()
    return {
        "density": [float(record.density) for record in records],
        "keep": [float(record.mean_keep) for record in records],
    }


def load_model(path: Any) -> Recommender:
    """The recommender saved at `path`."""
    recommender: Recommender = keras.models.load_model(path)
    return recommender
