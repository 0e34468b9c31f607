"""Multi-head attention with gates on its edges."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import tensorflow as tf

from tf_recdenoiser._keras import implicit_mask, keras, policy_of, register
from tf_recdenoiser.layers.attention_kinds import (
    AttentionKind,
    get_attention,
    serialize_attention,
)
from tf_recdenoiser.layers.dropout import Dropout
from tf_recdenoiser.layers.gates import DroppingGates, Gates, get_gates
from tf_recdenoiser.layers.normalizers import NORMALIZERS
from tf_recdenoiser.layers.records import AttentionRecord
from tf_recdenoiser.layers.sample import current_evaluation
from tf_recdenoiser.ops import linear_attention, linear_weights, positive_features


@register
class DenoisingMultiHeadAttention(keras.layers.Layer):
    """`keras.layers.MultiHeadAttention` whose edges can be pruned (Eq. 5 of the paper).

    A = softmax(Q K^T / sqrt(key_dim) + bias), M = A * Z, output M V W_O, where `bias` hides
    padding and, with a causal mask, the future. The gates Z multiply after the softmax and
    the rows are not renormalised, unless asked to be. In a plain Keras model the gates train
    by straight-through; under `DenoisingModel` by the estimator chosen there. With
    `training=False` they are deterministic.

    A padded key is hidden from every query, by the mask that `value` and `key` carry. Without
    gates the weights have the shapes and the order of those of Keras' own layer.

    Other kinds of `attention` put another normalisation in the softmax's place, or leave out
    edges before it by a static pattern; gates act on the weights in the same way. In linear
    attention, which never forms the weights of pairs,

        output_u = sum_v (phi(q_u) · phi(k_v)) Z_uv x_v / sum_v phi(q_u) · phi(k_v)

    has a sum over v that does not depend on u only if Z_uv does not: gates that are one for each
    key or for the whole matrix survive, gates of pairs do not and are refused. Dropout is then on
    the values.

    Parameters
    ----------
    num_heads
        H.
    key_dim
        Width of each head's queries and keys.
    value_dim
        Width of each head's values; `key_dim` by default.
    dropout
        Share of attention weights to drop while training; 0 by default.
    use_bias
        Whether the four projections have biases; True by default.
    output_shape
        Width of the output; the query's by default.
    kernel_initializer, bias_initializer
        Of the projections; as in Keras.
    kernel_regularizer, bias_regularizer
        Of the projections; none by default.
    gates
        A name from `GATES` or `DROPPING`, `"positional"` by default, a gate layer (a copy is
        used) or None for none.
    renormalize
        Whether gated rows are divided by their sum; False, the paper's, by default.
    attention
        A name from `ATTENTIONS`, `"softmax"` by default, or an `AttentionKind`.

    Call arguments
    --------------
    query, value, key
        `[B, n, d]`, `[B, m, d']`, `[B, m, d']`; key is value by default.
    attention_mask
        Boolean `[B, n, m]` or `[n, m]`: True where attention is allowed. Gates on edges that it
        allows in no sequence of a batch have no price and do not train. None if linear.
    use_causal_mask
        Whether position u sees only positions up to u.
    key_weights
        w, `[B, m]`, not negative: attention as if each key stood there so many times, with the
        weights w_v A_uv / sum_v w_v A_uv before the gates. None (default): once each.
    gates
        Z that a gate layer outside made, as `Gates` returns it, for a layer with none of its own;
        None (default): its own, if it has any.
    return_attention_scores
        Whether to return the gated weights `[B, H, n, m]` too.
    context
        What a subclass's `scores` and `mixed` read beside; None here.

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
        dropout: float = 0.0,
        use_bias: bool = True,
        output_shape: int | None = None,
        kernel_initializer: Any = "glorot_uniform",
        bias_initializer: Any = "zeros",
        kernel_regularizer: Any = None,
        bias_regularizer: Any = None,
        gates: str | dict[str, Any] | Gates | DroppingGates | None = "positional",
        renormalize: bool = False,
        attention: str | dict[str, Any] | AttentionKind = "softmax",
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        for name, value in {"num_heads": num_heads, "key_dim": key_dim}.items():
            if value < 1:
                raise ValueError(f"`{name}` must be at least 1. Received: {name}={value}")
        self.supports_masking = True
        self.num_heads = num_heads
        self.key_dim = key_dim
        self.value_dim = value_dim or key_dim
        self.dropout = dropout
        self.use_bias = use_bias
        self.output_dim = output_shape
        self.kernel_initializer = keras.initializers.get(kernel_initializer)
        self.bias_initializer = keras.initializers.get(bias_initializer)
        self.kernel_regularizer = keras.regularizers.get(kernel_regularizer)
        self.bias_regularizer = keras.regularizers.get(bias_regularizer)
        self.renormalize = renormalize
        self.query_dense = self._into_heads("query", key_dim)
        self.key_dense = self._into_heads("key", key_dim)
        self.value_dense = self._into_heads("value", self.value_dim)
        self.output_dense: Any = None  # its width is known once the layer is built
        self.gates: Any = get_gates(gates)
        self.kind = get_attention(attention)
        self.normalizer: Any = None if self.kind.is_linear else NORMALIZERS[self.kind.normalizer]()
        self.kind.check_gates(self.gates)
        self.attention_dropout = Dropout(dropout, dtype=policy_of(self))

    def _projection(self, kind: Any, name: str, equation: str, shape: Any, bias_axes: str) -> Any:
        dense = kind(
            equation,
            output_shape=shape,
            bias_axes=bias_axes if self.use_bias else None,
            # Copies, since one initializer with a seed must not fill all four alike.
            kernel_initializer=_copy(self.kernel_initializer),
            bias_initializer=_copy(self.bias_initializer),
            kernel_regularizer=self.kernel_regularizer,
            bias_regularizer=self.bias_regularizer,
            dtype=policy_of(self),
            name=name,
        )
        # Masks are dealt with here; without this Keras 3 warns that the projection drops them.
        dense.supports_masking = True
        return dense

    def _into_heads(self, name: str, hidden_dim: int) -> Any:
        shape = (None, self.num_heads, hidden_dim)
        return self._projection(_IntoHeads, name, "bnd,dhk->bnhk", shape, "hk")

    def build(self, query_shape: Any, value_shape: Any = None, key_shape: Any = None) -> None:
        hidden_dim = self.output_dim or query_shape[-1]
        self.output_dense = self._projection(
            _OutOfHeads, "attention_output", "bnhk,hkd->bnd", (None, hidden_dim), "d"
        )
        self.query_dense.build(query_shape)
        self.output_dense.build((*query_shape[:-1], self.num_heads, self.value_dim))
        if isinstance(self.normalizer, keras.layers.Layer):
            self.normalizer.build((None, self.num_heads, None, None))
        if value_shape is not None:
            # tf_keras names the query's shape alone; the rest is then built on the first call.
            key_shape = key_shape or value_shape
            self.key_dense.build(key_shape)
            self.value_dense.build(value_shape)
            if isinstance(self.gates, Gates):
                self.gates.build(query_shape, key_shape)
        self.built = True

    def call(
        self,
        query: tf.Tensor,
        value: tf.Tensor,
        key: tf.Tensor | None = None,
        query_mask: tf.Tensor | None = None,
        value_mask: tf.Tensor | None = None,
        key_mask: tf.Tensor | None = None,
        attention_mask: tf.Tensor | None = None,
        return_attention_scores: bool = False,
        training: bool | None = None,
        use_causal_mask: bool = False,
        context: Any = None,
        key_weights: tf.Tensor | None = None,
        gates: tf.Tensor | None = None,
    ) -> tf.Tensor | tuple[tf.Tensor, tf.Tensor]:
        key = value if key is None else key
        if gates is not None and self.gates is not None:
            raise ValueError(
                "`gates` must be None in a call of a layer with gates of its own; make it with "
                f"`gates=None`. Received: a tensor of shape {gates.shape}"
            )
        if self.kind.is_linear:
            _require_no_pairs(query, key, attention_mask, use_causal_mask, gates)
        _check_rank(attention_mask)
        edges = self.kind.edges(query.shape[1], key.shape[1])
        visible, live = self._masks(
            (query, value, key),
            (query_mask, value_mask, key_mask),
            attention_mask,
            # Linear attention has the future left out of its sums, and only keys are hidden.
            use_causal_mask and not self.kind.is_linear,
            edges,
        )
        visible = None if visible is None else visible[:, tf.newaxis]
        reachable = _in_any_sequence(edges, attention_mask)
        if gates is None:
            gates = self._draw_gates(query, key, live, reachable, use_causal_mask, training)
        projected = self.query_dense(query), self.key_dense(key), self.value_dense(value)
        if self.kind.is_linear:
            mixed, weights = self._linear(
                *projected, visible, gates, key_weights, use_causal_mask, training
            )
        else:
            mixed, weights = self._pairwise(
                *projected, visible, gates, key_weights, context, training
            )
        evaluation = current_evaluation()
        if evaluation is not None and not training:
            learned = None if isinstance(self.gates, DroppingGates) else gates
            evaluation.recorder.attention.append(AttentionRecord(learned, weights))
        outputs = self.output_dense(mixed)
        return (outputs, weights) if return_attention_scores else outputs

    def scores(self, queries: tf.Tensor, keys: tf.Tensor, context: Any) -> tf.Tensor:
        """What weights are made of, `[B, H, n, m]`.

        Parameters
        ----------
        queries, keys
            `[B, H, n, k]`, divided by sqrt(key_dim), and `[B, H, m, k]`.
        context
            As the layer was called with.
        """
        return tf.matmul(queries, keys, transpose_b=True)

    def mixed(self, weights: tf.Tensor, values: tf.Tensor, context: Any) -> tf.Tensor:
        """What the weights `[B, H, n, m]` make of the values `[B, H, m, k]`: `[B, H, n, k]`."""
        return tf.matmul(weights, values)

    def _pairwise(
        self,
        queries: tf.Tensor,
        keys: tf.Tensor,
        values: tf.Tensor,
        visible: tf.Tensor | None,
        gates: tf.Tensor | None,
        key_weights: tf.Tensor | None,
        context: Any,
        training: bool | None,
    ) -> tuple[tf.Tensor, tf.Tensor]:
        """The mixed values `[B, H, n, k]` and the gated weights `[B, H, n, m]`."""
        queries = queries * (1.0 / math.sqrt(self.key_dim))
        scores = self.scores(queries, keys, context)
        weights = self.normalizer(scores, visible)
        if key_weights is not None:
            weights *= tf.cast(key_weights, weights.dtype)[:, tf.newaxis, tf.newaxis]
            weights = _normalized(weights)
        weights = self._gated(weights, gates)
        dropped = self.attention_dropout(weights, training=training)
        return self.mixed(dropped, values, context), weights

    def _linear(
        self,
        queries: tf.Tensor,
        keys: tf.Tensor,
        values: tf.Tensor,
        visible: tf.Tensor | None,
        gates: tf.Tensor | None,
        key_weights: tf.Tensor | None,
        causal: bool,
        training: bool | None,
    ) -> tuple[tf.Tensor, tf.Tensor]:
        """The same; in a graph the weights cost nothing where nobody asks for them."""
        dtype = values.dtype
        values = self.attention_dropout(values, training=training)
        queries, keys = positive_features(queries), positive_features(keys)
        if visible is not None:
            keys *= tf.cast(tf.linalg.matrix_transpose(visible), keys.dtype)
        if key_weights is not None:
            keys *= tf.cast(key_weights, keys.dtype)[:, tf.newaxis, :, tf.newaxis]
        weights = self._gated(tf.cast(linear_weights(queries, keys, causal), dtype), gates)
        if gates is not None:
            of_keys = tf.linalg.matrix_transpose(gates)
            if self.renormalize:
                keys *= of_keys
            else:
                values *= tf.cast(of_keys, dtype)
        return linear_attention(queries, keys, values, causal), weights

    def _draw_gates(
        self,
        query: tf.Tensor,
        key: tf.Tensor,
        live: tf.Tensor | None,
        edges: tf.Tensor | None,
        use_causal_mask: bool,
        training: bool | None,
    ) -> tf.Tensor | None:
        if self.gates is None:
            return None
        if isinstance(self.gates, DroppingGates):
            return self.gates(query, num_heads=self.num_heads, training=training)
        if not self.gates.built:
            with tf.init_scope():  # tf_keras would build them from the query's shape alone.
                self.gates.build(query.shape, key.shape)
        return self.gates(
            query,
            key,
            live=live,
            edges=edges,
            use_causal_mask=use_causal_mask,
            training=training,
        )

    def _gated(self, weights: tf.Tensor, gates: tf.Tensor | None) -> tf.Tensor:
        if gates is None:
            return weights
        weights *= tf.cast(gates, weights.dtype)
        return _normalized(weights) if self.renormalize else weights

    def _masks(
        self,
        tensors: tuple[tf.Tensor, tf.Tensor, tf.Tensor],
        masks: tuple[tf.Tensor | None, tf.Tensor | None, tf.Tensor | None],
        attention_mask: tf.Tensor | None,
        use_causal_mask: bool,
        edges: np.ndarray | None,
    ) -> tuple[tf.Tensor | None, tf.Tensor | None]:
        """What attention may see, `[B or 1, n, m]`, and which edges join two items."""
        query_mask, value_mask, key_mask = (
            mask if mask is not None else implicit_mask(tensor)
            for tensor, mask in zip(tensors, masks, strict=True)
        )
        keys = [m[:, tf.newaxis, :] for m in (value_mask, key_mask) if m is not None]
        if key_mask is value_mask:
            keys = keys[:1]
        if attention_mask is not None:
            mask = tf.cast(attention_mask, tf.bool)
            keys.append(mask if mask.shape.rank == 3 else mask[tf.newaxis])
        queries = [] if query_mask is None else [query_mask[:, :, tf.newaxis]]
        live = _every(keys + queries)
        if edges is not None:
            keys = [*keys, tf.constant(edges)[tf.newaxis]]
        if use_causal_mask:
            ones = tf.ones([1, tf.shape(tensors[0])[1], tf.shape(tensors[2])[1]], tf.bool)
            keys = [*keys, tf.linalg.band_part(ones, -1, 0)]
        return _every(keys), live

    def compute_mask(self, query: Any, value: Any = None, **masks: Any) -> Any:
        if isinstance(value, (list, tuple)) and not hasattr(value, "shape"):
            return value[0] if value else None
        query_mask = masks.get("query_mask")
        return implicit_mask(query) if query_mask is None else query_mask

    def compute_output_shape(self, query_shape: Any, *_: Any, **__: Any) -> Any:
        return (*query_shape[:-1], self.output_dim or query_shape[-1])

    def compute_output_spec(
        self,
        query: Any,
        value: Any,
        *_: Any,
        return_attention_scores: bool = False,
        **__: Any,
    ) -> Any:
        # Of Keras 3, whose own knows from `compute_output_shape` of one output alone.
        shape = self.compute_output_shape(query.shape)
        outputs = keras.KerasTensor(shape, dtype=self.compute_dtype)
        if not return_attention_scores:
            return outputs
        shape = (query.shape[0], self.num_heads, query.shape[1], value.shape[1])
        return outputs, keras.KerasTensor(shape, dtype=self.compute_dtype)

    def get_config(self) -> dict[str, Any]:
        return {
            **super().get_config(),
            "num_heads": self.num_heads,
            "key_dim": self.key_dim,
            "value_dim": self.value_dim,
            "dropout": self.dropout,
            "use_bias": self.use_bias,
            "output_shape": self.output_dim,
            "kernel_initializer": keras.initializers.serialize(self.kernel_initializer),
            "bias_initializer": keras.initializers.serialize(self.bias_initializer),
            "kernel_regularizer": keras.regularizers.serialize(self.kernel_regularizer),
            "bias_regularizer": keras.regularizers.serialize(self.bias_regularizer),
            "gates": None if self.gates is None else keras.layers.serialize(self.gates),
            "renormalize": self.renormalize,
            "attention": serialize_attention(self.kind),
        }


