"""The running mean of losses that some estimators subtract."""

from __future__ import annotations

from typing import Any

import tensorflow as tf

from tf_recdenoiser._keras import MEAN_OF_REPLICAS, keras, mean_over_replicas
from tf_recdenoiser.layers import Gates
from tf_recdenoiser.layers.records import is_per_sequence


class Baseline(keras.layers.Layer):
    """The exponential mean of the losses that one layer's gates are held to account for.

    It is a layer so that Keras saves it with the model whose train step holds it; nothing calls
    it. With decay c the mean after t losses is m_t = c m_{t-1} + (1 - c) f_t, and m_t / (1 - c^t)
    corrects for m_0 = 0.

    Parameters
    ----------
    gates
        The gate layer, which must be built.

    Attributes
    ----------
    mean_loss
        m, `[n, 1]`, or `[1, m]` for gates that are the same in every row, with the longest n and
        m; of one number where there is no longest.
    losses_seen
        t, a scalar.
    """

    def __init__(self, gates: Gates, **kwargs: Any) -> None:
        super().__init__(**{**kwargs, "dtype": "float32"})
        queries, keys = (length or 1 for length in gates.lengths)
        self.axis = 1 if gates.same_in_every_row else 0
        shape = (1, keys) if gates.same_in_every_row else (queries, 1)
        self.mean_loss = self.add_weight(
            name="mean_loss",
            shape=shape,
            initializer="zeros",
            trainable=False,
            **MEAN_OF_REPLICAS,
        )
        self.losses_seen = self.add_weight(
            name="losses_seen",
            shape=(),
            initializer="zeros",
            trainable=False,
            **MEAN_OF_REPLICAS,
        )
        self.built = True

    def update(self, loss: tf.Tensor, decay: float) -> tf.Tensor:
        """The mean of earlier losses, after which `loss` is added to it.

        Before any loss was seen the mean is `loss` itself: the first gradient is zero instead of
        a million times too large.

        Parameters
        ----------
        loss
            A scalar or broadcastable to `mean_loss`; for gates of each sequence
            `[B, 1, n or 1, 1]`, of which the mean over sequences is added. Of fewer positions
            they are the newest.
        decay
            c, in [0, 1).
        """
        seen = tf.convert_to_tensor(self.losses_seen)
        mean = tf.convert_to_tensor(self.mean_loss)
        earlier = own = tf.math.divide_no_nan(mean, 1.0 - tf.pow(decay, seen))
        added = mean_over_replicas(loss)[0] if is_per_sequence(loss) else loss
        if self._is_of_other_length(added):
            own, added = self._aligned(earlier, added, seen > 0)
        self.mean_loss.assign(decay * mean + (1.0 - decay) * added)
        self.losses_seen.assign(seen + 1.0)
        return tf.where(seen > 0, own, loss)

    def _is_of_other_length(self, loss: tf.Tensor) -> bool:
        return bool(
            loss.shape.rank and loss.shape[self.axis] not in (1, self.mean_loss.shape[self.axis])
        )

    def _aligned(
        self, earlier: tf.Tensor, loss: tf.Tensor, any_seen: tf.Tensor
    ) -> tuple[tf.Tensor, tf.Tensor]:
        """The mean for the positions of `loss`, and a loss for each mean: the newest are last.

        A mean of positions before those of `loss` stays as it is, if any loss was seen before.
        """
        length, longest = tf.shape(loss)[self.axis], self.mean_loss.shape[self.axis]
        places = tf.range(length) - length + longest
        own = tf.gather(earlier, tf.maximum(places, 0), axis=self.axis)
        if longest == 1:
            return own, tf.reduce_mean(loss, axis=self.axis, keepdims=True)
        places = tf.range(longest) - longest + length
        spread = tf.gather(loss, tf.maximum(places, 0), axis=self.axis)
        is_older = tf.reshape(places < 0, self.mean_loss.shape)
        return own, tf.where(is_older & any_seen, earlier, spread)
