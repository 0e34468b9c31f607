"""Caser: convolutions over the newest items."""

from __future__ import annotations

from typing import Any

import tensorflow as tf

from tf_recdenoiser._keras import keras, register
from tf_recdenoiser._settings import default
from tf_recdenoiser.backbones.base import (
    Backbone,
    WithoutBias,
    model_inputs,
    scored_table,
)
from tf_recdenoiser.backbones.sasrec import SASRec
from tf_recdenoiser.layers import Dropout, UserEmbedding
from tf_recdenoiser.layers.embeddings import AppendOne
from tf_recdenoiser.layers.users import BesideUser


@register
class Caser(Backbone):
    """Convolutional sequence embedding (Tang and Wang 2018), for a window ending at each position.

    E in R^{L x d} are the vectors of the L items up to position t, the last at t, zero where
    there is none. A horizontal filter F of h rows, n of each height h = 1 … L, finds a pattern
    of h items in a row wherever it is; a vertical one G in R^L, of which there are m, weighs
    the items by their place (their section 3.2):

        o = max over i of relu(E_{i : i+h-1} · F),   p = sum_l G_l E_l in R^d

    With all o and p side by side, and user u's vector P_u, item i scores (section 3.3)

        w_i · [z; P_u] + b_i,   z = relu(W [o; p] + b) in R^d

    The table holds [w_i; b_i], apart from the vectors items are read by, so that the output is
    `[B, n, 2 d + 1]` and ends with a 1. A user of whom nothing was learned, id 0, has the mean
    of all users' vectors.

    Published with binary cross-entropy and 3 negatives: `--objective bce`, `--negatives 3`; the
    paper also predicts items further ahead than the next one, which is not done here.

    Parameters
    ----------
    item_count
        Number of items; ids run from 1 to it.
    user_count
        Number of users; ids run from 1 to it.
    max_length, hidden_dim
        As `SASRec` takes them; `hidden_dim` is also that of users.
    recent
        L; 5 by default, as in the authors' code.
    horizontal_filters
        n; 16 by default, as in the authors' code.
    vertical_filters
        m; 4 by default, as in the authors' code.
    dropout
        Rate, on [o; p]; as SASRec's by default (0.5 in the paper).

    Examples
    --------
    >>> encoder = Caser(item_count=9, user_count=3, max_length=4, hidden_dim=8)
    >>> inputs = {"item_ids": tf.constant([[0, 0, 3, 7]]), "user_ids": tf.constant([2])}
    >>> tuple(encoder(inputs).shape)
    (1, 4, 17)
    """

    causal = True
    gated = False
    extra_inputs = ("user_ids",)

    def __init__(
        self,
        item_count: int,
        user_count: int,
        max_length: int = default(SASRec, "max_length"),
        hidden_dim: int = default(SASRec, "hidden_dim"),
        recent: int = 5,
        horizontal_filters: int = 16,
        vertical_filters: int = 4,
        dropout: float = default(SASRec, "dropout"),
        name: str | None = None,
    ) -> None:
        inputs = model_inputs(max_length, *self.extra_inputs)
        read = keras.layers.Embedding(
            item_count + 1,
            hidden_dim,
            mask_zero=True,
            embeddings_initializer="glorot_normal",
            name="read_items",
        )
        x = AfterZeros(recent - 1, name="after_zeros")(read(inputs["item_ids"]))
        found = [
            _horizontal(x, recent, height, horizontal_filters) for height in range(1, recent + 1)
        ]
        found.append(_vertical(x, recent, vertical_filters))
        x = Dropout(dropout)(keras.layers.Concatenate(name="found")(found))
        x = keras.layers.Dense(hidden_dim, activation="relu", name="sequence")(x)
        users = UserEmbedding(user_count, hidden_dim, name="users")(inputs["user_ids"])
        outputs = AppendOne()(BesideUser(name="beside_user")(x, users))
        super().__init__(inputs=inputs, outputs=outputs, name=name)
        self._set(scored_table(item_count, 2 * hidden_dim + 1, WithoutBias()))


def _horizontal(x: Any, recent: int, height: int, filters: int) -> Any:
    """The greatest answer of each filter in each window, `[B, n, n_h]`, of `[B, L - 1 + n, d]`.

    Windows overlap, so every run of `height` items is looked at once, and not in each of them.
    """
    x = keras.layers.Conv1D(
        filters, height, activation="relu", use_bias=False, name=f"horizontal_{height}"
    )(x)
    return keras.layers.MaxPooling1D(recent - height + 1, strides=1, name=f"greatest_{height}")(x)


def _vertical(x: Any, recent: int, filters: int) -> Any:
    """The weighted sums of each window's items, `[B, n, d m]`, of `[B, L - 1 + n, d]`."""
    length, hidden_dim = x.shape[1:]
    x = keras.layers.Reshape([length, hidden_dim, 1], name="one_channel")(x)
    x = keras.layers.Conv2D(filters, (recent, 1), use_bias=False, name="vertical")(x)
    return keras.layers.Reshape([length - recent + 1, hidden_dim * filters], name="sums")(x)


@register
class AfterZeros(keras.layers.Layer):
    """`[B, n, d]` after so many zeros, `[B, count + n, d]`; padded positions become zero."""

    def __init__(self, count: int, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.count = count
        self.supports_masking = True

    def call(self, inputs: tf.Tensor, mask: tf.Tensor | None = None) -> tf.Tensor:
        if mask is not None:
            inputs *= tf.cast(mask, inputs.dtype)[..., tf.newaxis]
        return tf.pad(inputs, [[0, 0], [self.count, 0], [0, 0]])

    def compute_mask(self, *_: Any, **__: Any) -> None:
        """None: padding is zero from here on."""

    def compute_output_shape(self, input_shape: Any) -> Any:
        return (input_shape[0], self.count + input_shape[1], input_shape[2])

    def get_config(self) -> dict[str, Any]:
        return {**super().get_config(), "count": self.count}
