"""SASRec: self-attentive sequential recommendation."""

from __future__ import annotations

from typing import Any

from tf_recdenoiser._keras import keras, register
from tf_recdenoiser.backbones.base import Backbone
from tf_recdenoiser.layers import (
    Dropout,
    Gates,
    JacobianRegularizedBlock,
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
    width
        d; 50 by default.
    blocks
        L; 2 by default.
    heads
        H; 2 by default, as in the paper; must divide the width.
    dropout
        Rate; 0.2 by default.
    norm
        `"post"` (default; learns faster here) or `"pre"`; see `TransformerBlock`.
    gates
        None (default), a name from `GATES` or a gate layer, copied for each block.
    gamma
        Weight of the Jacobian penalty on each block; 0 by default.
    jacobian_rows
        Sequences of a batch that the penalty uses; None (default) for all.

    Examples
    --------
    >>> import tensorflow as tf
    >>> encoder = SASRec(item_count=9, max_length=4, width=8, gates="positional")
    >>> tuple(encoder({"item_ids": tf.constant([[0, 0, 3, 7]])}).shape)
    (1, 4, 8)
    """

    causal = True

    def __init__(
        self,
        item_count: int,
        max_length: int = 50,
        width: int = 50,
        blocks: int = 2,
        heads: int = 2,
        dropout: float = 0.2,
        norm: str = "post",
        gates: str | dict[str, Any] | Gates | None = None,
        gamma: float = 0.0,
        jacobian_rows: int | None = None,
        name: str | None = None,
    ) -> None:
        for argument, value in {
            "item_count": item_count,
            "max_length": max_length,
            "width": width,
            "blocks": blocks,
            "heads": heads,
        }.items():
            if value < 1:
                raise ValueError(f"`{argument}` must be at least 1. Received: {argument}={value}")
        if gamma < 0:
            raise ValueError(f"`gamma` must not be negative. Received: gamma={gamma}")
        if isinstance(gates, Gates):
            gates = keras.layers.serialize(gates)
        item_ids = keras.Input([max_length], dtype="int32", name="item_ids")
        items = keras.layers.Embedding(
            item_count + 1,
            width,
            mask_zero=True,
            embeddings_initializer="glorot_normal",
            name="items",
        )
        x = PositionEmbedding(name="positions")(items(item_ids))
        x = Dropout(dropout)(x)
        for index in range(blocks):
            block = TransformerBlock(
                heads, dropout=dropout, norm=norm, gates=gates, name=f"block_{index + 1}"
            )
            if gamma > 0:
                block = JacobianRegularizedBlock(
                    block, gamma, rows=jacobian_rows, name=f"jacobian_{index + 1}"
                )
            x = block(x)
        outputs = keras.layers.LayerNormalization(epsilon=1e-8, name="last_norm")(x)
        super().__init__(inputs={"item_ids": item_ids}, outputs=outputs, name=name)
        self._set(
            items,
            item_count=item_count,
            max_length=max_length,
            width=width,
            blocks=blocks,
            heads=heads,
            dropout=dropout,
            norm=norm,
            gates=gates,
            gamma=gamma,
            jacobian_rows=jacobian_rows,
        )
