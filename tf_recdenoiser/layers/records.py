"""What the layers of a model did in one evaluation of its loss."""

from __future__ import annotations

import dataclasses
import itertools
from collections.abc import Iterator
from typing import Any

import tensorflow as tf

from tf_recdenoiser.ops.gates import weighted_mean


def is_per_sequence(logits: tf.Tensor) -> bool:
    """Whether each sequence has logits of its own, `[B, H or 1, n, m]`."""
    return bool(logits.shape.rank == 4)


@dataclasses.dataclass(frozen=True)
class GateRecord:
    """What one gate layer did in one evaluation.

    Attributes
    ----------
    layer
        The gate layer.
    logits
        k Phi, `[n, m]` or `[H, n, m]`, or `[B, H or 1, n, m]` for gates of each sequence: n
        querying and m attended positions. `[1, m]` for gates that are the same in every row.
    reachable
        Boolean `[n, m]`: entries that attention can use at all. For gates of each sequence
        `[B or 1, 1, n, m]`: edges that it can use, those with padding left out.
    uniform
        `[S, *logits.shape]`, or None at inference.
    gates
        The gates of each of the estimator's evaluations; the deterministic ones at inference.
    dual
        With `target_density` the multiplier lambda after this step, a scalar; None otherwise.
    older
        How many positions the logits have before those of the call, querying and attended; none
        by default.
    """

    layer: Any
    logits: tf.Tensor
    reachable: tf.Tensor
    uniform: tf.Tensor | None
    gates: tuple[tf.Tensor, ...]
    dual: tf.Tensor | None = None
    older: tuple[Any, Any] = (0, 0)

    @property
    def per_sequence(self) -> bool:
        """Whether each sequence of the batch has gates of its own."""
        return is_per_sequence(self.logits)

    @property
    def usable(self) -> tf.Tensor:
        """Boolean, broadcastable to the logits: the gates on edges that attention can use."""
        if not self.layer.same_in_every_row:
            return self.reachable
        return tf.reduce_any(self.reachable, axis=-2, keepdims=True)

    def first(self, rows: tf.Tensor) -> GateRecord:
        """The record of the first `rows` sequences of the batch."""
        if not self.per_sequence:
            return self
        return dataclasses.replace(
            self,
            logits=self.logits[:rows],
            reachable=self.reachable[:rows],
            uniform=None if self.uniform is None else self.uniform[:, :rows],
            gates=tuple(gates[:rows] for gates in self.gates),
        )

    def share(self, values: tf.Tensor) -> tf.Tensor:
        """The mean of `values` (shape of the logits) over reachable entries, a scalar."""
        return weighted_mean(values, self.reachable)

    @property
    def count(self) -> tf.Tensor:
        """The number of reachable gates, a scalar of the logits' dtype."""
        shape = tf.broadcast_dynamic_shape(tf.shape(self.logits), tf.shape(self.reachable))
        return tf.reduce_sum(tf.cast(tf.broadcast_to(self.reachable, shape), self.logits.dtype))

    @property
    def density(self) -> tf.Tensor:
        """Realised density: the share of reachable gates kept with probability above 1/2."""
        return self.share(tf.cast(self.logits > 0, self.logits.dtype))

    @property
    def mean_keep(self) -> tf.Tensor:
        """The mean keep probability of reachable gates."""
        return self.share(tf.sigmoid(self.logits))


@dataclasses.dataclass(frozen=True)
class AttentionRecord:
    """What one attention layer did at inference.

    Attributes
    ----------
    gates
        Those it used, broadcastable to the weights; None if it has none that learn.
    weights
        Its attention weights `[B, H, n, m]`, gated if it has gates.
    """

    gates: tf.Tensor | None
    weights: tf.Tensor


@dataclasses.dataclass
class Recorder:
    """Keeps what layers did in one evaluation, in the order in which they were called.

    Attributes
    ----------
    gates
        What each gate layer did.
    attention
        What each attention layer did, at inference.
    noises, branches
        The numbers, from 1, of layers that draw noise such as dropout's, and of calls of a part of
        the model once more.
    penalties
        Those that layers added, by part of the loss, if several replicas take a step together.
    before_gates
        What attention layers found that no gates have a part in, by layer.
    has_met_gates
        Whether an attention layer has used gates, on which all that follows depends.
    """

    gates: dict[Any, GateRecord] = dataclasses.field(default_factory=dict)
    attention: list[AttentionRecord] = dataclasses.field(default_factory=list)
    noises: Iterator[int] = dataclasses.field(default_factory=lambda: itertools.count(1))
    branches: Iterator[int] = dataclasses.field(default_factory=lambda: itertools.count(1))
    penalties: dict[str, list[tf.Tensor]] = dataclasses.field(default_factory=dict)
    before_gates: dict[Any, tuple[tf.Tensor, ...]] = dataclasses.field(default_factory=dict)
    has_met_gates: bool = False
