"""Which part of a step's batch is at hand, where several replicas take the step together."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from typing import Any

import tensorflow as tf

from tf_recdenoiser._keras import replica_count, sum_over_replicas


@dataclasses.dataclass(frozen=True)
class Part:
    """A run of sequences of a batch, those of one replica.

    Attributes
    ----------
    first
        How many sequences come before it, on other replicas; 0 by default.
    rows
        How many it has; None (default) for all of a batch that one replica has.
    total
        How many the batch has on all replicas; None (default) likewise.

    Examples
    --------
    >>> part = Part(first=1, rows=2, total=4)
    >>> part.of(tf.range, tf.constant([2])).numpy()
    array([1, 2], dtype=int32)
    """

    first: tf.Tensor | int = 0
    rows: tf.Tensor | int | None = None
    total: tf.Tensor | int | None = None

    @classmethod
    def of_replica(cls, rows: tf.Tensor) -> Part:
        """That of the replica which asks, one of several, with this many sequences."""
        count = replica_count()
        replica = tf.distribute.get_replica_context().replica_id_in_sync_group
        # In floats, which every kind of accelerator can add up.
        own = tf.one_hot(replica, count) * tf.cast(rows, tf.float32)
        of_each = tf.cast(sum_over_replicas(own), tf.int32)
        return cls(tf.reduce_sum(of_each[:replica]), rows, tf.reduce_sum(of_each))

    def of_first(self, rows: tf.Tensor) -> Part:
        """Where only the first `rows` of its sequences are at hand."""
        return self if self.rows is None else dataclasses.replace(self, rows=rows)

    def start(self, entries: tf.Tensor) -> tf.Tensor | int:
        """How many entries come before those of this part, which has `entries` of them."""
        if self.rows is None:
            return 0
        return self.first * (entries // tf.maximum(self.rows, 1))

    def of(self, draw: Callable[[Any], tf.Tensor], shape: tf.Tensor, axis: int = 0) -> tf.Tensor:
        """What belongs to this part of what `draw` makes for the whole batch.

        Parameters
        ----------
        draw
            Makes a tensor of the shape that it is given.
        shape
            Of this part.
        axis
            That of the sequences; the first by default.
        """
        if self.total is None:
            return draw(shape)
        whole = draw(tf.concat([shape[:axis], [self.total], shape[axis + 1 :]], axis=0))
        return tf.gather(whole, self.first + tf.range(shape[axis]), axis=axis)

    def count(self, sequences: tf.Tensor) -> tf.Tensor:
        """How many sequences the batch has on all replicas; `sequences` are those of this part."""
        return sequences if self.total is None else self.total


WHOLE = Part()
"""Of a batch that one replica has."""
