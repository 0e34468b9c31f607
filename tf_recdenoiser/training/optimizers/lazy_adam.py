"""Adam whose time does not grow with a table of which a step reads few rows."""

from __future__ import annotations

from typing import Any

import tensorflow as tf

from tf_recdenoiser._keras import number_of, raw_variable, register
from tf_recdenoiser.training.optimizers.adam import Adam


@register
class LazyAdam(Adam):
    """`Adam`, but rows of a table move only in the steps that read them.

    A row that was last read in step s and is read again in step t begins with the moments that
    `Adam` has of it by then,

    m = b_1^(t - s) m + (1 - b_1) g,  v = b_2^(t - s) v + (1 - b_2) g^2

    `Adam` also moves the row in the steps between, by its old m, and for that goes through the
    whole table in every step. Gradients of whole weights are applied as by `Adam`.

    Examples
    --------
    >>> table = tf.Variable([[1.0], [1.0]])
    >>> optimizer = LazyAdam(0.1)
    >>> for row in ([0], [1]):
    ...     gradient = tf.IndexedSlices(tf.constant([[2.0]]), tf.constant(row))
    ...     _ = optimizer.apply_gradients([(gradient, table)])
    >>> table.numpy().round(3).ravel()
    array([0.9  , 0.926], dtype=float32)
    """

    def build(self, variables: list[Any]) -> None:
        is_new = not hasattr(self, "_steps_read")
        super().build(variables)
        if is_new:
            # Of each row the step that read it last; none of a scalar.
            self._steps_read = [
                self.add_variable(
                    variable.shape[:1], dtype="int64", initializer="zeros", name=f"read_{number}"
                )
                for number, variable in enumerate(variables)
            ]

    def update_step(self, gradient: Any, variable: Any, *learning_rate: Any) -> None:
        if self.amsgrad or not isinstance(gradient, tf.IndexedSlices):
            super().update_step(gradient, variable, *learning_rate)
            return
        weight = raw_variable(variable)
        rows, places = tf.unique(gradient.indices)
        total = tf.math.unsorted_segment_sum(gradient.values, places, tf.size(rows))
        total = tf.cast(total, weight.dtype)
        since = tf.cast(self._since_read(variable, rows), weight.dtype)
        since = tf.reshape(since, [-1, *[1] * (len(weight.shape) - 1)])
        first, second = self.moments_of(variable)
        of_first, of_second = self.powers(weight.dtype)
        unbiased = tf.sqrt(1 - of_second) / (1 - of_first)
        rate = self.rate(weight.dtype, *learning_rate) * unbiased
        mean = _decayed(first, rows, self.beta_1, since, total)
        square = _decayed(second, rows, self.beta_2, since, tf.square(total))
        change = rate * mean / (tf.sqrt(square) + tf.cast(self.epsilon, weight.dtype))
        weight.scatter_sub(tf.IndexedSlices(change, rows))

    def _since_read(self, variable: Any, rows: tf.Tensor) -> tf.Tensor:
        """How many steps ago each of `rows` was read, which are read now."""
        step = tf.cast(tf.convert_to_tensor(self.iterations), tf.int64) + 1
        read = raw_variable(self._steps_read[number_of(self, variable)])
        since = step - tf.gather(read, rows)
        with tf.control_dependencies([since]):
            read.scatter_update(tf.IndexedSlices(tf.fill(tf.shape(rows), step), rows))
        return since


def _decayed(
    moments: tf.Variable, rows: tf.Tensor, decay: Any, steps: tf.Tensor, news: tf.Tensor
) -> tf.Tensor:
    """What `rows` of `moments` become after `steps`, and are set to, with `news` in the last."""
    decay = tf.cast(decay, moments.dtype)
    values = tf.pow(decay, steps) * tf.gather(moments, rows) + (1 - decay) * news
    moments.scatter_update(tf.IndexedSlices(values, rows))
    return values
