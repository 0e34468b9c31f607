"""TiSASRec: self-attention that knows the time between two items."""

from __future__ import annotations

from typing import Any

from tf_recdenoiser._keras import register
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
    Dropout,
    Gates,
    LayerNormalization,
    TimeAwareBlock,
    TimeEmbedding,
)


@register
class TiSASRec(Backbone):
    """SASRec with keys and values for time intervals and positions (Li et al. 2020).

    Positions and intervals are in the attention (`layers.TimeAwareAttention`, their Eq. 6 to 8)
    and not in the input. An interval is measured in the least one above 0 of the history that is
    read, so that a history which goes on may be measured anew, and clipped at `max_interval`.

    Parameters
    ----------
    item_count, max_length, hidden_dim, num_layers, num_heads, dropout, norm
        As `SASRec` takes them.
    gates, gamma, jacobian_batch_size, soften
        As `SASRec` takes them.
    max_interval
        k, above which all intervals are alike; 256 by default, as in the
        authors' code.

    Examples
    --------
    >>> import tensorflow as tf
    >>> encoder = TiSASRec(item_count=9, max_length=4, hidden_dim=8)
    >>> times = tf.constant([[0, 0, 1.6e9, 1.6e9 + 60]], tf.float64)
    >>> tuple(encoder({"item_ids": tf.constant([[0, 0, 3, 7]]), "times": times}).shape)
    (1, 4, 8)
    """

    causal = True
    extra_inputs = ("times",)

    def __init__(
        self,
        item_count: int,
        max_length: int = default(SASRec, "max_length"),
        hidden_dim: int = default(SASRec, "hidden_dim"),
        num_layers: int = default(SASRec, "num_layers"),
        num_heads: int = default(SASRec, "num_heads"),
        dropout: float = default(SASRec, "dropout"),
        norm: str = default(SASRec, "norm"),
        max_interval: int = 256,
        gates: str | dict[str, Any] | Gates | None = None,
        gamma: float = default(SASRec, "gamma"),
        jacobian_batch_size: int | None = default(SASRec, "jacobian_batch_size"),
        soften: str | None = None,
        name: str | None = None,
    ) -> None:
        inputs = model_inputs(
            max_length, *type(self).extra_inputs, *clean_probability_input(soften)
        )
        items = item_table(item_count, hidden_dim)
        context = TimeEmbedding(hidden_dim, max_interval, name="times_and_positions")(
            inputs["item_ids"], inputs["times"]
        )

        vectors = items(inputs["item_ids"])
        own_gates, shared = shared_gates(gates, vectors, type(self).causal)
        x, key_weights = softened(vectors, inputs, soften)

        def block(name: str) -> TimeAwareBlock:
            return TimeAwareBlock(num_heads, dropout=dropout, norm=norm, gates=own_gates, name=name)

        x = Dropout(dropout)(x)
        given = {"context": context, "key_weights": key_weights, "gates": shared}
        x = stack(x, num_layers, block, gamma, jacobian_batch_size, **given)
        outputs = LayerNormalization(epsilon=1e-8, name="last_norm")(x)
        super().__init__(inputs=inputs, outputs=outputs, name=name)
        self._set(items)
