"""The first stage of a run: what is known of the noise in its data."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from typing import Any

import numpy as np

from tf_recdenoiser.data import Histories
from tf_recdenoiser.noise import DETECTORS, Detection, NoiseModel, NoiseScorer, NoisySplit
from tf_recdenoiser.noise.settings import NO_DETECTOR, ORACLE
from tf_recdenoiser.runs.build import build_batches, build_recommender
from tf_recdenoiser.runs.checkpoints import model_variables, read_checkpoint
from tf_recdenoiser.runs.directory import RunDirectory
from tf_recdenoiser.runs.errors import parsed
from tf_recdenoiser.runs.files import read_numbers
from tf_recdenoiser.runs.finite import RequireFinite
from tf_recdenoiser.runs.noise_known import NoiseKnown
from tf_recdenoiser.runs.resolve import resolve
from tf_recdenoiser.runs.settings import Settings

DEFAULT_DETECTORS = ("feedback", "context")
"""What looks for noise if nothing else is said: the first that has enough to learn from."""


def with_detector(settings: Settings, noisy: NoisySplit) -> Settings:
    """Resolved settings with the detector that they leave open.

    Raises
    ------
    DataError
        If there is too little to learn from for the detector that they name.
    ValueError
        If they name an oracle where no noise is known.
    """
    train = noisy.split.train
    if settings.detector is None:
        able = (name for name in DEFAULT_DETECTORS if DETECTORS[name].can_learn(train))
        settings = resolve(settings.replace({"noise.detector": next(able, NO_DETECTOR)}))
    if settings.looks_for_noise:
        DETECTORS[str(settings.detector)].check(train)
    marks = (noisy.train, noisy.valid, noisy.test)
    if settings.detector == ORACLE and not any(one.items.any() for one in marks):
        raise ValueError(
            "`noise.detector='oracle'` needs noise whose places are known: inject some, by "
            f"`noise.injection.rate`. Received: {settings.source}, of which no noise is known"
        )
    return settings


def detect(known: NoiseKnown, report: Callable[[str], None]) -> NoiseKnown:
    """Look for noise as the settings say."""
    settings = known.settings
    model = noise_model(settings, known.dataset.item_count, report)
    found = model.cross_fit(
        known.noisy.split.train, settings.noise.distribution, seed=settings.seed, report=report
    )
    return dataclasses.replace(known, detection=found)


def noise_model(
    settings: Settings, item_count: int, report: Callable[[str], None] = lambda text: None
) -> NoiseModel:
    """What finds noise as the settings say.

    A model that judges by a recommender has it trained without gates or penalty, and for as many
    epochs as the settings say.

    Parameters
    ----------
    settings
        Of the run; their detector is one of `DETECTORS`.
    item_count
        Number of items.
    report
        Called with a few words when a recommender is trained.
    """
    plain = resolve(settings.plain())

    def fit_recommender(others: Histories, weights: np.ndarray, fold: int) -> Any:
        report(f"a recommender for part {fold + 1} of the users")
        recommender = build_recommender(plain, item_count)
        recommender.backbone.adapt(np.bincount(others.items, weights, minlength=item_count + 1))
        batches = build_batches(plain, others, item_count, recommender.backbone, 1.0 - weights)
        epochs = plain.fit.epochs
        recommender.fit(
            batches.dataset(0, epochs).map(recommender.objective.example),
            epochs=epochs,
            steps_per_epoch=batches.steps_per_epoch,
            shuffle=False,  # the batches are shuffled already
            callbacks=[RequireFinite()],
            verbose=0,
        )
        return recommender

    sizes = {
        name: getattr(settings.model, name)
        for name in ("max_length", "hidden_dim")
        if hasattr(settings.model, name)
    }
    kind = DETECTORS[str(settings.detector)]
    return kind(
        item_count,
        fit_recommender=fit_recommender,
        new_recommender=lambda: build_recommender(plain, item_count),
        **sizes,
    )


def read_detection(directory: RunDirectory) -> Detection:
    """What a run found of noise, by a detector for each fold of users.

    Raises
    ------
    RunError
        If a file is not what the run wrote.
    """
    settings, model = directory.settings(), directory.model_record()
    record = directory.noise_record(DETECTORS[str(settings.detector)].detectors)
    file = directory.path / "settings.toml"
    kind = parsed(file, lambda: noise_model(settings, model.item_count))
    detectors = []
    for path in directory.detectors(record.detectors):
        detector = parsed(file, kind.empty)
        read_checkpoint(path, detector, model_variables(detector), model.run)
        detectors.append(detector)
    log_ratios = parsed(
        directory.noise_file, lambda: read_numbers(directory.noise_file, record.items)
    )
    return Detection(NoiseScorer(tuple(detectors), record.rate), log_ratios, record.roc_auc)
