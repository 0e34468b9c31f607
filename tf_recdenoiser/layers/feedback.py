"""How likely users are to dislike an item, by what is known of other items and other users."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import tensorflow as tf

from tf_recdenoiser._keras import keras, register

_PRIOR = 5.0
"""How many average answers every mean is mixed with, so that few answers say little."""


@register
class FeedbackFeatures(keras.layers.Layer):
    """Features `[B, n, 5 + 2 views]` of each item of `item_ids` `[B, n]`, as its user may judge it.

    `disliked` `[B, n]` is what is known of the user's own judgement: 1 for an item they disliked, 0
    for one they liked, 0.5 for neither, NaN where nothing is known. With d the answers, m their
    mean, s_ij = (v_i · v_j)² the likeness of items i and j by a view of their vectors, and sums
    over the answers that are known, the features of item i are

        log(1 + how often it occurs),   log(1 + N_i),   r_i = Σ_i (d - m) / (N_i + 5),
        Σ_j s_ij Σ_j (d - m) / (Σ_j s_ij N_j + 5)                            for each view,
        b_i = Σ_{j≠i} (d_j - m - r_j) / (K_i + 5),   log(1 + K_i),
        Σ_{j≠i} s_ij (d_j - m - r_j - b_i) / (Σ_{j≠i} s_ij + 5)              for each view:

    the item's rate of dislikes over the N_i other users who said; that of items like it; the user's
    own rate, above the items', over the K_i other items of the row that they said something of; and
    their rate for items like this one. An item's own answer counts in none of the user's features.

    What it knows of items and other users is weights, not trained.

    Parameters
    ----------
    item_count
        I; ids run from 1 to it, 0 is padding.
    shape
        Views and width of the vectors, as `data.item_vectors` has them.

    Examples
    --------
    >>> layer = FeedbackFeatures(9, (1, 4))
    >>> layer.remember(np.ones([10, 1, 4]) / 2, np.ones(10), np.ones(10), np.zeros(10))
    >>> features = layer(tf.constant([[0, 3, 7]]), tf.constant([[np.nan, 1.0, np.nan]]))
    >>> tuple(features.shape)
    (1, 3, 7)
    """

    def __init__(self, item_count: int, shape: Sequence[int], **kwargs: Any) -> None:
        super().__init__(**{**kwargs, "dtype": "float32"})
        self.item_count = item_count
        self.shape = tuple(shape)
        rows, views = item_count + 1, self.shape[0]
        self._vectors = self.add_weight(
            name="vectors", shape=(rows, *self.shape), initializer="zeros", trainable=False
        )
        self._of_items = self.add_weight(
            name="of_items", shape=(rows, 3 + views), initializer="zeros", trainable=False
        )
        self._mean = self.add_weight(name="mean", shape=(), initializer="zeros", trainable=False)

    @property
    def is_rate(self) -> np.ndarray:
        """Which features are rates of dislikes, bool `[F]`, and not how much is known."""
        views = self.shape[0]
        return np.array([False, False, *[True] * (1 + views), True, False, *[True] * views])

    def remember(
        self, vectors: np.ndarray, counts: np.ndarray, answers: np.ndarray, disliked: np.ndarray
    ) -> None:
        """Set what is known of items.

        Parameters
        ----------
        vectors
            Unit vectors `[I + 1, views, width]`.
        counts
            How often each occurs, `[I + 1]`.
        answers
            How often something is known of how it was liked, `[I + 1]`.
        disliked
            The sum of these answers, `[I + 1]`.
        """
        mean = disliked.sum() / max(answers.sum(), 1)
        excess = disliked - mean * answers
        rates = [excess / (answers + _PRIOR)]
        for view in vectors.astype(float).transpose(1, 0, 2):
            of_like, like = (_among_like(view, sums) for sums in (excess, answers))
            rates.append(of_like / (like + _PRIOR))
        self._vectors.assign(tf.cast(vectors, tf.float32))
        of_items = np.stack([np.log1p(counts), np.log1p(answers), *rates], axis=1)
        self._of_items.assign(tf.cast(of_items, tf.float32))
        self._mean.assign(tf.cast(mean, tf.float32))

    def call(self, item_ids: tf.Tensor, disliked: tf.Tensor) -> tf.Tensor:
        of_items = tf.gather(tf.convert_to_tensor(self._of_items), item_ids)
        disliked = tf.cast(disliked, tf.float32)
        is_known = (item_ids > 0) & ~tf.math.is_nan(disliked)
        excess = tf.where(is_known, disliked - self._mean - of_items[..., 2], 0.0)
        known = tf.cast(is_known, tf.float32)
        answers = tf.reduce_sum(known, axis=1, keepdims=True) - known
        rate = (tf.reduce_sum(excess, axis=1, keepdims=True) - excess) / (answers + _PRIOR)
        of_like, like = self._among_others(item_ids, excess, known)
        alike = (of_like - like * rate[:, tf.newaxis]) / (like + _PRIOR)
        of_users = tf.stack([rate, tf.math.log1p(answers)], axis=-1)
        return tf.concat([of_items, of_users, tf.transpose(alike, [0, 2, 1])], axis=-1)

    def _among_others(self, item_ids: tf.Tensor, *values: tf.Tensor) -> list[tf.Tensor]:
        """Sums over the other items of the row, weighted by likeness, `[B, views, n]` each."""
        vectors = tf.gather(tf.convert_to_tensor(self._vectors), item_ids)
        likeness = tf.square(tf.einsum("bivd,bjvd->bvij", vectors, vectors))
        others = likeness * (1.0 - tf.eye(tf.shape(item_ids)[1]))
        return [tf.einsum("bvij,bj->bvi", others, value) for value in values]

    def compute_output_shape(self, item_ids_shape: Any, disliked_shape: Any = None) -> Any:
        return (*item_ids_shape, 5 + 2 * self.shape[0])

    def get_config(self) -> dict[str, Any]:
        return {**super().get_config(), "item_count": self.item_count, "shape": self.shape}


@register
class LogRatioOfLogit(keras.layers.Layer):
    """log(ρ / P) `[B, n]` of P = σ(z), for logits z `[B, n, 1]` and a share ρ.

    By this P is `noise_probability` of the result with the rate ρ: logits of noise take the place
    of a density ratio.

    Examples
    --------
    >>> layer = LogRatioOfLogit()
    >>> layer.remember(0.25)
    >>> np.round(layer(tf.constant([[[0.0]]])).numpy(), 3)  # log(0.25 / 0.5)
    array([[-0.693]], dtype=float32)
    """

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(**{**kwargs, "dtype": "float32"})
        self._share = self.add_weight(name="share", shape=(), initializer="ones", trainable=False)

    def remember(self, share: float) -> None:
        """Set ρ."""
        self._share.assign(tf.cast(share, tf.float32))

    def call(self, logits: tf.Tensor) -> tf.Tensor:
        share = tf.convert_to_tensor(self._share)
        return tf.math.log(share) + tf.nn.softplus(-tf.squeeze(logits, axis=-1))

    def compute_output_shape(self, logits_shape: Any) -> Any:
        return logits_shape[:-1]


def _among_like(vectors: np.ndarray, values: np.ndarray) -> np.ndarray:
    """Σ_j (v_i · v_j)² x_j for each item i, of a view's vectors `[I + 1, d]`.

    As v_i' (Σ_j x_j v_j v_j') v_i, which takes no more memory than the vectors.
    """
    moments = vectors.T @ (values[:, np.newaxis] * vectors)
    found: np.ndarray = np.einsum("id,id->i", vectors @ moments, vectors)
    return found
