"""Multi-head attention with gates on its edges."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import tensorflow as tf

from tf_recdenoiser._keras import build_named, register
from tf_recdenoiser.layers.attention_kinds import AttentionKind, get_attention, serialize_attention
from tf_recdenoiser.layers.gated_attention import GatedAttention
from tf_recdenoiser.layers.normalizers import NORMALIZERS
from tf_recdenoiser.layers.sample import current_evaluation
from tf_recdenoiser.ops.gated_attention import (
    attention_weights,
    gated_attention,
    mixed,
    scaled_products,
)


@register
class DenoisingMultiHeadAttention(GatedAttention):
    """`keras.layers.MultiHeadAttention` whose edges can be pruned (Eq. 5 of the paper).

    A = softmax(Q K^T / sqrt(key_dim) + bias), M = A * Z, output M V W_O, where `bias` hides
    padding and, with a causal mask, the future. The gates Z multiply after the softmax and the
    rows are not renormalised, unless asked to be. Dropout is on the weights M.

    Other kinds of `attention` put another normalisation in the softmax's place, or leave out
    edges before it by a static pattern; gates act on the weights in the same way.

    Parameters
    ----------
    num_heads, key_dim, value_dim
        H and the widths of a head; see `GatedAttention`.
    attention
        A name from `ATTENTIONS` except `"linear"`, `"softmax"` by default, or an `AttentionKind`.
    kwargs
        See `GatedAttention`, as well as for the call arguments.

    Examples
    --------
    >>> attention = DenoisingMultiHeadAttention(num_heads=2, key_dim=4)
    >>> x = tf.random.normal([3, 5, 8])
    >>> output, weights = attention(x, x, use_causal_mask=True, return_attention_scores=True)
    >>> tuple(output.shape), tuple(weights.shape)
    ((3, 5, 8), (3, 2, 5, 5))
    """

    def __init__(
        self,
        num_heads: int,
        key_dim: int,
        value_dim: int | None = None,
        *,
        attention: str | dict[str, Any] | AttentionKind = "softmax",
        **kwargs: Any,
    ) -> None:
        super().__init__(num_heads, key_dim, value_dim, **kwargs)
        self.kind = get_attention(attention)
        if self.kind.is_linear:
            raise ValueError(
                "`attention` must not be linear, which is a layer of its own: use "
                f"`DenoisingLinearAttention`. Received: attention={attention!r}"
            )
        self.normalizer: Any = NORMALIZERS[self.kind.normalizer]()

    def build(self, query_shape: Any, value_shape: Any = None, key_shape: Any = None) -> None:
        if hasattr(self.normalizer, "build"):
            build_named(self.normalizer, (None, self.num_heads, None, None))
        super().build(query_shape, value_shape, key_shape)

    def edges(self, queries: int | None, keys: int | None) -> np.ndarray | None:
        return self.kind.edges(queries, keys)

    def attend(
        self, query: tf.Tensor, key: tf.Tensor, value: tf.Tensor, mask: Any, gates: Any, **call: Any
    ) -> tuple[tf.Tensor, tf.Tensor]:
        context = call["context"]
        shape = tf.concat([tf.shape(query)[:-1], tf.shape(key)[-2:-1]], axis=0)
        noise = self.attention_dropout.noise(shape, call["training"])

        def before_gates() -> tuple[tf.Tensor, tf.Tensor]:
            weights = attention_weights(
                query,
                key,
                mask,
                self.normalizer,
                key_weights=call["key_weights"],
                score=lambda query, key: self.score(query, key, context),
            )
            return weights, value

        evaluation = current_evaluation()
        if evaluation is None:
            weights, value = before_gates()
        else:
            weights, value = evaluation.before_gates(self, before_gates, tf.shape(query)[0])
        return mixed(
            weights,
            value,
            mask,
            gates,
            renormalize=self.renormalize,
            noise=noise,
            mix=lambda weights, value: self.mix(weights, value, context),
        )

    def attend_newest(
        self, x: tf.Tensor, mask: Any, gates: Any, **call: Any
    ) -> tuple[tf.Tensor, tf.Tensor]:
        # With one query it is cheaper to take it through the keys' projection, and the mixture
        # through the values', than all keys and values. What a key's bias adds to all scores of a
        # row alike changes no weight.
        dtype, num_heads, width = x.dtype, self.num_heads, x.shape[-1]
        query_kernel, key_kernel, value_kernel, output_kernel = (
            tf.cast(tf.convert_to_tensor(layer.kernel), dtype) for layer in self._projections
        )
        # Scores are to be divided by sqrt(d), and not by sqrt(key_dim), as these are.
        key_kernel *= math.sqrt(width / self.key_dim)
        kernel = tf.einsum("dhk,ehk->dhe", query_kernel, key_kernel)
        query = tf.matmul(x[:, -1], tf.reshape(kernel, [width, num_heads * width]))
        if self.use_bias:
            bias = tf.einsum("hk,ehk->he", _bias_of(self.query_dense, dtype), key_kernel)
            query = tf.nn.bias_add(query, tf.reshape(bias, [num_heads * width]))
        mixed, weights = gated_attention(
            tf.reshape(query, [-1, num_heads, width]),
            x,
            x,
            mask,
            gates,
            self.normalizer,
            key_weights=call["key_weights"],
            renormalize=self.renormalize,
            score=lambda query, key: scaled_products(query, key)[:, :, tf.newaxis],
            mix=lambda weights, value: tf.matmul(weights[:, :, 0], value),
        )
        kernel = tf.einsum("dhk,hke->hde", value_kernel, output_kernel)
        kernel = tf.reshape(kernel, [num_heads * width, kernel.shape[-1]])
        outputs = tf.matmul(tf.reshape(mixed, [-1, num_heads * width]), kernel)
        if self.use_bias:
            # A value's bias counts as much as the weights of a row.
            bias = tf.einsum("hk,hke->he", _bias_of(self.value_dense, dtype), output_kernel)
            outputs += tf.matmul(tf.reduce_sum(weights, axis=-1)[:, :, 0], bias)
            outputs = tf.nn.bias_add(outputs, _bias_of(self.output_dense, dtype))
        return outputs[:, tf.newaxis], weights

    def score(self, query: tf.Tensor, key: tf.Tensor, context: Any) -> tf.Tensor:
        """The scores `[B, H, n, m]` of queries and keys, yet to be divided by sqrt(key_dim)."""
        return scaled_products(query, key)

    def mix(self, weights: tf.Tensor, value: tf.Tensor, context: Any) -> tf.Tensor:
        """What the weights `[B, H, n, m]` make of the values `[B, H, m, v]`: `[B, H, n, v]`."""
        return tf.matmul(weights, value)

    @property
    def _projections(self) -> tuple[Any, ...]:
        return self.query_dense, self.key_dense, self.value_dense, self.output_dense

    def get_config(self) -> dict[str, Any]:
        return {**super().get_config(), "attention": serialize_attention(self.kind)}


def _bias_of(projection: Any, dtype: tf.DType) -> tf.Tensor:
    return tf.cast(tf.convert_to_tensor(projection.bias), dtype)
