"""Logs of which it is known what everyone thinks of everything."""

from __future__ import annotations

import dataclasses

import numpy as np

from tf_recdenoiser.data import Histories
from tf_recdenoiser.data.histories import offsets_of

ITEMS = 80


def rated_log(seed: int = 0, users: int = 300, neither: float = 0.0) -> Histories:
    """Users with items of three kinds of eight, each of which they may like or not.

    An item, a user and the user's taste for the item's kind move the log odds of a dislike, by a
    standard deviation of 1.5 each. The share `neither` of what was not disliked was not liked.
    """
    rng = np.random.default_rng(seed)
    of_items, of_users = rng.normal(0, 1.5, ITEMS + 1), rng.normal(0, 1.5, users)
    tastes = rng.normal(0, 1.5, (users, 8))
    rows = []
    for _ in range(users):
        kinds = rng.choice(8, 3, replace=False)
        able = np.flatnonzero(np.isin(np.arange(1, ITEMS + 1) % 8, kinds)) + 1
        rows.append(rng.choice(able, rng.integers(15, 30), replace=False))
    lengths = [len(row) for row in rows]
    items, user = np.concatenate(rows).astype(np.int32), np.repeat(np.arange(users), lengths)
    logits = of_items[items] + of_users[user] + tastes[user, items % 8] - 2
    disliked = (rng.random(len(items)) < 1 / (1 + np.exp(-logits))).astype(np.float32)
    disliked[(disliked == 0) & (rng.random(len(items)) < neither)] = 0.5
    return Histories(offsets_of(lengths), items, disliked=disliked)


def mostly_hidden(log: Histories, known: float, seed: int = 0) -> tuple[Histories, np.ndarray]:
    """The log with this share of answers, drawn at random; and which items have none, bool [N]."""
    hidden = np.random.default_rng(seed).random(len(log.items)) >= known
    assert log.disliked is not None
    disliked = np.where(hidden, np.nan, log.disliked).astype(np.float32)
    return dataclasses.replace(log, disliked=disliked), hidden
