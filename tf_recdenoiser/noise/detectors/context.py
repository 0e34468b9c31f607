"""Detection by context: which items of a history fit what stands around them."""

from __future__ import annotations

from typing import Any

import numpy as np

from tf_recdenoiser.data import Histories, item_vectors
from tf_recdenoiser.data.vectors import VIEWS
from tf_recdenoiser.layers.context import ContextFeatures
from tf_recdenoiser.noise.detectors.density_ratio import DensityRatioModel
from tf_recdenoiser.noise.network import judging


def build_detector(
    vectors: np.ndarray, counts: np.ndarray, max_length: int = 50, units: int = 64
) -> Any:
    """An untrained detector of noise, a Keras model.

    It takes `item_ids` and `candidates`, both int32 `[B, n]`, and says how well each candidate
    fits its place, `[B, n]`: a network of two hidden layers reads its `ContextFeatures`. Item
    vectors stay as they are; a `NetworkTrainer` trains the network.

    Parameters
    ----------
    vectors
        Of items, `[I + 1, views, width]`; see `data.item_vectors`.
    counts
        How often each item occurs, `[I + 1]`.
    max_length
        n, the places it reads at a time; 50 by default.
    units
        Of each hidden layer; 64 by default.

    Examples
    --------
    >>> from tf_recdenoiser.noise.network import log_ratios
    >>> rng = np.random.default_rng(0)
    >>> detector = build_detector(rng.normal(size=[10, 2, 8]), np.ones(10), max_length=4)
    >>> log_ratios(detector, np.array([[0, 0, 3, 7]], np.int32)).shape
    (1, 4)
    """
    features = ContextFeatures(len(vectors) - 1, vectors.shape[1:], name="features")
    detector = judging(features, max_length, units)
    features.remember(vectors, counts)
    return detector


class ContextModel(DensityRatioModel):
    """Judges an item by how it goes with the items around it.

    Item vectors are made from how items occur together, with one fold of users left out, and a
    small network learns from how an item's vector goes with those around it whether it is the
    log's or drawn by the distribution of noise. In each further round items count, in the vectors,
    by the probability that they are clean.
    """

    folds = 4
    rounds = 2

    def detector(self, others: Histories, weights: np.ndarray, fold: int) -> Any:
        vectors = item_vectors(others, self.item_count, self.hidden_dim, weights)
        counts = np.bincount(others.items, minlength=self.item_count + 1)
        return build_detector(vectors, counts, self.max_length)

    def empty(self) -> Any:
        rows = self.item_count + 1
        vectors = np.zeros([rows, VIEWS, self.hidden_dim], np.float32)
        return build_detector(vectors, np.zeros(rows), self.max_length)
