"""FPMC: what a user likes, and what follows the last item."""

from __future__ import annotations

from tf_recdenoiser._keras import keras, register
from tf_recdenoiser._settings import default
from tf_recdenoiser.backbones.base import (
    Backbone,
    model_inputs,
    scored_table,
)
from tf_recdenoiser.backbones.sasrec import SASRec
from tf_recdenoiser.layers import UserEmbedding
from tf_recdenoiser.layers.users import BesideUser


@register
class FPMC(Backbone):
    """Factorised personalised Markov chains (Rendle et al. 2010), for baskets of one item.

    After item l, item i scores for user u

        x_uli = v_u^{U,I} · v_i^{I,U} + v_l^{L,I} · v_i^{I,L}

    The paper's third term, of user and last item, is the same for every item and left out there
    too. The four tables are apart; an item is scored by its two vectors side by side, so that the
    output is [v_l^{L,I}; v_u^{U,I}], `[B, n, 2 d]`. A user of whom nothing was learned, id 0, has
    the mean of all users' vectors.

    Published with BPR (S-BPR) and a penalty on all weights: `--objective bpr`, `--l2`.

    Parameters
    ----------
    item_count
        Number of items; ids run from 1 to it.
    user_count
        Number of users; ids run from 1 to it.
    max_length
        As `SASRec` takes it; what is recommended depends on the newest item alone.
    hidden_dim
        d, of each of the four vectors; as SASRec's by default.

    Examples
    --------
    >>> import tensorflow as tf
    >>> encoder = FPMC(item_count=9, user_count=3, max_length=4, hidden_dim=8)
    >>> inputs = {"item_ids": tf.constant([[0, 0, 3, 7]]), "user_ids": tf.constant([2])}
    >>> tuple(encoder(inputs).shape)
    (1, 4, 16)
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
        name: str | None = None,
    ) -> None:
        inputs = model_inputs(max_length, *self.extra_inputs)
        last = keras.layers.Embedding(
            item_count + 1, hidden_dim, embeddings_initializer="glorot_normal", name="last_items"
        )
        users = UserEmbedding(user_count, hidden_dim, name="users")(inputs["user_ids"])
        outputs = BesideUser(name="beside_user")(last(inputs["item_ids"]), users)
        super().__init__(inputs=inputs, outputs=outputs, name=name)
        self._set(scored_table(item_count, 2 * hidden_dim))
