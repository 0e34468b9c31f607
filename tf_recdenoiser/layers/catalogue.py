"""The probability of an item among all items."""

from __future__ import annotations

from typing import Any

import tensorflow as tf

from tf_recdenoiser._keras import keras, register
from tf_recdenoiser.ops.log_sum_exp import log_sum_exp_of_products


@register
class Catalogue(keras.layers.Layer):
    """The ids of all items, 1 … I, whatever it is called with: int64 `[I]`.

    Parameters
    ----------
    item_count
        I.

    Examples
    --------
    >>> Catalogue(3)(tf.zeros([1, 2, 5])).numpy()
    array([1, 2, 3])
    """

    def __init__(self, item_count: int, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.item_count = item_count
        self.supports_masking = True

    def call(self, inputs: tf.Tensor) -> tf.Tensor:
        # Not int32: tf_keras takes a constant vector of that type for a shape.
        return tf.range(1, self.item_count + 1, dtype=tf.int64)

    def compute_mask(self, *_: Any, **__: Any) -> None:
        """None: no item is padding."""

    def compute_output_shape(self, input_shape: Any) -> Any:
        return (self.item_count,)

    def get_config(self) -> dict[str, Any]:
        return {**super().get_config(), "item_count": self.item_count}


@register
class CatalogueLogProbability(keras.layers.Layer):
    """How probable each position's item is among all items, by the softmax of inner products.

    log p(x_t) = h_t · v_{x_t} - log sum_{i = 1 … I} exp(h_t · v_i)

    Called with hidden vectors `[B, n, d]`, the items' vectors `[I, d]` and item ids `[B, n]`;
    returns `[B, n]`, float32. It is 0 where the id is 0, and no product is computed there.

    Examples
    --------
    >>> log_p = CatalogueLogProbability()(
    ...     tf.zeros([1, 2, 3]), tf.ones([4, 3]), tf.constant([[0, 2]])
    ... )
    >>> log_p.numpy().round(3)
    array([[ 0.   , -1.386]], dtype=float32)
    """

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.supports_masking = True

    def call(self, hidden: tf.Tensor, items: tf.Tensor, item_ids: tf.Tensor) -> tf.Tensor:
        places = tf.where(item_ids > 0)
        hidden = tf.cast(tf.gather_nd(hidden, places), tf.float32)
        items = tf.cast(items, tf.float32)
        own = tf.gather(items, tf.gather_nd(item_ids, places) - 1)
        log_p = tf.reduce_sum(hidden * own, axis=-1) - log_sum_exp_of_products(hidden, items)
        return tf.scatter_nd(places, log_p, tf.shape(item_ids, tf.int64))

    def compute_mask(self, *_: Any, **__: Any) -> None:
        """None: which positions count is said by the sample weights."""

    def compute_output_shape(
        self, hidden_shape: Any, items_shape: Any = None, item_ids_shape: Any = None
    ) -> Any:
        return hidden_shape[:2]
