"""What kinds of multi-head attention with gates share."""

from __future__ import annotations

import contextlib
import inspect
from typing import Any, ClassVar

import numpy as np
import tensorflow as tf

from tf_recdenoiser._keras import (
    IS_KERAS_3,
    build_named,
    implicit_mask,
    keras,
    make_seeds,
    next_seed,
    policy_of,
)
from tf_recdenoiser.layers.dropout import Dropout
from tf_recdenoiser.layers.gates import DroppingGates, Gates, get_gates
from tf_recdenoiser.layers.place import length_of
from tf_recdenoiser.layers.projections import IntoHeads, OutOfHeads, into_heads
from tf_recdenoiser.layers.records import AttentionRecord
from tf_recdenoiser.layers.sample import Evaluation, current_evaluation
from tf_recdenoiser.ops.checks import require


class GatedAttention(keras.layers.Layer):
    """Base of the attention layers: projections, masks and gates; a subclass says how to attend.

    Its arguments are those of `keras.layers.MultiHeadAttention`, and so are the shapes and the
    order of its weights if it has no gates. A padded key is hidden from every query, by the mask
    that `value` and `key` carry. In a plain Keras model the gates train by straight-through and by
    the optimizer of the weights, under `DenoisingModel` by the estimator and the optimizer chosen
    there; `Gates` says what that changes. With `training=False` they are deterministic.

    Parameters
    ----------
    num_heads
        H.
    key_dim
        Width of each head's queries and keys.
    value_dim
        Width of each head's values; `key_dim` by default.
    dropout
        Rate, while training; 0 by default.
    use_bias
        Whether the four projections have biases; True by default.
    output_shape
        Width of the output; the query's by default.
    kernel_initializer, bias_initializer
        Of the projections; as in Keras.
    kernel_regularizer, bias_regularizer, activity_regularizer
        Of the projections; none by default.
    kernel_constraint, bias_constraint
        Of the projections; none by default.
    gates
        A name from `GATES` or `DROPPING`, `"positional"` by default, a gate layer (a copy is
        used) or None for none.
    renormalize
        Whether gated rows are divided by their sum; False, the paper's, by default.
    seed
        Of gates and dropout while training in a plain Keras model: they are then a function of it
        and of the number of calls. None (default): drawn from TensorFlow's global generator. In a
        `DenoisingModel` the `seed` of `compile` decides on them.
    attention_axes
        As in Keras; None (default) or 1, the axis of positions of `[B, n, d]`.
    flash_attention
        As in Keras; None (default) or False: gates multiply weights that it never works out.

    Call arguments
    --------------
    query, value, key
        `[B, n, d]`, `[B, m, d']`, `[B, m, d']`; key is value by default.
    query_mask, value_mask, key_mask
        Boolean `[B, n]`, `[B, m]`, `[B, m]`, False at padding; those that the tensors carry by
        default.
    attention_mask
        Boolean `[B, n, m]` or `[n, m]`: True where attention is allowed. Gates on edges that it
        allows in no sequence of a batch have no penalty and do not train.
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
        What a subclass's `attend` uses beside; None by default.
    """

    masks_the_future: ClassVar[bool] = True
    """Whether a causal mask is part of the mask that `attend` is called with."""

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
        activity_regularizer: Any = None,
        kernel_constraint: Any = None,
        bias_constraint: Any = None,
        seed: int | None = None,
        attention_axes: Any = None,
        flash_attention: bool | None = None,
        **kwargs: Any,
    ) -> None:
        _refuse_what_gates_cannot(attention_axes, flash_attention, kwargs)
        super().__init__(**kwargs)
        for name, value in {"num_heads": num_heads, "key_dim": key_dim}.items():
            require(value >= 1, name, value, "be at least 1")
        self.supports_masking = True
        self.num_heads = num_heads
        self.key_dim = key_dim
        self.value_dim = value_dim or key_dim
        self.dropout = dropout
        self.use_bias = use_bias
        self.output_dim = _width(output_shape)
        self.kernel_initializer = keras.initializers.get(kernel_initializer)
        self.bias_initializer = keras.initializers.get(bias_initializer)
        self.kernel_regularizer = keras.regularizers.get(kernel_regularizer)
        self.bias_regularizer = keras.regularizers.get(bias_regularizer)
        self.activity_regularizer_of_parts = keras.regularizers.get(activity_regularizer)
        if not IS_KERAS_3:
            # There Keras' own attention counts its output once more, as any layer's.
            self._activity_regularizer = self.activity_regularizer_of_parts
        self.kernel_constraint = keras.constraints.get(kernel_constraint)
        self.bias_constraint = keras.constraints.get(bias_constraint)
        self.seed = seed
        self.renormalize = renormalize
        self.query_dense = self._into_heads("query", key_dim)
        self.key_dense = self._into_heads("key", key_dim)
        self.value_dense = self._into_heads("value", self.value_dim)
        self.output_dense: Any = None  # its width is known once the layer is built
        self.gates: Any = get_gates(gates)
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
            activity_regularizer=self.activity_regularizer_of_parts,
            kernel_constraint=self.kernel_constraint,
            bias_constraint=self.bias_constraint,
            dtype=policy_of(self),
            name=name,
        )
        # Masks are dealt with here; without this Keras 3 warns that the projection drops them.
        dense.supports_masking = True
        return dense

    def _into_heads(self, name: str, hidden_dim: int) -> Any:
        shape = (None, self.num_heads, hidden_dim)
        return self._projection(IntoHeads, name, "bnd,dhk->bnhk", shape, "hk")

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        if not self.built and not IS_KERAS_3:
            # tf_keras would call `build` with the shape of the query alone.
            given = inspect.signature(self.call).bind(*args, **kwargs).arguments
            tensors = [given.get(name) for name in ("query", "value", "key")]
            with tf.init_scope():
                build_named(self, *(tensor.shape for tensor in tensors if tensor is not None))
        return super().__call__(*args, **kwargs)

    def build(self, query_shape: Any, value_shape: Any = None, key_shape: Any = None) -> None:
        value_shape = value_shape or query_shape
        key_shape = key_shape or value_shape
        for name, of_tensor in {"query": query_shape, "value": value_shape}.items():
            rule = f"be [B, n, d]; reshape it to one axis of positions. Its shape: {of_tensor}"
            require(len(of_tensor) == 3, name, f"{len(of_tensor)} axes", rule)
        if self.seed is not None:
            make_seeds(self, self.seed)
        shape = (None, self.output_dim or query_shape[-1])
        self.output_dense = self._projection(
            OutOfHeads, "attention_output", "bnhk,hkd->bnd", shape, "d"
        )
        build_named(self.query_dense, query_shape)
        build_named(self.output_dense, (*query_shape[:-1], self.num_heads, self.value_dim))
        build_named(self.key_dense, key_shape)
        build_named(self.value_dense, value_shape)
        if isinstance(self.gates, Gates):
            build_named(self.gates, query_shape, key_shape)
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
        lengths = query.shape[1], key.shape[1]
        self.check_call(lengths, attention_mask, use_causal_mask, gates)
        edges = self.edges(*lengths)
        visible, live = self._masks(
            (query, value, key),
            (query_mask, value_mask, key_mask),
            attention_mask,
            use_causal_mask and self.masks_the_future,
            edges,
        )
        with self._seeded(training):
            if gates is None:
                reachable = _in_any_sequence(edges, attention_mask)
                gates = self._draw_gates(query, key, live, reachable, use_causal_mask, training)
            mixed, weights = self.attend(
                *self._projected(query, key, value),
                mask=None if visible is None else visible[:, tf.newaxis],
                gates=gates,
                key_weights=key_weights,
                use_causal_mask=use_causal_mask,
                context=context,
                training=training,
            )
        evaluation = current_evaluation()
        if evaluation is not None and gates is not None:
            evaluation.recorder.has_met_gates = True
        if not training:
            self._record(gates, weights)
        outputs = self.output_dense(mixed)
        return (outputs, weights) if return_attention_scores else outputs

    def newest(
        self,
        x: tf.Tensor,
        mask: tf.Tensor | None = None,
        use_causal_mask: bool = False,
        context: Any = None,
        key_weights: tf.Tensor | None = None,
        gates: tf.Tensor | None = None,
    ) -> tf.Tensor:
        """What self-attention in `x` `[B, n, d]` makes of its newest position: `[B, 1, d]`.

        The last row of what a call makes that does not train, in less time. Arguments are those of
        a call; `mask` is `query_mask` and `value_mask`.
        """
        length = x.shape[1]
        edges = self.edges(length, length)
        if gates is None:
            # Of all rows: gates know their places by them. What does not depend on `x` is folded
            # in a graph of constants.
            masks = None if mask is None else mask[:, :, tf.newaxis] & mask[:, tf.newaxis, :]
            reachable = _in_any_sequence(edges, None)
            gates = self._draw_gates(x, x, masks, reachable, use_causal_mask, training=False)
        visible = None if mask is None else mask[:, tf.newaxis, tf.newaxis]
        if edges is not None:
            row = tf.constant(edges[-1:])[tf.newaxis, tf.newaxis]
            visible = row if visible is None else visible & row
        mixed, weights = self.attend_newest(
            x,
            mask=visible,
            gates=None if gates is None else gates[..., -1:, :],
            key_weights=key_weights,
            use_causal_mask=False,
            context=context,
            training=False,
        )
        self._record(gates, weights)
        return mixed

    def _record(self, gates: tf.Tensor | None, weights: tf.Tensor) -> None:
        """Tell the evaluation under way, if any, what was done at inference."""
        evaluation = current_evaluation()
        if evaluation is not None:
            learned = None if isinstance(self.gates, DroppingGates) else gates
            evaluation.recorder.attention.append(AttentionRecord(learned, weights))

    def attend_newest(
        self, x: tf.Tensor, mask: Any, gates: Any, **call: Any
    ) -> tuple[tf.Tensor, tf.Tensor]:
        """The output `[B, 1, d]` at the newest position of `x` and its weights `[B, H, 1, n]`.

        Parameters
        ----------
        x
            `[B, n, d]`, not projected.
        mask, gates, call
            As `attend` takes them, with n = 1.
        """
        query, key, value = self.query_dense(x[:, -1:]), self.key_dense(x), self.value_dense(x)
        mixed, weights = self.attend(query, key, value, mask=mask, gates=gates, **call)
        return self.output_dense(mixed), weights

    def _projected(
        self, query: tf.Tensor, key: tf.Tensor, value: tf.Tensor
    ) -> tuple[tf.Tensor, tf.Tensor, tf.Tensor]:
        """Q `[B, H, n, k]`, K `[B, H, m, k]` and V `[B, H, m, v]`."""
        projections = self.query_dense, self.key_dense, self.value_dense
        together = query is key is value and self.value_dim == self.key_dim
        # What else Keras does when a layer is called, here a penalty on its outputs, is not missed.
        if together and self.activity_regularizer_of_parts is None:
            query, key, value = into_heads(projections, query)
            return query, key, value
        return self.query_dense(query), self.key_dense(key), self.value_dense(value)

    def _seeded(self, training: bool | None) -> contextlib.AbstractContextManager[Any]:
        """An evaluation of `seed`, if it is set and the call is in no other one."""
        if self.seed is None or not training or current_evaluation() is not None:
            return contextlib.nullcontext()
        return Evaluation.of_layer(next_seed(self))

    def attend(
        self, query: tf.Tensor, key: tf.Tensor, value: tf.Tensor, mask: Any, gates: Any, **call: Any
    ) -> tuple[tf.Tensor, tf.Tensor]:
        """The mixed values `[B, H, n, v]` and the gated weights `[B, H, n, m]`.

        Parameters
        ----------
        query, key, value
            Projected: `[B, H, n, k]`, `[B, H, m, k]` and `[B, H, m, v]`.
        mask
            Boolean, broadcastable to `[B, H, n, m]`: False hides an edge; None hides none.
        gates
            Z, broadcastable to `[B, H, n, m]`; None for none.
        call
            `key_weights`, `use_causal_mask`, `context` and `training`, as the layer was called.
        """
        raise TypeError(f"{type(self).__name__} must define `attend`.")

    def edges(self, queries: int | None, keys: int | None) -> np.ndarray | None:
        """The edges there are, boolean `[n, m]`; None (default) for all."""
        return None

    def check_call(
        self, lengths: tuple[int, int], attention_mask: Any, causal: bool, gates: Any
    ) -> None:
        """ValueError for call arguments that do not go with this kind; `lengths` are n and m."""
        if attention_mask is not None and len(attention_mask.shape) not in (2, 3):
            raise ValueError(
                "`attention_mask` must be `[n, m]` or `[B, n, m]`, the same for all heads. "
                f"Received: a mask of shape {attention_mask.shape}"
            )

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
        how = {"use_causal_mask": use_causal_mask, "training": training}
        return self.gates(query, key, live=live, edges=edges, **how)

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
            keys.append(tf.constant(edges)[tf.newaxis])
        if use_causal_mask:
            lengths = length_of(tensors[0]), length_of(tensors[2])
            keys.append(tf.linalg.band_part(tf.ones([1, *lengths], tf.bool), -1, 0))
        return _every(keys), live

    def compute_mask(self, query: Any, value: Any = None, **masks: Any) -> Any:
        if isinstance(value, (list, tuple)) and not hasattr(value, "shape"):
            return value[0] if value else None
        query_mask = masks.get("query_mask")
        return implicit_mask(query) if query_mask is None else query_mask

    def compute_output_shape(self, query_shape: Any, *_: Any, **__: Any) -> Any:
        return (*query_shape[:-1], self.output_dim or query_shape[-1])

    def compute_output_spec(
        self, query: Any, value: Any, *_: Any, return_attention_scores: bool = False, **__: Any
    ) -> Any:
        # Of Keras 3, whose own would be of one output alone.
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
            "activity_regularizer": keras.regularizers.serialize(
                self.activity_regularizer_of_parts
            ),
            "kernel_constraint": keras.constraints.serialize(self.kernel_constraint),
            "bias_constraint": keras.constraints.serialize(self.bias_constraint),
            "seed": self.seed,
        }


