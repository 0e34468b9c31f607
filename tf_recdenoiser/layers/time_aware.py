"""Attention that depends on the time between two items (TiSASRec)."""

from __future__ import annotations

from typing import Any, NamedTuple

import tensorflow as tf

from tf_recdenoiser._keras import keras, register
from tf_recdenoiser.layers.attention import DenoisingMultiHeadAttention
from tf_recdenoiser.layers.gated_attention import GatedAttention
from tf_recdenoiser.layers.transformer import TransformerBlock
from tf_recdenoiser.ops.checks import require
from tf_recdenoiser.ops.intervals import personal_intervals


class TimeContext(NamedTuple):
    """The inputs of time-aware attention beside a history's vectors; batch first.

    Attributes
    ----------
    intervals
        r, int32 `[B, n, n]` in 0 … k.
    interval_keys, interval_values
        A vector for each interval, `[B, k + 1, d]`.
    position_keys, position_values
        A vector for each position, `[B, n, d]`.
    """

    intervals: Any
    interval_keys: Any
    interval_values: Any
    position_keys: Any
    position_values: Any


@register
class TimeEmbedding(keras.layers.Layer):
    """Learned keys and values for time intervals and positions, shared by all blocks.

    Called with `item_ids` `[B, n]` and `times` float64 `[B, n]`; returns a `TimeContext`, with
    intervals as `ops.personal_intervals` makes them (Li et al. 2020, sections 3.2 and 3.4).

    Parameters
    ----------
    hidden_dim
        d.
    max_interval
        k, to which intervals are clipped.
    """

    def __init__(self, hidden_dim: int, max_interval: int, **kwargs: Any) -> None:
        # Seconds of today do not fit into float32, to which Keras would cast them.
        super().__init__(**{**kwargs, "autocast": False})
        require(max_interval >= 1, "max_interval", max_interval, "be at least 1")
        self.hidden_dim = hidden_dim
        self.max_interval = max_interval

    def build(self, input_shape: Any) -> None:
        if input_shape[1] is None:
            raise ValueError(
                "`item_ids` must be of a fixed length, since positions have vectors of their own; "
                f"give `keras.Input` a length. Received: ids of shape {tuple(input_shape)}"
            )
        sizes = {"interval": self.max_interval + 1, "position": input_shape[1]}
        self.tables = [
            self.add_weight(
                name=f"{what}_{role}",
                shape=(size, self.hidden_dim),
                initializer="uniform",
                trainable=True,
            )
            for what, size in sizes.items()
            for role in ("keys", "values")
        ]
        self.built = True

    def call(self, item_ids: tf.Tensor, times: tf.Tensor) -> TimeContext:
        batch = tf.shape(item_ids)[0]
        tables = [
            tf.broadcast_to(tf.convert_to_tensor(table)[tf.newaxis], [batch, *table.shape])
            for table in self.tables
        ]
        return TimeContext(personal_intervals(times, item_ids > 0, self.max_interval), *tables)

    def get_config(self) -> dict[str, Any]:
        config = {
            **super().get_config(),
            "hidden_dim": self.hidden_dim,
            "max_interval": self.max_interval,
        }
        config.pop("autocast", None)
        return config


@register
class TimeAwareAttention(DenoisingMultiHeadAttention):
    """Attention with keys and values of intervals and positions (Li et al. 2020, Eq. 6 to 8).

    With q, k and v the projected queries, keys and values, r_ij the interval between items i and
    j, R the vectors of intervals and P those of positions:

        e_ij = q_i · (k_j + R^K[r_ij] + P^K_j) / sqrt(key_dim),   A = softmax(e)
        z_i = sum over j of A_ij Z_ij (v_j + R^V[r_ij] + P^V_j)

    Each head takes its part of R and P. Gates Z, masks, dropout and the last projection are those
    of `DenoisingMultiHeadAttention`. Called with `context`, a `TimeContext`; `key_dim` times
    `num_heads` must be its width.

    No `[B, n, n, d]` is made: q is multiplied with each of the k + 1 interval vectors once, and
    weights are summed by interval before they multiply the values.
    """

    def attend(
        self, query: tf.Tensor, key: tf.Tensor, value: tf.Tensor, mask: Any, gates: Any, **call: Any
    ) -> tuple[tf.Tensor, tf.Tensor]:
        context = TimeContext(*call["context"])
        key += self._heads(context.position_keys, key)
        value += self._heads(context.position_values, value)
        return super().attend(query, key, value, mask, gates, **{**call, "context": context})

    def attend_newest(
        self, x: tf.Tensor, mask: Any, gates: Any, **call: Any
    ) -> tuple[tf.Tensor, tf.Tensor]:
        context = TimeContext(*call["context"])
        call["context"] = context._replace(intervals=context.intervals[:, -1:])
        # Keys and values are not those of `x` alone.
        return GatedAttention.attend_newest(self, x, mask, gates, **call)

    def score(self, query: tf.Tensor, key: tf.Tensor, context: Any) -> tf.Tensor:
        by_interval = super().score(query, self._heads(context.interval_keys, key), context)
        intervals = self._of_heads(context.intervals)
        of_pairs = tf.gather(by_interval, intervals, axis=3, batch_dims=3)
        return super().score(query, key, context) + of_pairs

    def mix(self, weights: tf.Tensor, value: tf.Tensor, context: Any) -> tf.Tensor:
        vectors = self._heads(context.interval_values, value)
        totals = _totals(weights, self._of_heads(context.intervals), tf.shape(vectors)[2])
        return super().mix(weights, value, context) + tf.matmul(totals, vectors)

    def _heads(self, vectors: tf.Tensor, like: tf.Tensor) -> tf.Tensor:
        """`[B, m, d]` to `[B, H, m, k]`, of the type of `like`."""
        shape = [*tf.unstack(tf.shape(vectors)[:2]), self.num_heads, like.shape[-1]]
        return tf.cast(tf.transpose(tf.reshape(vectors, shape), [0, 2, 1, 3]), like.dtype)

    def _of_heads(self, intervals: tf.Tensor) -> tf.Tensor:
        return tf.repeat(intervals[:, tf.newaxis], self.num_heads, axis=1)


def _totals(weights: tf.Tensor, intervals: tf.Tensor, count: tf.Tensor) -> tf.Tensor:
    """The sum of the weights `[..., m]` of each interval: `[..., count]`."""
    shape = tf.shape(weights)
    rows = tf.reduce_prod(shape[:-1])
    first = tf.reshape(count * tf.range(rows), tf.concat([shape[:-1], [1]], axis=0))
    totals = tf.math.unsorted_segment_sum(weights, intervals + first, rows * count)
    return tf.reshape(totals, tf.concat([shape[:-1], [count]], axis=0))


@register
class TimeAwareBlock(TransformerBlock):
    """A `TransformerBlock` with `TimeAwareAttention`, called with `context`, a `TimeContext`."""

    def make_attention(self, **options: Any) -> TimeAwareAttention:
        return TimeAwareAttention(**options, attention=self.attention_kind)
