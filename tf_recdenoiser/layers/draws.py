"""The random numbers of one evaluation of a model's loss, handed to the layers below."""

from __future__ import annotations

import contextvars
import dataclasses
from types import TracebackType
from typing import Any

import tensorflow as tf

from tf_recdenoiser.estimators import Estimator, StraightThrough
from tf_recdenoiser.ops import weighted_mean

_ACTIVE: contextvars.ContextVar[tuple[Draws, ...]] = contextvars.ContextVar("draws", default=())
_GATE_STREAM, _LAYER_STREAM, _BRANCH_STREAM = range(3)


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
    """

    layer: Any
    logits: tf.Tensor
    reachable: tf.Tensor
    uniform: tf.Tensor | None
    gates: tuple[tf.Tensor, ...]

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


def is_per_sequence(logits: tf.Tensor) -> bool:
    """Whether logits belong to one sequence each, `[B, H or 1, n, m]`, and not to all."""
    return bool(logits.shape.rank == 4)


class Draws:
    """All that is random, or counted, in one evaluation of the loss.

    Used as a context manager around a model's call. Two evaluations with the same seed see
    the same dropout noise and the same uniform numbers; they differ in which of the
    estimator's gates they use. Layers that find no active `Draws` make one of their own, so
    that they train in any Keras model.

    Parameters
    ----------
    seed
        Integers `[2]`.
    estimator
        Whose gates are used; straight-through by default.
    index
        Which of the estimator's evaluations this is.
    with_penalties
        Whether layers should work out their penalties.
    adds_losses
        Whether a penalty becomes a loss of its layer, divided by the positions the layer saw;
        otherwise it is only kept in `penalties`, for the model to divide by N.
    with_dropout
        Whether dropout drops anything.

    Attributes
    ----------
    records
        What each gate layer did, by the layer's `id`.
    attention
        What each attention layer did, at inference.
    penalties
        By the part of the loss they belong to.
    rows
        In a `branch` that is called with some sequences of the batch alone, which ones they
        are, integers `[R]`; None for all.

    Examples
    --------
    >>> with Draws(tf.constant([0, 1])) as draws:
    ...     current_draws() is draws
    True
    """

    def __init__(
        self,
        seed: tf.Tensor,
        estimator: Estimator | None = None,
        index: int = 0,
        with_penalties: bool = True,
        adds_losses: bool = True,
        with_dropout: bool = True,
    ) -> None:
        self.seed = seed
        self.estimator = estimator or StraightThrough()
        self.index = index
        self.with_penalties = with_penalties
        self.adds_losses = adds_losses
        self.with_dropout = with_dropout
        self.records: dict[int, GateRecord] = {}
        self.attention: list[AttentionRecord] = []
        self.penalties: dict[str, list[tf.Tensor]] = {}
        self.rows: tf.Tensor | None = None
        self._earlier: dict[int, GateRecord] = {}
        self._changed: Any = None
        self._layer_draws = 0
        self._branches = 0

    @classmethod
    def unseeded(cls) -> Draws:
        """Draws seeded from TensorFlow's global generator (`tf.random.set_seed`)."""
        return cls(tf.random.uniform([2], maxval=2**31 - 1, dtype=tf.int32))

    def __enter__(self) -> Draws:
        _ACTIVE.set((*_ACTIVE.get(), self))
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        _ACTIVE.set(_ACTIVE.get()[:-1])

    def _fold(self, stream: int, number: int) -> tf.Tensor:
        seed = tf.random.experimental.stateless_fold_in(self.seed, stream)
        return tf.random.experimental.stateless_fold_in(seed, number)

    def next_seed(self) -> tf.Tensor:
        """A seed for one layer's noise; the same in every evaluation with this seed."""
        self._layer_draws += 1
        return self._fold(_LAYER_STREAM, self._layer_draws)

    def branch(self) -> Draws:
        """Draws for calling a part of the model once more, with the gates already drawn.

        What the branch draws does not shift what comes after it. It adds no penalties, and
        nothing is dropped out in it.
        """
        self._branches += 1
        branch = Draws(
            self._fold(_BRANCH_STREAM, self._branches),
            self.estimator,
            self.index,
            with_penalties=False,
            with_dropout=False,
        )
        branch.records = self.records
        return branch

    def again(self, index: int, changed: Any = None) -> Draws:
        """Draws for evaluating the loss again: the same noise, the gates of evaluation `index`.

        The model may be called with the first sequences of the batch alone, which then have
        the uniform numbers that they have here.

        Parameters
        ----------
        index
            Which of the estimator's evaluations it is.
        changed
            A gate layer: all others then draw as in this evaluation. None (default): all
            layers use the gates of evaluation `index`.
        """
        draws = Draws(self.seed, self.estimator, index, with_penalties=False)
        draws._earlier = self.records
        draws._changed = changed
        return draws

    def gates(self, layer: Any, logits: tf.Tensor, reachable: tf.Tensor) -> tf.Tensor:
        """The gates of `layer`: drawn once, and the same when it is called again."""
        if id(layer) not in self.records:
            uniform = self.uniform(layer, logits)
            drawn = self.estimator.gates(logits, uniform)
            self.records[id(layer)] = GateRecord(layer, logits, reachable, uniform, drawn)
        record = self.records[id(layer)]
        changed = self._changed is None or self._changed is layer
        gates = record.gates[self.index if changed else 0]
        if self.rows is None or not record.per_sequence:
            return gates
        return tf.gather(gates, self.rows)

    def uniform(self, layer: Any, logits: tf.Tensor) -> tf.Tensor:
        """The uniform numbers that the gates of `layer` are drawn by, `[S, *logits.shape]`."""
        if id(layer) in self._earlier:
            return self._earlier[id(layer)].first(tf.shape(logits)[0]).uniform
        shape = tf.concat([[self.estimator.uniforms], tf.shape(logits)], axis=0)
        seed = self._fold(_GATE_STREAM, len(self.records))
        return tf.random.stateless_uniform(shape, seed, dtype=logits.dtype)

    def observe(
        self, layer: Any, logits: tf.Tensor, reachable: tf.Tensor, gates: tf.Tensor
    ) -> None:
        """Note the deterministic gates that `layer` used at inference."""
        self.records[id(layer)] = GateRecord(layer, logits, reachable, None, (gates,))

    def observe_attention(self, gates: tf.Tensor | None, weights: tf.Tensor) -> None:
        """Note by which gates and weights one more attention layer attended at inference."""
        self.attention.append(AttentionRecord(gates, weights))

    def add_penalty(self, layer: Any, name: str, total: tf.Tensor, positions: tf.Tensor) -> None:
        """Take a penalty into account.

        Parameters
        ----------
        layer
            The layer it comes from.
        name
            The part of the loss it belongs to.
        total
            The penalty of the whole batch, a scalar.
        positions
            How many positions the layer saw, padding not counted.
        """
        self.penalties.setdefault(name, []).append(total)
        if self.adds_losses:
            layer.add_loss(total / tf.maximum(positions, 1.0))


def current_draws() -> Draws | None:
    """The innermost active `Draws`, or None."""
    active = _ACTIVE.get()
    return active[-1] if active else None
