"""Multi-head attention with gates on its edges."""

from __future__ import annotations

from typing import Any

import numpy as np
import tensorflow as tf

from tf_recdenoiser._keras import build_named, register
from tf_recdenoiser.layers.attention_kinds import AttentionKind, get_attention, serialize_attention
from tf_recdenoiser.layers.gated_attention import GatedAttention
from tf_recdenoiser.layers.normalizers import NORMALIZERS
from tf_recdenoiser.layers.sample import current_evaluation
from tf_recdenoiser.ops.gated_attention import attention_weights, mixed, scaled_products


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

    def score(self, query: tf.Tensor, key: tf.Tensor, context: Any) -> tf.Tensor:
        """The scores `[B, H, n, m]` of queries and keys, yet to be divided by sqrt(key_dim)."""
        return scaled_products(query, key)

    def mix(self, weights: tf.Tensor, value: tf.Tensor, context: Any) -> tf.Tensor:
        """What the weights `[B, H, n, m]` make of the values `[B, H, m, v]`: `[B, H, n, v]`."""
        return tf.matmul(weights, value)

    def get_config(self) -> dict[str, Any]:
        return {**super().get_config(), "attention": serialize_attention(self.kind)}
