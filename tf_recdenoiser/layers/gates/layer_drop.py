"""LayerDrop: now and then a layer's attention is left out."""

from __future__ import annotations

import tensorflow as tf

from tf_recdenoiser._keras import register
from tf_recdenoiser.layers.gates.dropping import DroppingGates


@register
class LayerDrop(DroppingGates):
    """All gates of the layer shut at once, with probability `rate` in each batch.

    LayerDrop (Fan, Grave and Joulin 2020, arXiv 1909.11556) of the attention sublayer, whose
    residual path stays; nothing is rescaled. With `dropout`, which is on attention weights and
    inside the feed-forward network, it makes the structure and the feature part of UniDrop (Wu
    et al. 2021, arXiv 2104.04946).

    Parameters
    ----------
    kwargs
        See `DroppingGates`: `rate`.

    Examples
    --------
    >>> LayerDrop()(tf.zeros([3, 2, 4]), num_heads=2).numpy().ravel()
    array([1.], dtype=float32)
    """

    def draw(self, num_heads: int, seed: tf.Tensor) -> tf.Tensor:
        return self.kept(1, seed)
