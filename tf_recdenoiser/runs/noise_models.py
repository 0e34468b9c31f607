"""The noise model that settings name."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from tf_recdenoiser.data import Histories
from tf_recdenoiser.noise import DETECTORS, NoiseModel
from tf_recdenoiser.runs.building import build_batches, build_recommender
from tf_recdenoiser.runs.settings import Settings


def noise_model(
    settings: Settings, item_count: int, report: Callable[[str], None] = lambda text: None
) -> NoiseModel:
    """What finds noise as the settings say.

    A model that judges by a recommender has it trained without gates or penalty, and for as many
    epochs as the settings say.

    Parameters
    ----------
    settings
        Of the run, with `detect` one of `DETECTORS`.
    item_count
        Number of items.
    report
        Told when a recommender is trained.
    """
    plain = settings.plain()

    def fit_recommender(others: Histories, weights: np.ndarray, fold: int) -> Any:
        report(f"a recommender for part {fold + 1} of the users")
        recommender = build_recommender(plain, item_count)
        recommender.backbone.adapt(np.bincount(others.items, weights, minlength=item_count + 1))
        batches = build_batches(plain, others, item_count, recommender.backbone, 1.0 - weights)
        recommender.fit(
            batches.dataset(0, plain.epochs).map(recommender.objective.example),
            epochs=plain.epochs,
            steps_per_epoch=batches.steps_per_epoch,
            shuffle=False,  # the batches are shuffled already
            verbose=0,
        )
        return recommender

    kind = DETECTORS[str(settings.detect)]
    return kind(item_count, settings.max_length, settings.hidden_dim, fit_recommender)