class _IntoHeads(keras.layers.EinsumDense):
    """`[B, n, d]` to `[B, H, n, k]`: Keras' weights, but one plain matrix product.

    Einsums made the Jacobian penalty, which takes their second derivative, dearer in relation
    to a plain step (`benchmarks/RESULTS.md`).
    """

    def call(self, inputs: tf.Tensor, training: bool | None = None) -> tf.Tensor:
        hidden_dim, num_heads, size = self.kernel.shape
        flat = tf.matmul(
            tf.reshape(inputs, [-1, hidden_dim]),
            tf.reshape(self.kernel, [hidden_dim, num_heads * size]),
        )
        if self.bias is not None:
            flat += tf.reshape(self.bias, [num_heads * size])
        batch, length = tf.shape(inputs)[0], tf.shape(inputs)[1]
        return tf.transpose(tf.reshape(flat, [batch, length, num_heads, size]), [0, 2, 1, 3])


class _OutOfHeads(keras.layers.EinsumDense):
    """`[B, H, n, k]` to `[B, n, d]`, in the same manner."""

    def call(self, inputs: tf.Tensor, training: bool | None = None) -> tf.Tensor:
        num_heads, size, hidden_dim = self.kernel.shape
        flat = tf.matmul(
            tf.reshape(tf.transpose(inputs, [0, 2, 1, 3]), [-1, num_heads * size]),
            tf.reshape(self.kernel, [num_heads * size, hidden_dim]),
        )
        if self.bias is not None:
            flat += self.bias
        return tf.reshape(flat, [tf.shape(inputs)[0], tf.shape(inputs)[2], hidden_dim])


