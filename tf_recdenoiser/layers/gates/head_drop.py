"""DropHead: now and then some heads are left out."""

from __future__ import annotations

import tensorflow as tf

from tf_recdenoiser._keras import register
from tf_recdenoiser.layers.gates.dropping import DroppingGates


@register
class HeadDrop(DroppingGates):
    """All gates of a head shut at once, with probability `rate` for each head in each batch.

    DropHead (Zhou et al. 2020, arXiv 2004.13342): the heads that are left are multiplied by H
    over their number, so that the sum over heads keeps its size. All may be dropped.

    Parameters
    ----------
    kwargs
        See `DroppingGates`: `rate`.

    Examples
    --------
    >>> HeadDrop(rate=0.5).draw(4, tf.constant([1, 2])).numpy().ravel()
    array([2., 0., 2., 0.], dtype=float32)
    """

    def draw(self, num_heads: int, seed: tf.Tensor) -> tf.Tensor:
        kept = self.kept(num_heads, seed)
        return tf.math.divide_no_nan(float(num_heads) * kept, tf.reduce_sum(kept))
