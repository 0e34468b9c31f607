"""SASRec: self-attentive sequential recommendation."""

from __future__ import annotations

from typing import Any

from tf_recdenoiser._keras import register
from tf_recdenoiser.backbones.base import (
    Backbone,
    clean_probability_input,
    item_table,
    model_inputs,
    shared_gates,
    softened,
    stack,
)
from tf_recdenoiser.layers import (
    AttentionKind,
    Dropout,
    DroppingGates,
    Gates,
    LayerNormalization,
    PositionEmbedding,
    TransformerBlock,
)


@register
class SASRec(Backbone):
    """A causal Transformer over the items of a history (Kang and McAuley 2018).

    Item and position embeddings, dropout, L Transformer blocks, a last layer normalisation.
    Plain without gates and with `gamma` 0; otherwise with the paper's denoiser.

    Parameters
    ----------
    item_count
        Number of items; ids run from 1 to it.
    max_length
        n; 50 by default.
    hidden_dim
        d; 50 by default.
    num_layers
        L; 2 by default.
    num_heads
        H; 2 by default, as in the paper; must divide the width.
    dropout
        Rate; 0.2 by default.
    norm
        `"post"` (default; learns faster here) or `"pre"`; see `TransformerBlock`.
    gates
        None (default), a name from `GATES` or `DROPPING`, or a gate layer, copied for each block.
    gamma
        Weight of the Jacobian penalty on each block; 0 by default.
    jacobian_batch_size
        Sequences of a batch that the penalty uses, on average (see `stack`); 16 by default, None
        for all.
    attention
        A name from `ATTENTIONS`, `"softmax"` by default, or an `AttentionKind`.
    soften
        Where items count by the probability that they are no noise, which is then a further
        input, `clean_probability` `[B, n]`: `"input"`, where it multiplies their vectors
        (`layers.Soften`);
        `"attention"`, where it is the weight of their keys (see `DenoisingMultiHeadAttention`);
        `"everywhere"`, in both; `"mark"`, where a vector is added to what is noise
        (`layers.NoiseEmbedding`). None (default): nowhere.

    Examples
    --------
    >>> import tensorflow as tf
    >>> encoder = SASRec(item_count=9, max_length=4, hidden_dim=8, gates="positional")
    >>> tuple(encoder({"item_ids": tf.constant([[0, 0, 3, 7]])}).shape)
    (1, 4, 8)
    """

    causal = True

    def __init__(
        self,
        item_count: int,
        max_length: int = 50,
        hidden_dim: int = 50,
        num_layers: int = 2,
        num_heads: int = 2,
        dropout: float = 0.2,
        norm: str = "post",
        gates: str | dict[str, Any] | Gates | DroppingGates | None = None,
        gamma: float = 0.0,
        jacobian_batch_size: int | None = 16,
        attention: str | dict[str, Any] | AttentionKind = "softmax",
        soften: str | None = None,
        name: str | None = None,
    ) -> None:
        inputs = model_inputs(max_length, *clean_probability_input(soften))
        items = item_table(item_count, hidden_dim)
        vectors = items(inputs["item_ids"])
        own_gates, shared = shared_gates(gates, vectors, type(self).causal, attention)
        x, key_weights = softened(vectors, inputs, soften)
        x = PositionEmbedding(name="positions")(x)

        def block(name: str) -> TransformerBlock:
            return TransformerBlock(
                num_heads,
                dropout=dropout,
                norm=norm,
                gates=own_gates,
                attention=attention,
                name=name,
            )

        x = Dropout(dropout)(x)
        x = stack(
            x, num_layers, block, gamma, jacobian_batch_size, key_weights=key_weights, gates=shared
        )
        outputs = LayerNormalization(epsilon=1e-8, name="last_norm")(x)
        super().__init__(inputs=inputs, outputs=outputs, name=name)
        self._set(items)
