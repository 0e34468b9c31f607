"""Adam by one operation for each weight."""

from __future__ import annotations

from typing import Any

import tensorflow as tf

from tf_recdenoiser._keras import IS_KERAS_3, keras, moments_of, raw_variable, register


@register
class Adam(keras.optimizers.Adam):
    """`keras.optimizers.Adam` in a fraction of the time: one operation a weight, and not twenty.

    m = b_1 m + (1 - b_1) g,  v = b_2 v + (1 - b_2) g^2,  w -= rate m / (sqrt(v) + epsilon)

    with rate = learning_rate sqrt(1 - b_2^t) / (1 - b_1^t) (Kingma and Ba 2015, arXiv 1412.6980,
    the order of computation before section 2.1). Numbers, weights and arguments are those of
    Keras; with `amsgrad` it is Keras' own. Gradients of rows, as those of an embedding, become a
    gradient of the whole table, since Adam moves every row in every step.

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
        weight, first, second = map(raw_variable, (variable, *moments_of(self, variable)))
        dtype = weight.dtype
        rate = learning_rate[0] if IS_KERAS_3 else self.learning_rate
        step = tf.cast(tf.convert_to_tensor(self.iterations) + 1, dtype)
        tf.raw_ops.ResourceApplyAdam(
            var=weight.handle,
            m=first.handle,
            v=second.handle,
            beta1_power=tf.pow(tf.cast(self.beta_1, dtype), step),
            beta2_power=tf.pow(tf.cast(self.beta_2, dtype), step),
            lr=tf.cast(rate, dtype),
            beta1=tf.cast(self.beta_1, dtype),
            beta2=tf.cast(self.beta_2, dtype),
            epsilon=tf.cast(self.epsilon, dtype),
            grad=tf.cast(tf.convert_to_tensor(gradient), dtype),
        )

    def _deduplicate_sparse_grad(self, gradients: list[Any]) -> list[Any]:
        # As tf_keras asks for it; rows that come twice are summed when the table's is made.
        return gradients
