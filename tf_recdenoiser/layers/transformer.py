"""The Transformer block: attention and a feed-forward network, with residuals."""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import Any

import tensorflow as tf

from tf_recdenoiser._keras import build_named, implicit_mask, keras, policy_of, register
from tf_recdenoiser.layers.attention import DenoisingMultiHeadAttention
from tf_recdenoiser.layers.attention_kinds import AttentionKind, get_attention, serialize_attention
from tf_recdenoiser.layers.dropout import Dropout
from tf_recdenoiser.layers.gated_attention import GatedAttention
from tf_recdenoiser.layers.gates import DroppingGates, Gates
from tf_recdenoiser.layers.linear_attention import DenoisingLinearAttention
from tf_recdenoiser.layers.newest import is_newest_alone
from tf_recdenoiser.layers.normalization import LayerNormalization
from tf_recdenoiser.ops.checks import require, require_one_of
from tf_recdenoiser.ops.rows import from_rows, to_rows

NORMS = ("pre", "post")


@register
class TransformerBlock(keras.layers.Layer):
    """Self-attention, then a position-wise feed-forward network (Eq. 2 to 4 of the paper).

    With x' = x + Attention(x) and y = x' + FFN(x'), layer normalisation comes before each part
    (`norm="pre"`) or after each sum (`norm="post"`). FFN(x) = activation(x W_1 + b_1) W_2 + b_2.
    Dropout is on attention weights and after both layers of the feed-forward network. What it is
    called with as `context`, `key_weights` and `gates` is handed to the attention.

    Parameters
    ----------
    num_heads
        H; 1 by default; must divide the width d.
    intermediate_dim
        Width inside the feed-forward network; d by default, as in SASRec.
    dropout
        Rate; 0 by default.
    norm
        `"post"` (default) or `"pre"`.
    causal
        Whether position u sees only positions up to u; True by default.
    activation
        Of the feed-forward network; `"relu"` by default.
    gates
        As `GatedAttention` takes them; None (default) for plain attention.
    epsilon
        Added to the variance in layer normalisation; 1e-8 by default, as in SASRec.
    attention
        A name from `ATTENTIONS`, `"softmax"` by default, or an `AttentionKind`.

    Attributes
    ----------
    is_last
        Whether no attention follows, so that within `newest_alone`, when not training, the output
        is `[B, 1, d]`: the newest position alone. False unless it is set.

    Examples
    --------
    >>> block = TransformerBlock(num_heads=2, gates="positional")
    >>> tuple(block(tf.zeros([3, 5, 8])).shape)
    (3, 5, 8)
    """

    def __init__(
        self,
        num_heads: int = 1,
        intermediate_dim: int | None = None,
        dropout: float = 0.0,
        norm: str = "post",
        causal: bool = True,
        activation: Any = "relu",
        gates: str | dict[str, Any] | Gates | DroppingGates | None = None,
        epsilon: float = 1e-8,
        attention: str | dict[str, Any] | AttentionKind = "softmax",
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        require(num_heads >= 1, "num_heads", num_heads, "be at least 1")
        require_one_of(NORMS, "norm", norm)
        self.supports_masking = True
        self.num_heads = num_heads
        self.intermediate_dim = intermediate_dim
        self.dropout = dropout
        self.norm = norm
        self.causal = causal
        self.activation = keras.activations.get(activation)
        self.epsilon = epsilon
        self.attention_kind = get_attention(attention)
        self.is_last = False
        # The configuration, since Keras would track the prototype as a layer of its own; and a
        # copy, since tf_keras puts its wrappers into the dict itself.
        is_layer = isinstance(gates, keras.layers.Layer)
        self.gates = keras.layers.serialize(gates) if is_layer else _plain(gates)

    def build(self, input_shape: Any) -> None:
        hidden_dim = input_shape[-1]
        if hidden_dim % self.num_heads:
            raise ValueError(
                "`num_heads` must divide the width of the input. "
                f"Received: num_heads={self.num_heads}, hidden_dim={hidden_dim}"
            )
        dtype = policy_of(self)
        self.attention = self.make_attention(
            num_heads=self.num_heads,
            key_dim=hidden_dim // self.num_heads,
            dropout=self.dropout,
            gates=_plain(self.gates),
            dtype=dtype,
            name="attention",
        )
        self.attention_norm = LayerNormalization(
            epsilon=self.epsilon, dtype=dtype, name="attention_norm"
        )
        self.feedforward_norm = LayerNormalization(
            epsilon=self.epsilon, dtype=dtype, name="feedforward_norm"
        )
        intermediate_dim = self.intermediate_dim or hidden_dim
        self.inner = keras.layers.Dense(
            intermediate_dim, activation=self.activation, dtype=dtype, name="inner"
        )
        self.outer = keras.layers.Dense(hidden_dim, dtype=dtype, name="outer")
        self.inner_dropout = Dropout(self.dropout, dtype=dtype)
        self.outer_dropout = Dropout(self.dropout, dtype=dtype)
        build_named(self.attention, input_shape, input_shape)
        build_named(self.attention_norm, input_shape)
        build_named(self.feedforward_norm, input_shape)
        build_named(self.inner, (None, hidden_dim))
        build_named(self.outer, (None, intermediate_dim))
        self.built = True

    def make_attention(self, **options: Any) -> GatedAttention:
        """The attention layer, of the kind that was chosen."""
        if self.attention_kind.is_linear:
            return DenoisingLinearAttention(**options)
        return DenoisingMultiHeadAttention(**options, attention=self.attention_kind)

    def call(
        self,
        inputs: tf.Tensor,
        mask: tf.Tensor | None = None,
        training: bool | None = None,
        context: Any = None,
        key_weights: tf.Tensor | None = None,
        gates: tf.Tensor | None = None,
    ) -> tf.Tensor:
        # Keras 3 fills in `mask` only where `inputs` are the only tensors.
        mask = implicit_mask(inputs) if mask is None else mask
        given = {"context": context, "key_weights": key_weights, "gates": gates}
        attended: Callable[[tf.Tensor], tf.Tensor]
        if self.is_last and not training and is_newest_alone():
            attended = functools.partial(self._attend_newest, mask=mask, **given)
            read = inputs[:, -1:]
        else:
            attended = functools.partial(self._attend, mask=mask, training=training, **given)
            read = inputs
        if self.norm == "pre":
            x = read + attended(self.attention_norm(inputs))
            return x + self._feed_forward(self.feedforward_norm(x), training)
        x = self.attention_norm(read + attended(inputs))
        return self.feedforward_norm(x + self._feed_forward(x, training))

    def _attend(self, x: tf.Tensor, mask: tf.Tensor | None, **further: Any) -> tf.Tensor:
        return self.attention(
            x, x, query_mask=mask, value_mask=mask, use_causal_mask=self.causal, **further
        )

    def _attend_newest(self, x: tf.Tensor, mask: tf.Tensor | None, **further: Any) -> tf.Tensor:
        return self.attention.newest(x, mask, use_causal_mask=self.causal, **further)

    def _feed_forward(self, x: tf.Tensor, training: bool | None) -> tf.Tensor:
        inner = self.inner_dropout(self.inner(to_rows(x)), training=training)
        return from_rows(self.outer_dropout(self.outer(inner), training=training), x)

    def compute_output_shape(self, input_shape: Any) -> Any:
        return input_shape

    def get_config(self) -> dict[str, Any]:
        return {
            **super().get_config(),
            "num_heads": self.num_heads,
            "intermediate_dim": self.intermediate_dim,
            "dropout": self.dropout,
            "norm": self.norm,
            "causal": self.causal,
            "activation": keras.activations.serialize(self.activation),
            "gates": _plain(self.gates),
            "epsilon": self.epsilon,
            "attention": serialize_attention(self.attention_kind),
        }


def _plain(config: Any) -> Any:
    """`config` without the wrappers that tf_keras puts around attributes that are dicts."""
    if isinstance(config, dict):
        return {key: _plain(value) for key, value in config.items()}
    return config
