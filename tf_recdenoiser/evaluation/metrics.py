"""Metrics of a ranking with one relevant item, per user first."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass

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
"""The metrics by name: a new one is a function and a line here."""


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
    parts = re.fullmatch(r"([^@]*)@([^@]*)", text)
    if parts is None:
        raise ValueError(
            f"A metric must be written name@K, for example ndcg@10. Received: {text!r}"
        )
    name, k = parts.groups()
    if name not in METRICS:
        raise ValueError(
            f"The name of a metric must be one of {', '.join(METRICS)}. Received: {text!r}"
        )
    if re.fullmatch(r"[1-9][0-9]*", k) is None:
        raise ValueError(
            f"The K of a metric must be a whole number from 1, as in ndcg@10. Received: {text!r}"
        )
    return METRICS[name], int(k)


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

    Examples
    --------
    >>> result = Result(np.array([0, 2, 30]), np.arange(3), protocol="full", seed=0)
    >>> result.per_user("ndcg@10").tolist(), result.mean("ndcg@10")
    ([1.0, 0.5, 0.0], 0.5)
    """

    ranks: IntArray
    rows: IntArray
    protocol: str
    seed: int
    short_rows: int = 0

    def per_user(self, metric: str) -> FloatArray:
        """[R] values of a metric such as "ndcg@10", aligned with `rows`."""
        function, k = parse_metric(metric)
        return function(self.ranks, k)

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
        names = [f"{name}@{k}" for name in METRICS for k in ks]
        return {name: self.mean(name) for name in names}
