"""Where the positions of a call are among those that a layer knows."""

from __future__ import annotations

import dataclasses
from typing import Any

import tensorflow as tf


def length_of(x: tf.Tensor) -> Any:
    """N of `[B, n, …]`: an int where it is known, else a scalar tensor.

    Examples
    --------
    >>> length_of(tf.zeros([2, 5, 3]))
    5
    """
    return tf.shape(x)[1] if x.shape[1] is None else x.shape[1]


def check_length(length: Any, longest: int, what: str) -> None:
    """ValueError that says what to do about sequences that are too long for `what`.

    Where their length is known only when the graph runs, its InvalidArgumentError.
    """
    rule = (
        f"Sequences must not be longer than {what} know; cut them to their newest positions, or "
        f"make these with a larger `max_length`. At most {longest} positions."
    )
    if not isinstance(length, int):
        tf.debugging.assert_less_equal(length, longest, message=f"{rule} Received: more")
    elif length > longest:
        raise ValueError(f"{rule} Received: {length}")


@dataclasses.dataclass(frozen=True)
class Place:
    """The newest n querying and m attended positions, among the longest N and M.

    Attributes
    ----------
    lengths
        n and m: ints where they are known, else scalar tensors.
    longest
        N and M in the same manner.
    """

    lengths: tuple[Any, Any]
    longest: tuple[Any, Any]

    @property
    def older(self) -> tuple[Any, Any]:
        """N - n and M - m: how many positions there are before those of the call."""
        queries, keys = (
            longest - length for longest, length in zip(self.longest, self.lengths, strict=True)
        )
        return queries, keys

    @property
    def is_whole(self) -> bool:
        """Whether it is known that there are none."""
        return all(isinstance(older, int) and older == 0 for older in self.older)

    def reachable(self, causal: bool) -> tf.Tensor:
        """Boolean `[N, M]`: whether a query sees a key, which, if causal, is not after it."""
        queries, keys = self.longest
        if not causal:
            return tf.ones(tf.stack([queries, keys]), tf.bool)
        # The first ones of the call are the same position.
        rows = tf.range(queries) - self.older[0]
        return rows[:, tf.newaxis] >= tf.range(keys) - self.older[1]

    def filled(self, edges: tf.Tensor) -> tf.Tensor:
        """Boolean `[…, N, M]` of edges broadcastable to `[…, n, m]`: false at older positions."""
        if self.is_whole:
            return edges
        shape = tf.concat([tf.shape(edges)[:-2], tf.stack(self.lengths)], axis=0)
        added = [[0, 0]] * (len(edges.shape) - 2) + [[older, 0] for older in self.older]
        return tf.pad(tf.broadcast_to(edges, shape), added)

    def live(self, edges: tf.Tensor | None) -> tf.Tensor | None:
        """The same of edges between items, all of the call's if None; None: all of `[N, M]`."""
        if edges is None and self.is_whole:
            return None
        return self.filled(tf.ones([1, 1, 1], tf.bool) if edges is None else edges)

    def newest(self, gates: tf.Tensor) -> tf.Tensor:
        """`[…, n or 1, m]` of gates `[…, N or 1, M]`."""
        if self.is_whole:
            return gates
        queries, keys = self.lengths
        return gates[..., -queries:, -keys:]