def _normalized(weights: tf.Tensor) -> tf.Tensor:
    """Rows that sum to 1, or to 0 where all is 0."""
    return tf.math.divide_no_nan(weights, tf.reduce_sum(weights, axis=-1, keepdims=True))


def _copy(initializer: Any) -> Any:
    return type(initializer).from_config(initializer.get_config())


def _require_no_pairs(
    query: tf.Tensor,
    key: tf.Tensor,
    attention_mask: tf.Tensor | None,
    causal: bool,
    gates: tf.Tensor | None,
) -> None:
    """Refuse what linear attention, whose sums over keys are shared by queries, cannot do."""
    if attention_mask is not None:
        raise ValueError(
            "`attention_mask` must be None where attention is linear, which never forms the "
            f"weights of pairs. Received: a mask of shape {attention_mask.shape}"
        )
    if causal and query.shape[1] != key.shape[1]:
        raise ValueError(
            "`use_causal_mask` must be False where attention is linear and queries and keys are "
            f"not the same positions. Received: {query.shape[1]} queries, {key.shape[1]} keys"
        )
    if gates is not None and gates.shape[-2] != 1:
        raise ValueError(
            "`gates` must be None or the same for every query, `[…, 1, m]`, where attention is "
            f"linear. Received: a tensor of shape {gates.shape}"
        )


def _check_rank(attention_mask: tf.Tensor | None) -> None:
    if attention_mask is not None and len(attention_mask.shape) not in (2, 3):
        raise ValueError(
            "`attention_mask` must be `[n, m]` or `[B, n, m]`, the same for all heads. "
            f"Received: a mask of shape {attention_mask.shape}"
        )


def _in_any_sequence(
    edges: np.ndarray | None, attention_mask: tf.Tensor | None
) -> tf.Tensor | None:
    """Boolean `[n or 1, m]`: the edges that attention has in one sequence at least."""
    masks = [] if edges is None else [tf.constant(edges)]
    if attention_mask is not None:
        mask = tf.cast(attention_mask, tf.bool)
        masks.append(mask if mask.shape.rank == 2 else tf.reduce_any(mask, axis=0))
    return _every(masks)


def _every(masks: list[tf.Tensor]) -> tf.Tensor | None:
    if not masks:
        return None
    result = masks[0]
    for mask in masks[1:]:
        result = tf.logical_and(result, mask)
    return result