def _refuse_what_gates_cannot(axes: Any, flash: bool | None, others: dict[str, Any]) -> None:
    """ValueError for arguments of Keras' attention that have no meaning here; takes them out."""
    axis = axes[0] if isinstance(axes, (list, tuple)) and len(axes) == 1 else axes
    rule = "be None or 1: attention is over the positions of [B, n, d]; reshape other inputs to it"
    require(axis in (None, 1, -2), "attention_axes", axes, rule)
    rule = "be None or False: gates multiply weights, which flash attention never works out"
    require(not flash, "flash_attention", flash, rule)
    window = others.pop("sliding_window", None)
    rule = "be None; use `attention={'name': 'sliding_window', 'width': …}`"
    require(window is None, "sliding_window", window, rule)
    use_gate = others.pop("use_gate", False)
    require(not use_gate, "use_gate", use_gate, "be False; put a `Dense` layer after attention")


def _width(output_shape: Any) -> int | None:
    """D of an output `[B, n, d]`, given as Keras takes it: a number, or a shape of one axis."""
    sizes = output_shape if isinstance(output_shape, (list, tuple)) else [output_shape]
    rule = "be a number, the width of [B, n, d]; reshape the output to more axes"
    require(len(sizes) == 1, "output_shape", output_shape, rule)
    return sizes[0]


def _copy(initializer: Any) -> Any:
    return type(initializer).from_config(initializer.get_config())


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
