"""Causal credit: leave out of a gate's loss what the gate cannot change."""

from __future__ import annotations

import tensorflow as tf


def causal_credit(position_losses: tf.Tensor, last_layer: bool) -> tf.Tensor:
    """The losses that a gate (u, v) of a causal encoder can change, one for each u.

    A gate changes the losses at positions u and later; where no layer after it mixes positions,
    that at u alone. Leaving out the rest keeps every unbiased estimator unbiased, since a loss
    that does not depend on a gate has gradient zero.

    Parameters
    ----------
    position_losses
        Loss of each position, `[n]` or `[..., n]`: summed over sequences, or of one each.
    last_layer
        Whether no layer that mixes positions comes after.

    Returns
    -------
    `[..., n, 1]`, to be broadcast over the attended positions v.

    Examples
    --------
    >>> causal_credit(tf.constant([1.0, 2.0, 4.0]), last_layer=False).numpy().ravel()
    array([7., 6., 4.], dtype=float32)
    """
    if not last_layer:
        position_losses = tf.cumsum(position_losses, axis=-1, reverse=True)
    return position_losses[..., tf.newaxis]
