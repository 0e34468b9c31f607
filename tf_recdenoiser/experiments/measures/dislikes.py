"""How well dislikes are found that a log does not tell."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Iterator, Mapping
from typing import Any

import numpy as np
import tensorflow as tf

from tf_recdenoiser.data import DataError, Dataset, Histories
from tf_recdenoiser.experiments.measurement import Measurement
from tf_recdenoiser.noise import DETECTORS, roc_auc
from tf_recdenoiser.noise.detectors.surprisal import next_item_log_ratios
from tf_recdenoiser.noise.network import in_batches
from tf_recdenoiser.noise.windows import Windows
from tf_recdenoiser.runs import Run, load_split
from tf_recdenoiser.runs.detect import noise_model

USER_AND_ITEM = "user and item rates"
"""The strongest of the simple means: what others said of the item, and the user of other items."""

FEEDBACK = "feedback detector"

SHARES = (0.01, 0.1, 0.5)
"""Of the rows whose feedback is known."""

_PRIOR = 5.0
_BATCH = 128


def hidden(disliked: np.ndarray, labelled: float, seed: int) -> np.ndarray:
    """What is known where a log tells the share `labelled` of it, drawn by `seed`; NaN elsewhere.

    Examples
    --------
    >>> hidden(np.zeros(4), labelled=0.5, seed=0)
    array([nan,  0.,  0.,  0.])
    """
    told = np.random.default_rng(seed).random(len(disliked)) < labelled
    return np.where(told, disliked, np.nan).astype(disliked.dtype)


def area_on_hidden(
    scores: Mapping[str, np.ndarray], disliked: np.ndarray, known: np.ndarray
) -> dict[str, float]:
    """The area under the ROC curve of each score on what was disliked or liked and is not known.

    Parameters
    ----------
    scores
        Of each item `[N]`, the higher the more suspect, by name.
    disliked
        The truth, `[N]`: 1 for disliked, 0 for liked; what is neither is not judged.
    known
        What of it is known, `[N]`, NaN where nothing is.
    """
    judged = np.isnan(known) & ((disliked == 0) | (disliked == 1))
    is_disliked = disliked[judged] == 1
    return {name: roc_auc(one[judged], is_disliked) for name, one in scores.items()}


def dislikes(run: Run, dataset: Dataset) -> Iterator[Measurement]:
    """How well each means finds dislikes that are hidden from it, where a share is known.

    The area under the ROC curve, and how much that is more than by the rates of users and items.
    What is known is drawn by the run's seed; shares of which nothing can be learned are left out.

    Raises
    ------
    DataError
        If the data have no feedback.
    """
    train = _training(run, dataset)
    return _judged(run, train, finders_without_labels(run, train), finders_with_labels)


def doubts(run: Run, dataset: Dataset) -> Iterator[Measurement]:
    """The same of the run's own loss alone, as a sign of what was disliked."""
    train = _training(run, dataset)
    found = {f"{run.settings.objective.name} loss": losses(run, train)}
    return _judged(run, train, found, lambda run, known: {USER_AND_ITEM: sum(_rates(known))})


def _training(run: Run, dataset: Dataset) -> Histories:
    """The training sequences, which must have feedback."""
    if dataset.disliked is None:
        raise DataError(
            "The log must say what users disliked: name the column that does with "
            "--feedback-column. Received: a log without feedback"
        )
    return load_split(run.settings, dataset).split.train


def _judged(
    run: Run,
    train: Histories,
    unlabelled: Mapping[str, np.ndarray],
    find: Callable[[Run, Histories], Mapping[str, Any]],
) -> Iterator[Measurement]:
    """Areas of scores that need no label, and of those found by what is known."""
    assert train.disliked is not None
    for share in SHARES:
        known = hidden(train.disliked, share, run.settings.seed)
        told = dataclasses.replace(train, disliked=known)
        if not DETECTORS["feedback"].can_learn(told):
            continue  # so small a share of so small a log says too little
        labelled = find(run, told)
        areas = area_on_hidden({**unlabelled, **labelled}, train.disliked, known)
        for name, area in areas.items():
            yield Measurement(
                {"ROC AUC": area, "more than by rates": area - areas[USER_AND_ITEM]},
                {"known": share, "means": name},
            )


def finders_without_labels(run: Run, train: Histories) -> dict[str, np.ndarray]:
    """Scores `[N]` of a log's items by means that need no label.

    * `popularity`: the rarer an item, the more suspect;
    * `surprisal`: the loss of each item as a target of the plain run;
    * `context detector`: what does not fit what stands around it.

    Parameters
    ----------
    run
        The plain run.
    train
        The training sequences, N items in all.
    """
    counts = np.bincount(train.items)
    settings = run.settings.replace({"noise.detector": "context"})
    context = noise_model(settings, len(run.item_ids)).cross_fit(
        train, settings.noise.distribution, seed=settings.seed
    )
    return {
        "popularity": -counts[train.items].astype(float),
        "surprisal": losses(run, train),
        "context detector": -context.log_ratios,
    }


def finders_with_labels(run: Run, train: Histories) -> dict[str, np.ndarray]:
    """Scores `[N]` of a log's items by means that learn from what is known of them.

    * `item rate`: the share of dislikes among what others said of the item, mixed with 5 average
      answers;
    * `user and item rates`: the same, and how much more than others the user dislikes;
    * `feedback detector`: see `FeedbackModel`.

    Parameters
    ----------
    run
        A run on the same items, for its sizes and its seed.
    train
        The training sequences, with what is known of dislikes.
    """
    settings = run.settings.replace({"noise.detector": "feedback"})
    found = noise_model(settings, len(run.item_ids)).cross_fit(train, seed=settings.seed)
    of_item, of_user = _rates(train)
    return {
        "item rate": of_item,
        USER_AND_ITEM: of_item + of_user,
        FEEDBACK: -found.log_ratios,
    }


def _rates(train: Histories) -> tuple[np.ndarray, np.ndarray]:
    """Of each item `[N]`: how much more its item is disliked than usual; and by its user."""
    assert train.disliked is not None
    known = ~np.isnan(train.disliked)
    user = np.repeat(np.arange(train.row_count), train.lengths)
    excess = np.where(known, train.disliked - train.disliked[known].mean(), 0.0)
    of_item = _shrunk(train.items, excess, known)
    return of_item, _shrunk(user, np.where(known, excess - of_item, 0.0), known)


def _shrunk(group: np.ndarray, excess: np.ndarray, known: np.ndarray) -> np.ndarray:
    """The mean of what is known in the group of each item, `[N]`, mixed with zeros."""
    means = np.bincount(group, excess) / (np.bincount(group, known) + _PRIOR)
    return means[group]


def losses(run: Run, train: Histories) -> np.ndarray:
    """-log p(x | items before) of each item up to a constant, `[N]`; the first of a row: median."""
    recommender = run.recommender
    rows = np.arange(train.row_count)
    windows = Windows.over(train, rows, run.settings.model.max_length)
    item_ids = windows.cut(train)

    def log_ratios(ids: tf.Tensor) -> tf.Tensor:
        before = recommender.inputs_of(tf.pad(ids[:, :-1], [[0, 0], [1, 0]]))
        known = recommender.objective.log_ratios
        return next_item_log_ratios(recommender.backbone, before, ids, known)

    losses = -in_batches(log_ratios, item_ids, size=_BATCH)
    nothing_before = np.pad(item_ids[:, :-1], [(0, 0), (1, 0)]) == 0
    losses[nothing_before] = np.median(losses[(item_ids > 0) & ~nothing_before])
    return windows.join(losses)
