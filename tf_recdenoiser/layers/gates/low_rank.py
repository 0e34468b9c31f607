"""What gates of each sequence share: a bilinear form of low rank in the attention's inputs."""

from __future__ import annotations

from typing import Any, ClassVar

import tensorflow as tf

from tf_recdenoiser.layers.gates.base import Gates
from tf_recdenoiser.ops.checks import require


class LowRankGates(Gates):
    """Base of the gates whose logits hold (x W_1) · (y W_2), for two inputs x and y.

    W_1 and W_2 are `[d, rank]`. W_2 starts at zero, so that the gates start at `initial_keep`.

    Parameters
    ----------
    rank
        Width of W_1 and W_2; 16 by default.
    kwargs
        See `Gates`: `beta`, `penalty`, `initial_keep`, `sharpness`, `inference`.

    Attributes
    ----------
    first_kernel, second_kernel
        W_1 and W_2.
    """

    of_positions: ClassVar[bool] = False
    any_length: ClassVar[bool] = True

    def __init__(self, rank: int = 16, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        require(rank >= 1, "rank", rank, "be at least 1")
        self.rank = rank

    def build(self, query_shape: Any, key_shape: Any = None) -> None:
        hidden_dims = query_shape[-1], (key_shape or query_shape)[-1]
        self.first_kernel = self._kernel("first_kernel", hidden_dims[0], "glorot_uniform")
        self.second_kernel = self._kernel("second_kernel", hidden_dims[1], "zeros")
        super().build(query_shape, key_shape)

    def _kernel(self, name: str, hidden_dim: int, initializer: str) -> Any:
        return self.add_weight(
            name=name, shape=(hidden_dim, self.rank), initializer=initializer, trainable=True
        )

    def projected(self, x: tf.Tensor, y: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
        """The products x W_1 and y W_2, for x and y `[B, n, d]`."""
        return tf.matmul(x, self.first_kernel), tf.matmul(y, self.second_kernel)

    def get_config(self) -> dict[str, Any]:
        return {**super().get_config(), "rank": self.rank}


def unit(x: tf.Tensor) -> tf.Tensor:
    """`x` divided by its length: the size of an input should not decide on its gates.

    Examples
    --------
    >>> unit(tf.constant([[3.0, 4.0], [0.0, 0.0]])).numpy()
    array([[0.6, 0.8],
           [0. , 0. ]], dtype=float32)
    """
    return tf.math.l2_normalize(x, axis=-1)
