"""GRU4Rec: a recurrent network over the items of a history."""

from __future__ import annotations

from tf_recdenoiser._keras import keras, register
from tf_recdenoiser._settings import default
from tf_recdenoiser.backbones.base import (
    Backbone,
    item_table,
    model_inputs,
)
from tf_recdenoiser.backbones.sasrec import SASRec
from tf_recdenoiser.layers import Dropout


@register
class GRU4Rec(Backbone):
    """Gated recurrent units over item vectors (Hidasi et al. 2016).

    Each layer reads x_t and keeps a state h_t (their Eq. 2 to 5), with h_0 = 0 before the first
    item:

        z_t = sigma(W_z x_t + U_z h_{t-1} + b_z),   r_t = sigma(W_r x_t + U_r h_{t-1} + b_r)
        c_t = tanh(W x_t + U (r_t * h_{t-1}) + b),   h_t = z_t * h_{t-1} + (1 - z_t) * c_t

    (they write z for what is here 1 - z). The last layer's state is mapped to the width of the
    item vectors, by which items are read and scored alike.

    Published with BPR and TOP1, over negatives drawn by popularity: `--objective bpr` or `top1`.

    Parameters
    ----------
    item_count, max_length, hidden_dim
        As `SASRec` takes them.
    gru_units
        Of the states; 100 by default, the smaller of the paper's sizes.
    num_gru_layers
        1 by default, which the paper found best.
    dropout
        Rate, on the item vectors that are read; as SASRec's by default.

    Examples
    --------
    >>> import tensorflow as tf
    >>> encoder = GRU4Rec(item_count=9, max_length=4, hidden_dim=8)
    >>> tuple(encoder({"item_ids": tf.constant([[0, 0, 3, 7]])}).shape)
    (1, 4, 8)
    """

    causal = True
    gated = False

    def __init__(
        self,
        item_count: int,
        max_length: int = default(SASRec, "max_length"),
        hidden_dim: int = default(SASRec, "hidden_dim"),
        gru_units: int = 100,
        num_gru_layers: int = 1,
        dropout: float = default(SASRec, "dropout"),
        name: str | None = None,
    ) -> None:
        inputs = model_inputs(max_length)
        items = item_table(item_count, hidden_dim)
        x = Dropout(dropout)(items(inputs["item_ids"]))
        for index in range(num_gru_layers):
            # Masked: padding leaves the state at zero. Not reset after the product, as is
            # Keras' default: that is another equation.
            x = keras.layers.GRU(
                gru_units, return_sequences=True, reset_after=False, name=f"gru_{index + 1}"
            )(x)
        outputs = keras.layers.Dense(hidden_dim, name="projection")(x)
        super().__init__(inputs=inputs, outputs=outputs, name=name)
        self._set(items)
