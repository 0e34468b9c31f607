"""What a run recommends: the best items for many histories, and the items most like one."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING

import numpy as np
import polars as pl
import tensorflow as tf

from tf_recdenoiser.data import Dataset, Histories
from tf_recdenoiser.retrieval.top_k import NO_SCORE, nearest_items
from tf_recdenoiser.runs.errors import RunError
from tf_recdenoiser.runs.finite import finite
from tf_recdenoiser.runs.scoring import Inputs

if TYPE_CHECKING:
    from tf_recdenoiser.runs.loading import Run

_BATCH = 256


@dataclasses.dataclass(frozen=True)
class Wanted:
    """What is wanted of recommendations.

    Attributes
    ----------
    k
        How many items for each history, at least 1. 10 by default.
    exclude_seen
        Whether to leave out the items of the history; true by default.
    allow
        Codes of the items that may be recommended, `[A]`; None (default) for all.
    deny
        Codes of items that may not; None (default) for none.

    Raises
    ------
    ValueError
        If `k` is below 1.
    """

    k: int = 10
    exclude_seen: bool = True
    allow: np.ndarray | None = None
    deny: np.ndarray | None = None

    def __post_init__(self) -> None:
        if self.k < 1:
            raise ValueError(f"`k` must be at least 1. Received: k={self.k}")

    def handicap(self, item_count: int) -> np.ndarray:
        """What is added to the scores of all items, `[item_count + 1]`: 0, or -inf."""
        added = np.full(item_count + 1, 0.0 if self.allow is None else NO_SCORE, np.float32)
        if self.allow is not None:
            added[self.allow] = 0.0
        if self.deny is not None:
            added[self.deny] = NO_SCORE
        return added


def best_items(
    run: Run,
    histories: Histories,
    users: np.ndarray | None = None,
    wanted: Wanted | None = None,
    advance: Callable[[int], None] = lambda rows: None,
) -> tuple[np.ndarray, np.ndarray]:
    """The best next items after each of many histories.

    Parameters
    ----------
    run
        Whose model recommends; it cleans histories as it does in life.
    histories
        U sequences of item codes, with times if the model reads them, and with what is known of
        dislikes.
    users
        Codes of the users `[U]`, 0 for one who is not known; None (default) for none known.
    wanted
        How many, and which; None (default) for `Wanted()`.
    advance
        Called with the number of histories that were done.

    Returns
    -------
    Codes int32 `[U, k]`, best first, 0 where there are no more, and scores float32 `[U, k]`,
    -inf there.

    Raises
    ------
    RunError
        If what the model computes is not finite.
    """
    wanted = Wanted() if wanted is None else wanted
    table = tf.constant(finite("Vectors of items", run.recommender.item_vectors()))
    handicap = tf.constant(wanted.handicap(len(run.item_ids)))
    codes = np.zeros([histories.row_count, wanted.k], np.int32)
    scores = np.full(codes.shape, NO_SCORE, np.float32)
    for rows in _batches(histories.lengths):
        disliked = histories.last_disliked(run.settings.model.max_length, rows)
        inputs = run.cleaned(inputs_of(run, histories, users, rows), disliked)
        longest = max(int(histories.lengths[rows].max()), 1) if wanted.exclude_seen else 1
        seen = histories.last(longest, rows) * wanted.exclude_seen
        vectors = finite("Vectors of histories", run.recommender.encode(**inputs))
        best, best_scores = (one.numpy() for one in _top(vectors, table, handicap, seen, wanted.k))
        finite("Scores", best_scores[best > 0])
        codes[rows], scores[rows] = best, best_scores
        advance(len(rows))
    return codes, scores


def _batches(lengths: np.ndarray) -> Iterator[np.ndarray]:
    """Rows of like lengths together, so that few columns of a batch are padding."""
    order = np.argsort(lengths, kind="stable")
    return (order[first : first + _BATCH] for first in range(0, len(order), _BATCH))


def inputs_of(run: Run, histories: Histories, users: np.ndarray | None, rows: np.ndarray) -> Inputs:
    """What a run's model reads of the histories at `rows`; see `best_items`."""
    length, wanted = run.settings.model.max_length, run.recommender.backbone.extra_inputs
    inputs: Inputs = {"item_ids": histories.last(length, rows)}
    if "times" in wanted:
        inputs["times"] = histories.last_times(length, rows)
    if "user_ids" in wanted:
        inputs["user_ids"] = np.zeros(len(rows), np.int32) if users is None else users[rows]
    return inputs


