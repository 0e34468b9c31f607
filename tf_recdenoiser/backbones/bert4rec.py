"""BERT4Rec: a bidirectional Transformer that tells masked items."""

from __future__ import annotations

import dataclasses
from typing import Any

import numpy as np
import tensorflow as tf

from tf_recdenoiser._keras import build_named, keras, register
from tf_recdenoiser._settings import default
from tf_recdenoiser.backbones.base import (
    Backbone,
    WithoutBias,
    item_table,
    model_inputs,
    shared_gates,
    stack,
)
from tf_recdenoiser.backbones.sasrec import SASRec
from tf_recdenoiser.layers import (
    AttentionKind,
    Dropout,
    Gates,
    PositionEmbedding,
    TransformerBlock,
)
from tf_recdenoiser.layers.embeddings import AppendOne

MASK = -1
"""The id that stands in the place of a masked item; the item table has no row for it."""


@register
class BERT4Rec(Backbone):
    """A Transformer that sees both sides of an item that it does not see (Sun et al. 2019).

    Item and position embeddings, L post-norm blocks with GELU and a hidden width of 4 d, and
    for the score of item v at position t (their Eq. 7, with the item table as E)

        GELU(h_t W + b) · v + b_v

    The table holds [v; b_v], so the output is `[B, n, d + 1]` and ends with a 1. In training
    masked items are predicted from the rest (`MaskedItems`). To recommend, the mask stands after
    the newest item, so n - 1 items are read. It has a vector of its own and no row in the item
    table, so it is never scored.

    Every gate, of the whole n x n matrix, can change the loss at every position: causal credit
    does not apply.

    Parameters
    ----------
    item_count, max_length, hidden_dim, num_layers, num_heads, dropout
        As `SASRec` takes them.
    gates, gamma, jacobian_batch_size, attention
        As `SASRec` takes them.
    mask_share
        Share of a window's items to mask in training; 0.2 by default, the paper's for
        MovieLens-1M (0.4 and 0.6 on sparser logs).
    last_share
        Share of windows of which the newest item alone is masked, as when recommending; 0.1
        by default, near that of the authors' code (one in eleven).

    Examples
    --------
    >>> encoder = BERT4Rec(item_count=9, max_length=4, hidden_dim=8)
    >>> inputs = encoder.prediction_inputs({"item_ids": tf.constant([[0, 5, 3, 7]])})
    >>> inputs["item_ids"].numpy()
    array([[ 5,  3,  7, -1]], dtype=int32)
    >>> tuple(encoder(inputs).shape)
    (1, 4, 9)
    """

    causal = False
    # A fifth of the items are targets, and all n x n gates are counted: 0.1 closes every gate
    # within ten epochs on MovieLens-1M.
    default_beta = 0.01
    shift = 1

    def __init__(
        self,
        item_count: int,
        max_length: int = default(SASRec, "max_length"),
        hidden_dim: int = default(SASRec, "hidden_dim"),
        num_layers: int = default(SASRec, "num_layers"),
        num_heads: int = default(SASRec, "num_heads"),
        dropout: float = default(SASRec, "dropout"),
        mask_share: float = 0.2,
        last_share: float = 0.1,
        gates: str | dict[str, Any] | Gates | None = None,
        gamma: float = default(SASRec, "gamma"),
        jacobian_batch_size: int | None = default(SASRec, "jacobian_batch_size"),
        attention: str | dict[str, Any] | AttentionKind = default(SASRec, "attention"),
        name: str | None = None,
    ) -> None:
        task = MaskedItems(mask_share, last_share)
        inputs = model_inputs(max_length)
        items = item_table(item_count, hidden_dim + 1, WithoutBias())
        vectors = MaskableItems(items, name="maskable_items")(inputs["item_ids"])
        own_gates, shared = shared_gates(gates, vectors, type(self).causal, attention)
        x = Dropout(dropout)(PositionEmbedding(scale=False, name="positions")(vectors))

        def block(name: str) -> TransformerBlock:
            return TransformerBlock(
                num_heads,
                intermediate_dim=4 * hidden_dim,
                dropout=dropout,
                causal=False,
                activation="gelu",
                gates=own_gates,
                attention=attention,
                name=name,
            )

        x = stack(x, num_layers, block, gamma, jacobian_batch_size, gates=shared)
        x = keras.layers.Dense(hidden_dim, activation="gelu", name="projection")(x)
        super().__init__(inputs=inputs, outputs=AppendOne()(x), name=name)
        self._task = task
        self._set(items)

    @property
    def task(self) -> MaskedItems:
        return self._task

    def prediction_inputs(self, inputs: dict[str, tf.Tensor]) -> dict[str, tf.Tensor]:
        item_ids = inputs["item_ids"]
        mask = tf.fill([tf.shape(item_ids)[0], 1], tf.constant(MASK, item_ids.dtype))
        return {"item_ids": tf.concat([item_ids[:, 1:], mask], axis=1)}


