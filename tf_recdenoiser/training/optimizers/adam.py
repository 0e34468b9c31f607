"""Adam by one operation for each weight."""

from __future__ import annotations

from typing import Any

import tensorflow as tf

from tf_recdenoiser._keras import keras, number_of, raw_variable, register


@register
class Adam(keras.optimizers.Adam):
    """`keras.optimizers.Adam` in a fraction of the time: one operation a weight, and not twenty.

    m = b_1 m + (1 - b_1) g,  v = b_2 v + (1 - b_2) g^2,  w -= rate m / (sqrt(v) + epsilon)

    with rate = learning_rate sqrt(1 - b_2^t) / (1 - b_1^t) (Kingma and Ba 2015, arXiv 1412.6980,
    the order of computation before section 2.1). Numbers, weights and arguments are those of
    Keras; with `amsgrad` it is Keras' own. Gradients of rows, as those of an embedding, become a
    gradient of the whole table, since Adam moves every row in every step; see `LazyAdam`.

    Examples
    --------
    >>> weight = tf.Variable([1.0, 1.0])
    >>> optimizer = Adam(0.1)
    >>> optimizer.apply_gradients([(tf.constant([2.0, -3.0]), weight)])
    <...>
    >>> weight.numpy().round(3)
    array([0.9, 1.1], dtype=float32)
    """

    def update_step(self, gradient: Any, variable: Any, *learning_rate: Any) -> None:
        if self.amsgrad:
            super().update_step(gradient, variable, *learning_rate)
            return
        weight = raw_variable(variable)
        first, second = self.moments_of(variable)
        dtype = weight.dtype
        of_first, of_second = self.powers(dtype)
        tf.raw_ops.ResourceApplyAdam(
            var=weight.handle,
            m=first.handle,
            v=second.handle,
            beta1_power=of_first,
            beta2_power=of_second,
            lr=self.rate(dtype, *learning_rate),
            beta1=tf.cast(self.beta_1, dtype),
            beta2=tf.cast(self.beta_2, dtype),
            epsilon=tf.cast(self.epsilon, dtype),
            grad=tf.cast(tf.convert_to_tensor(gradient), dtype),
        )

    def moments_of(self, variable: Any) -> tuple[tf.Variable, tf.Variable]:
        """The moments m and v of a weight."""
        number = number_of(self, variable)
        return raw_variable(self._momentums[number]), raw_variable(self._velocities[number])

    def powers(self, dtype: tf.DType) -> tuple[tf.Tensor, tf.Tensor]:
        """The powers b_1^t and b_2^t of the step under way."""
        step = tf.cast(tf.convert_to_tensor(self.iterations) + 1, dtype)
        of_first, of_second = (tf.cast(beta, dtype) for beta in (self.beta_1, self.beta_2))
        return tf.pow(of_first, step), tf.pow(of_second, step)

    def rate(self, dtype: tf.DType, *learning_rate: Any) -> tf.Tensor:
        """The learning rate of the step under way, which Keras 3 hands on and tf_keras knows."""
        return tf.cast(learning_rate[0] if learning_rate else self.learning_rate, dtype)

    def _deduplicate_sparse_grad(self, gradients: list[Any]) -> list[Any]:
        # As tf_keras asks for it; rows that come twice are summed when the table's is made.
        return gradients
