"""A detector of noise: which items of a history fit what stands around them."""

from __future__ import annotations

from typing import Any

import numpy as np
import tensorflow as tf

from tf_recdenoiser import _keras
from tf_recdenoiser._keras import keras
from tf_recdenoiser.backbones import Backbone, ContextEncoder
from tf_recdenoiser.training.objectives import BinaryCrossEntropy
from tf_recdenoiser.training.recommender import Recommender


def build_detector(
    item_count: int,
    max_length: int = 50,
    width: int = 50,
    dropout: float = 0.2,
    learning_rate: float = 1e-3,
    seed: int | None = None,
) -> Recommender:
    """An untrained, compiled detector of noise.

    It scores how well an item fits the place where it stands, by the inner product of the
    item's vector with a `ContextEncoder`'s, and is trained by noise-contrastive estimation
    (Gutmann and Hyvärinen 2012): binary cross-entropy of each item against one that the law of
    noise drew for the same place (`data.DetectionBatches`). Where that is least, the score is
    log p(x | context) / q(x), the log of the density ratio of the log's items to noise.

    Parameters
    ----------
    item_count
        Number of items.
    max_length
        n, the positions it reads at a time; 50 by default.
    width
        d; 50 by default.
    dropout
        Rate; 0.2 by default.
    learning_rate
        Of Adam; 1e-3 by default.
    seed
        Of dropout; None (default): see `DenoisingModel.compile`.

    Examples
    --------
    >>> detector = build_detector(item_count=9, max_length=4, width=8)
    >>> log_ratios(detector, np.array([[0, 0, 3, 7]], np.int32)).shape
    (1, 4)
    """
    encoder = ContextEncoder(item_count, max_length, width, dropout=dropout)
    detector = Recommender(encoder, BinaryCrossEntropy())
    detector.compile(keras.optimizers.Adam(learning_rate, beta_2=0.98), seed=seed)
    detector.build_optimizers()
    return detector


def log_ratios(
    detector: Recommender, item_ids: np.ndarray, candidates: np.ndarray | None = None
) -> np.ndarray:
    """The detector's scores, `[B, n]` float32.

    Parameters
    ----------
    detector
        As `build_detector` makes them.
    item_ids
        Histories `[B, n]`, left-padded with 0.
    candidates
        The items to score in the places of `item_ids`, `[B, n]`; None (default) for those
        that stand there.
    """
    scored = item_ids if candidates is None else candidates
    batches = [
        _log_ratios(detector.backbone, tf.constant(item_ids[at:end]), tf.constant(scored[at:end]))
        for at, end in _slices(len(item_ids))
    ]
    return np.concatenate([batch.numpy() for batch in batches])


def log_ratio_tensor(
    encoder: Backbone, item_ids: tf.Tensor, candidates: tf.Tensor, training: bool = False
) -> tf.Tensor:
    """The inner products of each place's context with the vector of its candidate, `[B, n]`."""
    hidden = tf.cast(encoder({"item_ids": item_ids}, training=training), tf.float32)
    table = tf.cast(_keras.raw_variable(encoder.item_embedding.embeddings), tf.float32)
    return tf.reduce_sum(hidden * tf.gather(table, candidates), axis=-1)


_log_ratios: Any = tf.function(log_ratio_tensor, reduce_retracing=True)


def _slices(count: int, size: int = 512) -> list[tuple[int, int]]:
    return [(at, min(at + size, count)) for at in range(0, max(count, 1), size)]
