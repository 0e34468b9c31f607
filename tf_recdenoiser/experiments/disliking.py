"""Feedback: how well untold dislikes are found, and what it gains to know them."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence

import numpy as np
import tensorflow as tf

from tf_recdenoiser.data import DataError, Dataset, Histories
from tf_recdenoiser.experiments.comparison import Comparison, compare
from tf_recdenoiser.experiments.paired import PLAIN, Changes
from tf_recdenoiser.noise import roc_auc
from tf_recdenoiser.noise.detectors.surprisal import next_item_log_ratios
from tf_recdenoiser.noise.network import in_batches
from tf_recdenoiser.noise.windows import Windows
from tf_recdenoiser.runs import Run, load_split
from tf_recdenoiser.runs.detect import noise_model
from tf_recdenoiser.runs.settings import DENOISER

DISLIKING: Mapping[str, Changes] = {
    PLAIN: {},
    "bce": {"objective": "bce"},
    "t_ce": {"objective": "t_ce"},
    "r_ce": {"objective": "r_ce"},
    "bootstrap": {"objective": "bootstrap"},
    "gates": dict(DENOISER),
    "context": {"noise.detector": "context", "noise.feedback": False},
    **{
        f"feedback {correction}": {"noise.detector": "feedback", "noise.correction": correction}
        for correction in ("sequence", "targets", "mark")
    },
}
"""What is done about dislikes, by name: the settings that differ from the plain run's.

The first seven make no use of what the log says of them: the default objective; binary
cross-entropy ("bce") and three losses made of it that doubt what is hard to learn ("t_ce", "r_ce",
"bootstrap"); the paper's denoiser ("gates"); the detector of what does not fit ("context"). The
others know what the log says, and learn the rest from it: what is disliked is left out of
sequences, of targets, or of targets and marked in the input.
"""

USER_AND_ITEM = "user and item rates"
"""The strongest of the simple means: what others said of the item, and the user of other items."""

FEEDBACK = "feedback detector"

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


def find_disliked(
    runs: Sequence[Mapping[str, Run]], dataset: Dataset, shares: Sequence[float]
) -> dict[str, dict[str, Comparison]]:
    """How well each means finds dislikes that are hidden from it, where a share is known.

    Parameters
    ----------
    runs
        For each seed, the plain run of `DISLIKING` and others by name, whose losses are judged too.
        The seed also draws what is known.
    dataset
        Their data, with feedback.
    shares
        Of the rows of which it is known whether they were disliked, each above 0.

    Returns
    -------
    By means and then by title, with the share, the area under the ROC curve, compared with that of
    the rates of users and items.

    Raises
    ------
    DataError
        If the data have no feedback.
    """
    if dataset.disliked is None:
        raise DataError(
            "The log must say what users disliked: name the column that does with "
            "--feedback-column. Received: a log without feedback"
        )
    areas: dict[str, dict[str, list[float]]] = {}
    for by_name in runs:
        plain = by_name[PLAIN]
        train = load_split(plain.settings, dataset).split.train
        assert train.disliked is not None
        others = {name: run for name, run in by_name.items() if name != PLAIN}
        unlabelled = finders_without_labels(plain, train, others)
        for share in shares:
            known = hidden(train.disliked, share, plain.settings.seed)
            labelled = finders_with_labels(plain, dataclasses.replace(train, disliked=known))
            found = area_on_hidden({**unlabelled, **labelled}, train.disliked, known)
            for name, area in found.items():
                title = f"ROC AUC on hidden dislikes, {share:.4g} of the feedback known"
                areas.setdefault(name, {}).setdefault(title, []).append(area)
    return {
        name: {
            title: compare(np.array([found]).T, np.array([areas[USER_AND_ITEM][title]]).T)
            for title, found in by_title.items()
        }
        for name, by_title in areas.items()
    }


def finders_without_labels(
    run: Run, train: Histories, others: Mapping[str, Run]
) -> dict[str, np.ndarray]:
    """Scores `[N]` of a log's items by means that need no label.

    * `popularity`: the rarer an item, the more suspect;
    * `surprisal`: the loss of each item as a target of the plain run;
    * `NAME loss`: that of other runs, such as one with the objective `t_ce`;
    * `context detector`: what does not fit what stands around it.

    Parameters
    ----------
    run
        The plain run.
    train
        The training sequences, N items in all.
    others
        Further runs by name.
    """
    counts = np.bincount(train.items)
    settings = run.settings.replace({"noise.detector": "context"})
    context = noise_model(settings, len(run.item_ids)).cross_fit(
        train, settings.noise.distribution, seed=settings.seed
    )
    judges = {"surprisal": run, **{f"{name} loss": one for name, one in others.items()}}
    return {
        "popularity": -counts[train.items].astype(float),
        **{name: losses(one, train) for name, one in judges.items()},
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