@dataclasses.dataclass(frozen=True)
class MaskedItems:
    """The training task: some items of a window are masked, and each of them is predicted.

    In a share of windows it is the newest alone; in the others round(`mask_share` times the
    items), but at least one, drawn at random.

    Parameters
    ----------
    mask_share
        In (0, 1).
    last_share
        In [0, 1].

    Examples
    --------
    >>> window = {"item_ids": np.array([[0, 5, 3, 7]])}
    >>> read, targets, _ = MaskedItems(0.5, 1.0)(window, np.ones([1, 4]), np.random.default_rng(0))
    >>> read["item_ids"], targets
    (array([[ 0,  5,  3, -1]]), array([[0, 0, 0, 7]]))
    """

    mask_share: float
    last_share: float

    def __post_init__(self) -> None:
        if not 0 < self.mask_share < 1:
            raise ValueError(
                f"`mask_share` must be above 0 and below 1. Received: mask_share={self.mask_share}"
            )
        if not 0 <= self.last_share <= 1:
            raise ValueError(
                f"`last_share` must be in [0, 1]. Received: last_share={self.last_share}"
            )

    @property
    def further(self) -> int:
        return 0

    def __call__(
        self, window: dict[str, np.ndarray], weights: np.ndarray, rng: np.random.Generator
    ) -> tuple[dict[str, np.ndarray], np.ndarray, np.ndarray]:
        item_ids = window["item_ids"]
        is_item = item_ids > 0
        # The rank of each item in a random order of its row, padding last.
        rank = np.where(is_item, rng.random(item_ids.shape), 2.0).argsort(axis=1).argsort(axis=1)
        count = np.maximum(np.rint(self.mask_share * is_item.sum(axis=1)), 1)
        masked = rank < count[:, np.newaxis]
        masked[rng.random(len(masked)) < self.last_share] = np.arange(item_ids.shape[1]) == (
            item_ids.shape[1] - 1
        )
        masked &= is_item
        read = {**window, "item_ids": np.where(masked, MASK, item_ids).astype(item_ids.dtype)}
        return read, item_ids * masked, weights * masked


@register
class MaskableItems(keras.layers.Layer):
    """The vectors `[B, n, d]` of items, of which `items` holds [v; b_v]; and that of the mask."""

    def __init__(self, items: Any, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.items = items

    def build(self, input_shape: Any) -> None:
        build_named(self.items, input_shape)
        self.mask_vector = self.add_weight(
            name="mask_vector",
            shape=(self.items.output_dim - 1,),
            initializer="uniform",
            trainable=True,
        )
        self.built = True

    def call(self, inputs: tf.Tensor) -> tf.Tensor:
        vectors = self.items(tf.maximum(inputs, 0))[..., :-1]
        is_mask = (inputs == MASK)[..., tf.newaxis]
        return tf.where(is_mask, tf.cast(self.mask_vector, vectors.dtype), vectors)

    def compute_mask(self, inputs: tf.Tensor, *_: Any, **__: Any) -> tf.Tensor:
        return self.items.compute_mask(inputs)

    def compute_output_shape(self, input_shape: Any) -> Any:
        return (*input_shape, self.items.output_dim - 1)