@tf.function(reduce_retracing=True)
def _top(
    vectors: tf.Tensor, table: tf.Tensor, handicap: tf.Tensor, seen: tf.Tensor, k: int
) -> tuple[tf.Tensor, tf.Tensor]:
    return nearest_items(vectors, table, seen, tf.fill([tf.shape(vectors)[0]], k), handicap)


def known_histories(run: Run, dataset: Dataset) -> tuple[Histories, np.ndarray]:
    """All that the users of some data did with items that a run knows.

    Parameters
    ----------
    run
        The run.
    dataset
        The data; their items and users need not be the run's.

    Returns
    -------
    Sequences of the run's item codes, with what is known of each item, one for each of the U users
    of whom it knows an item, and the numbers of these users in the data, `[U]`.
    """
    codes = run.codes(dataset.item_ids)[dataset.items - 1]
    known = dataclasses.replace(dataset.histories, items=codes).keep(codes > 0)
    users = np.flatnonzero(known.lengths)
    return known.prefixes(users, known.lengths[users]), users


def as_table(
    user_ids: np.ndarray,
    item_ids: np.ndarray,
    codes: np.ndarray,
    scores: np.ndarray,
    titles: np.ndarray | None = None,
) -> pl.DataFrame:
    """Recommendations as rows of `user`, `rank` (from 1), `item`, `score` and perhaps `title`.

    Parameters
    ----------
    user_ids
        Raw ids `[U]`.
    item_ids
        Raw ids `[item_count]`, by code.
    codes, scores
        Of `best_items`.
    titles
        Of the items, `[item_count]`; None (default) for a table without.
    """
    there = codes > 0
    user, rank = np.nonzero(there)
    item = codes[there] - 1
    columns = {
        "user": _taken(user_ids, user),
        "rank": rank.astype(np.int32) + 1,
        "item": _taken(item_ids, item),
        "score": scores[there],
    }
    if titles is not None:
        columns["title"] = _taken(titles, item)
    return pl.DataFrame(columns)


def _taken(ids: np.ndarray, index: np.ndarray) -> pl.Series:
    # Of texts each is stored once, however often it is taken.
    return pl.Series(ids.tolist())[index] if ids.dtype == object else pl.Series(ids[index])


def similar_items(run: Run, code: int, k: int = 10) -> tuple[np.ndarray, np.ndarray]:
    """The items whose vectors point most nearly where one item's vector does.

    The similarity of items i and j is the cosine v_i · v_j / (‖v_i‖ ‖v_j‖) of their vectors in the
    table that scores are taken with; items that follow the same histories are alike.

    Parameters
    ----------
    run
        Whose model it is.
    code
        Of the item.
    k
        How many, at least 1; 10 by default.

    Returns
    -------
    Codes `[k]`, the most alike first, without the item itself, and their cosines `[k]`; fewer if
    there are fewer items.

    Raises
    ------
    RunError
        If the model has no vectors of items.
    """
    table = run.recommender.item_vectors()
    if table.shape[1] == 1:
        raise RunError(
            f"Items must have vectors to be compared by: train another model. Received: "
            f"{run.settings.model.name}, which has a number for each"
        )
    norms = np.linalg.norm(table, axis=1)
    cosines = table @ table[code] / np.maximum(norms * norms[code], np.finfo(np.float32).tiny)
    cosines[[0, code]] = NO_SCORE
    best = np.argsort(-cosines, kind="stable")[: min(k, len(table) - 2)]
    return best, cosines[best]
