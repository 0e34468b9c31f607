"""Metrics of a ranking with one relevant item, and some disliked ones, per user first."""

from __future__ import annotations

import re
from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np

from tf_recdenoiser.evaluation.arrays import FloatArray, IntArray

Metric = Callable[[IntArray, int], FloatArray]
"""`metric(ranks [R], k) -> [R]`: a value for each user from the rank of the relevant item."""


def hit(ranks: IntArray, k: int) -> FloatArray:
    """Hit@K: 1 where the relevant item is among the first K, else 0. Shape of `ranks`.

    Examples
    --------
    >>> hit(np.array([0, 9, 10]), 10).tolist()
    [1.0, 1.0, 0.0]
    """
    return (ranks < k).astype(np.float64)


def ndcg(ranks: IntArray, k: int) -> FloatArray:
    """NDCG@K with one relevant item: 1 / log2(rank + 2) where rank < K, else 0. Shape of `ranks`.

    The ideal ranking has the relevant item first, with a gain of 1, so nothing else divides
    (Järvelin and Kekäläinen 2002).

    Examples
    --------
    >>> ndcg(np.array([0, 2, 10]), 10).tolist()
    [1.0, 0.5, 0.0]
    """
    return np.where(ranks < k, 1.0 / np.log2(ranks + 2.0), 0.0)


METRICS: dict[str, Metric] = {"hit": hit, "ndcg": ndcg}
"""The metrics of the relevant item by name: a new one is a function and a line here."""
DISLIKED = "disliked"
"""Name of the metric that counts disliked items; the less of it, the better."""


def parse_metric(text: str) -> tuple[Metric, int]:
    """The function and the K of a metric written as "name@K".

    Raises
    ------
    ValueError
        For another form, an unknown name, or a K that is not a whole number from 1.

    Examples
    --------
    >>> metric, k = parse_metric("ndcg@10")
    >>> metric is ndcg, k
    (True, 10)
    """
    name, k = _name_and_k(text, METRICS)
    return METRICS[name], k


def _name_and_k(text: str, names: Collection[str]) -> tuple[str, int]:
    parts = re.fullmatch(r"([^@]*)@([^@]*)", text)
    if parts is None:
        raise ValueError(
            f"A metric must be written name@K, for example ndcg@10. Received: {text!r}"
        )
    name, k = parts.groups()
    if name not in names:
        raise ValueError(
            f"The name of a metric must be one of {', '.join(names)}. Received: {text!r}"
        )
    if re.fullmatch(r"[1-9][0-9]*", k) is None:
        raise ValueError(
            f"The K of a metric must be a whole number from 1, as in ndcg@10. Received: {text!r}"
        )
    return name, int(k)


class DislikedRanks(NamedTuple):
    """The ranks that a model gave T items that users disliked.

    Attributes
    ----------
    rows
        [T] the item's row of the problem.
    ranks
        [T] its rank among all items that could be recommended, 0 the best.
    """

    rows: IntArray
    ranks: IntArray


@dataclass(frozen=True, eq=False)
class Result:
    """The ranks that a model gave the targets.

    Two results of one problem, protocol and seed are paired row by row.

    Attributes
    ----------
    ranks
        [R] rank of each target among its candidates, 0 the best.
    rows
        [R] rows of the problem that were evaluated, rising; all E of them unless the
        protocol takes a sample of the users.
    protocol
        Name of the protocol.
    seed
        Seed of the protocol's random choices.
    short_rows
        How many rows had fewer candidates than the protocol asks for.
    disliked
        Ranks of the items that users disliked; None where they are not known, or not ranked.

    Examples
    --------
    >>> result = Result(np.array([0, 2, 30]), np.arange(3), protocol="full", seed=0)
    >>> result.per_user("ndcg@10").tolist(), result.mean("ndcg@10")
    ([1.0, 0.5, 0.0], 0.5)
    >>> from dataclasses import replace
    >>> disliked = DislikedRanks(rows=np.array([0, 0, 2]), ranks=np.array([3, 4, 12]))
    >>> result = replace(result, disliked=disliked)
    >>> result.per_user("disliked@5").tolist()
    [0.4, 0.0, 0.0]
    """

    ranks: IntArray
    rows: IntArray
    protocol: str
    seed: int
    short_rows: int = 0
    disliked: DislikedRanks | None = None

    @property
    def metrics(self) -> tuple[str, ...]:
        """The names of the metrics: those of `METRICS`, and "disliked" if these items are ranked.

        Disliked@K is the share of disliked items among the first K.
        """
        return (*METRICS, *([] if self.disliked is None else [DISLIKED]))

    def per_user(self, metric: str) -> FloatArray:
        """[R] values of a metric such as "ndcg@10", aligned with `rows`."""
        name, k = _name_and_k(metric, self.metrics)
        return METRICS[name](self.ranks, k) if name in METRICS else self._share_of_disliked(k)

    def _share_of_disliked(self, k: int) -> FloatArray:
        assert self.disliked is not None
        rows = self.disliked.rows[self.disliked.ranks < k]
        return np.bincount(np.searchsorted(self.rows, rows), minlength=len(self.rows)) / k

    def mean(self, metric: str) -> float:
        """The mean over the evaluated rows of a metric such as "hit@10"."""
        return float(self.per_user(metric).mean())

    def summary(self, ks: Sequence[int] = (1, 5, 10, 20)) -> dict[str, float]:
        """The mean of every metric at every K, by name.

        Examples
        --------
        >>> Result(np.array([0, 2]), np.arange(2), protocol="full", seed=0).summary(ks=(1, 5))
        {'hit@1': 0.5, 'hit@5': 1.0, 'ndcg@1': 0.5, 'ndcg@5': 0.75}
        """
        names = [f"{name}@{k}" for name in self.metrics for k in ks]
        return {name: self.mean(name) for name in names}
