"""Find the noise of a log by what surprises recommenders that were trained on other users."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from tf_recdenoiser.data import Histories
from tf_recdenoiser.runs.building import build_batches, build_recommender
from tf_recdenoiser.runs.detection import CrossFitting, Detection
from tf_recdenoiser.runs.settings import Settings
from tf_recdenoiser.training.noise import build_surprisal_detector

_FOLDS = 2


def detect_by_surprisal(
    settings: Settings,
    train: Histories,
    item_count: int,
    rounds: int = 1,
    report: Callable[[str], None] = lambda text: None,
) -> Detection:
    """Find which items of users' sequences the items before them do not lead to.

    One half of the users trains the recommender that judges the other half, without gates or
    penalty and for as many epochs as the settings say; a small network learns from its scores to
    tell the log's items from drawn noise. In each further round items count in training by the
    probability that they are meant, an expectation-maximisation of who is noise.

    Parameters
    ----------
    settings
        Of the recommenders and of the law of noise.
    train
        The users' training sequences.
    item_count
        Number of items.
    rounds
        At least 1, the default; each takes as long as it takes to train on all users.
    report
        Told what is being done, in a few words.
    """
    plain = settings.plain()

    def detector(others: Histories, weights: np.ndarray, fold: int) -> Any:
        report(f"a recommender for half {fold + 1} of the users")
        recommender = build_recommender(plain, item_count)
        counts = np.bincount(others.items, weights, minlength=item_count + 1)
        recommender.backbone.adapt(counts)
        batches = build_batches(plain, others, item_count, recommender.backbone, 1.0 - weights)
        recommender.fit(
            batches.dataset(0, plain.epochs).map(recommender.objective.example),
            epochs=plain.epochs,
            steps_per_epoch=batches.steps_per_epoch,
            shuffle=False,  # the batches are shuffled already
            verbose=0,
        )
        return build_surprisal_detector(recommender, counts)

    search = CrossFitting(
        detector,
        train,
        item_count,
        settings.noise_law,
        settings.max_length,
        _FOLDS,
        settings.seed,
    )
    return search.find(rounds, report)
