"""How an item goes with the other items of its history."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import tensorflow as tf

from tf_recdenoiser._keras import keras, register

_DISTANCES = (1, 2, 4, 8)
_BEST = 5


@register
class ContextFeatures(keras.layers.Layer):
    """Features `[B, n, F]` of each candidate of `candidates` `[B, n]` in its place of `item_ids`.

    With s_ij the cosine of the candidate for place i and the item in place j != i, by each view
    of the item vectors: the means of s_ij over the places up to 1, 2, 4 and 8 before i, over all
    before i, and the same after i; the largest and the second largest s_ij, and the mean of the
    five largest; and the mean cosine to the whole catalogue, which says how usual an s_ij is.
    Besides, the logs of the item's count and of the numbers of items before and after it. A mean
    over nothing is 0, a largest of nothing -1.

    Vectors and counts are weights, not trained.

    Parameters
    ----------
    item_count
        I; ids run from 1 to it, 0 is padding.
    shape
        Views and width of the vectors, as `data.item_vectors` has them.

    Examples
    --------
    >>> layer = ContextFeatures(9, (1, 4))
    >>> layer.remember(np.ones([10, 1, 4]) / 2, np.ones(10))
    >>> ids = tf.constant([[0, 3, 7]])
    >>> layer(ids, ids).shape
    TensorShape([1, 3, 17])
    """

    def __init__(self, item_count: int, shape: Sequence[int], **kwargs: Any) -> None:
        super().__init__(**{**kwargs, "dtype": "float32"})
        self.item_count = item_count
        self.shape = tuple(shape)
        rows = item_count + 1
        self._vectors = self.add_weight(
            name="vectors", shape=(rows, *self.shape), initializer="zeros", trainable=False
        )
        self._counts = self.add_weight(
            name="counts", shape=(rows,), initializer="zeros", trainable=False
        )

    def remember(self, vectors: np.ndarray, counts: np.ndarray) -> None:
        """Set the unit vectors `[I + 1, views, width]` and the counts `[I + 1]` of the items."""
        self._vectors.assign(tf.cast(vectors, tf.float32))
        self._counts.assign(tf.cast(counts, tf.float32))

    def call(self, item_ids: tf.Tensor, candidates: tf.Tensor) -> tf.Tensor:
        length = item_ids.shape[1]
        vectors, counts = tf.convert_to_tensor(self._vectors), tf.convert_to_tensor(self._counts)
        is_item = tf.cast(item_ids > 0, tf.float32)
        others = is_item[:, tf.newaxis, :] * (1.0 - tf.eye(length))
        of_candidates = tf.gather(vectors, candidates)
        cosines = tf.einsum("bivd,bjvd->bvij", of_candidates, tf.gather(vectors, item_ids))
        usual = tf.einsum("bivd,vd->biv", of_candidates, tf.reduce_mean(vectors[1:], axis=0))
        before, after = (
            tf.cumsum(is_item, axis=1, exclusive=True, reverse=r) for r in (False, True)
        )
        sizes = [tf.gather(counts, candidates), before, after]
        return tf.concat(
            [
                self._means(cosines, others),
                self._largest(cosines, others),
                usual,
                tf.stack([tf.math.log1p(size) for size in sizes], axis=-1),
            ],
            axis=-1,
        )

    def _means(self, cosines: tf.Tensor, others: tf.Tensor) -> tf.Tensor:
        """Of each view over each stretch, `[B, n, views * stretches]`."""
        stretches = tf.constant(_stretches(cosines.shape[-1]))
        sums = tf.einsum("bvij,sij->bivs", cosines * others[:, tf.newaxis], stretches)
        sizes = tf.einsum("bij,sij->bis", others, stretches)
        return _joined(sums / tf.maximum(sizes, 1.0)[:, :, tf.newaxis, :])

    def _largest(self, cosines: tf.Tensor, others: tf.Tensor) -> tf.Tensor:
        """The largest, the second and the mean of five of each view, `[B, n, views * 3]`."""
        missing = tf.pad(
            tf.where(others[:, tf.newaxis] > 0, cosines, -1.0),
            [[0, 0]] * 3 + [[0, _BEST]],
            constant_values=-1.0,
        )
        best = tf.transpose(tf.math.top_k(missing, _BEST).values, [0, 2, 1, 3])
        mean = tf.reduce_mean(best, axis=-1, keepdims=True)
        return _joined(tf.concat([best[..., :2], mean], axis=-1))

    def compute_output_shape(self, item_ids_shape: Any, candidates_shape: Any = None) -> Any:
        views = self.shape[0]
        return (*item_ids_shape, views * (2 * len(_DISTANCES) + 2 + 3 + 1) + 3)

    def get_config(self) -> dict[str, Any]:
        return {**super().get_config(), "item_count": self.item_count, "shape": self.shape}


def _stretches(length: int) -> np.ndarray:
    """1 where place j is in a stretch beside place i, float32 `[stretches, n, n]`."""
    back = np.arange(length)[:, None] - np.arange(length)
    nearest = [*_DISTANCES, length]
    sides = [(side > 0) & (side <= most) for side in (back, -back) for most in nearest]
    return np.stack(sides).astype(np.float32)


def _joined(features: tf.Tensor) -> tf.Tensor:
    """`[B, n, views, F]` as `[B, n, views * F]`."""
    shape = tf.shape(features)
    return tf.reshape(features, [shape[0], shape[1], features.shape[2] * features.shape[3]])
