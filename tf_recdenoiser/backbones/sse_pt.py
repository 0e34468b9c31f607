"""SSE-PT: a Transformer that knows whose history it reads."""

from __future__ import annotations

from typing import Any

import tensorflow as tf

from tf_recdenoiser._keras import keras, register
from tf_recdenoiser._settings import default
from tf_recdenoiser.backbones.base import (
    Backbone,
    clean_probability_input,
    item_table,
    model_inputs,
    shared_gates,
    softened,
    stack,
)
from tf_recdenoiser.backbones.sasrec import SASRec
from tf_recdenoiser.layers import (
    AttentionKind,
    Dropout,
    Gates,
    LayerNormalization,
    PositionEmbedding,
    Swap,
    TransformerBlock,
    UserEmbedding,
)
from tf_recdenoiser.layers.embeddings import AppendOne
from tf_recdenoiser.layers.users import BesideUser


@register
class SSEPT(Backbone):
    """Personalised Transformer with stochastic shared embeddings (Wu et al. 2020).

    SASRec over the vectors [v_j; u_i] of item j and user i, with positions added. Item l scores

        r_itl = F_it · [v_l; u_i] = F^V_it · v_l + F^U_it · u_i

    after position t, F being the encoder's output (their Eq. 3). The user's term is the same for
    every item; it is the last entry of the output, which meets the 1 that every row of the item
    table ends with. So the output is `[B, n, d + 1]`.

    While training, ids are replaced by others at random: a user's with probability `user_swap`,
    in the input and in the scores alike, input items' with `item_swap`, scored items' with
    `target_swap`. A user of whom nothing was learned, id 0, has the mean of all users' vectors,
    which is what a swapped user is on average.

    Parameters
    ----------
    item_count
        Number of items; ids run from 1 to it.
    user_count
        Number of users; ids run from 1 to it.
    max_length, num_layers, num_heads, dropout, norm
        As `SASRec` takes them.
    gates, gamma, jacobian_batch_size, attention, soften
        As `SASRec` takes them; `num_heads` must divide `hidden_dim` + `user_dim`.
    hidden_dim
        d, of item vectors; as SASRec's by default.
    user_dim
        Of user vectors; 50 by default.
    user_swap, item_swap, target_swap
        Probabilities; 0.92, 0.1 and 0.1 by default, as the authors' code trains on
        MovieLens-1M.

    Examples
    --------
    >>> encoder = SSEPT(item_count=9, user_count=3, max_length=4, hidden_dim=8, user_dim=4)
    >>> inputs = {"item_ids": tf.constant([[0, 0, 3, 7]]), "user_ids": tf.constant([2])}
    >>> tuple(encoder(inputs).shape)
    (1, 4, 9)
    """

    causal = True
    extra_inputs = ("user_ids",)

    def __init__(
        self,
        item_count: int,
        user_count: int,
        max_length: int = default(SASRec, "max_length"),
        hidden_dim: int = default(SASRec, "hidden_dim"),
        user_dim: int = 50,
        num_layers: int = default(SASRec, "num_layers"),
        num_heads: int = default(SASRec, "num_heads"),
        dropout: float = default(SASRec, "dropout"),
        norm: str = default(SASRec, "norm"),
        user_swap: float = 0.92,
        item_swap: float = 0.1,
        target_swap: float = 0.1,
        gates: str | dict[str, Any] | Gates | None = None,
        gamma: float = default(SASRec, "gamma"),
        jacobian_batch_size: int | None = default(SASRec, "jacobian_batch_size"),
        attention: str | dict[str, Any] | AttentionKind = default(SASRec, "attention"),
        soften: str | None = None,
        name: str | None = None,
    ) -> None:
        inputs = model_inputs(
            max_length, *type(self).extra_inputs, *clean_probability_input(soften)
        )
        items = item_table(item_count, hidden_dim)
        user_ids = Swap(user_swap, user_count, name="user_swap")(inputs["user_ids"])
        users = UserEmbedding(user_count, user_dim, name="users")(user_ids)
        vectors = items(Swap(item_swap, item_count, name="item_swap")(inputs["item_ids"]))
        own_gates, shared = shared_gates(gates, vectors, type(self).causal, attention)
        x, key_weights = softened(vectors, inputs, soften)
        x = PositionEmbedding(name="positions")(BesideUser(name="beside_user")(x, users))

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
        x = LayerNormalization(epsilon=1e-8, name="last_norm")(x)
        outputs = UserTerm(name="user_term")(x, users)
        super().__init__(inputs=inputs, outputs=outputs, name=name)
        self._set(ScoredItems(items, Swap(target_swap, item_count), name="scored_items"))


@register
class UserTerm(keras.layers.Layer):
    """[F^V; F^U · u] from F = [F^V; F^U] `[B, n, d + d']` and users' vectors `[B, d']`."""

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.supports_masking = True

    def call(self, hidden: tf.Tensor, users: tf.Tensor) -> tf.Tensor:
        hidden_dim = hidden.shape[-1] - users.shape[-1]
        term = tf.reduce_sum(hidden[..., hidden_dim:] * users[:, tf.newaxis], -1, keepdims=True)
        return tf.concat([hidden[..., :hidden_dim], term], axis=-1)


@register
class ScoredItems(keras.layers.Layer):
    """The vectors [v; 1] of items to be scored, replaced at random while training.

    Parameters
    ----------
    items
        The embedding layer that the encoder reads by.
    swap
        What replaces ids.

    Attributes
    ----------
    embeddings
        [v; 1] of all items, `[item_count + 1, d + 1]`, none of them replaced.
    """

    def __init__(self, items: Any, swap: Swap, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.items = items
        self.swap = swap
        self.append_one = AppendOne()

    def call(self, inputs: tf.Tensor, training: bool | None = None) -> tf.Tensor:
        return self.append_one(self.items(self.swap(inputs, training=training)))

    def compute_mask(self, *_: Any, **__: Any) -> None:
        """None: which candidates count is said by the sample weights."""

    @property
    def embeddings(self) -> tf.Tensor:
        return self.append_one(tf.convert_to_tensor(self.items.embeddings))
