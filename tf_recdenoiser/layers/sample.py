"""What is random in one evaluation of a model's loss, for the layers that are called in it."""

from __future__ import annotations

import contextvars
import dataclasses
from collections.abc import Callable, Mapping
from typing import Any

import tensorflow as tf

from tf_recdenoiser.estimators import Estimator, StraightThrough
from tf_recdenoiser.layers.part import WHOLE, Part
from tf_recdenoiser.layers.records import GateRecord, Recorder, is_per_sequence

_GATE_STREAM, _NOISE_STREAM, _BRANCH_STREAM, _COIN_STREAM = range(4)


@dataclasses.dataclass(frozen=True)
class Sample:
    """The random numbers of one evaluation, as a function of a seed.

    Two evaluations with the same seed have the same dropout noise and the same uniform numbers;
    they differ in which of the estimator's gates they use.

    Attributes
    ----------
    seed
        Integers `[2]`.
    estimator
        Whose gates are used; straight-through by default.
    index
        Which of the estimator's evaluations this is; 0 by default.
    with_penalties
        Whether layers add their penalties; True by default.
    with_dropout
        Whether dropout drops anything; True by default.
    penalty_divisor
        What layers divide their penalties by; 1 by default, for a train step that divides the
        whole loss itself. None: the number of positions that the layer saw.
    earlier
        What gate layers did in an evaluation whose uniform numbers are used again; empty by
        default.
    changed
        The one gate layer that uses the gates of evaluation `index`, where all others use those
        of evaluation 0. None (default): all of them do.
    is_shared
        Whether what comes before the first gates is computed once for all evaluations; False by
        default.
    before_gates
        That, as attention layers have found it in an earlier evaluation, by layer; empty by
        default.
    rows
        Which sequences of the batch are looked at, integers `[R]`; None (default) for all.
    part
        Which part of the batch is at hand, where several replicas take a step together; all of it
        by default. What is drawn for a sequence does not depend on which replica has it.
    """

    seed: tf.Tensor
    estimator: Estimator = dataclasses.field(default_factory=StraightThrough)
    index: int = 0
    with_penalties: bool = True
    with_dropout: bool = True
    penalty_divisor: float | None = 1.0
    earlier: Mapping[Any, GateRecord] = dataclasses.field(default_factory=dict)
    changed: Any = None
    is_shared: bool = False
    before_gates: Mapping[Any, tuple[tf.Tensor, ...]] = dataclasses.field(default_factory=dict)
    rows: tf.Tensor | None = None
    part: Part = WHOLE

    def again(self, index: int, earlier: Recorder, changed: Any = None) -> Sample:
        """The same noise and uniform numbers, with the gates of evaluation `index`.

        `earlier` is of another evaluation; see the attributes for `changed`.
        """
        return dataclasses.replace(
            self,
            index=index,
            earlier=dict(earlier.gates),
            before_gates=dict(earlier.before_gates),
            changed=changed,
            with_penalties=False,
        )

    def of_first(self, rows: tf.Tensor) -> Sample:
        """Where the model is called with the first `rows` sequences at hand alone."""
        return dataclasses.replace(self, part=self.part.of_first(rows))

    def branch(self, number: int) -> Sample:
        """Of a call of a part of the model once more, without dropout and without penalties."""
        seed = self._fold(_BRANCH_STREAM, number)
        return dataclasses.replace(
            self, seed=seed, with_penalties=False, with_dropout=False, is_shared=False
        )

    def one_in(self, interval: int) -> tf.Tensor:
        """Whether this step is one in `interval` of them, boolean; the same for all who ask."""
        seed = self._fold(_COIN_STREAM, interval)
        return tf.random.stateless_uniform([], seed, maxval=interval, dtype=tf.int32) < 1

    def noise_seed(self, number: int) -> tf.Tensor:
        """The seed, integers `[2]`, of the noise of the layer with this number."""
        return self._fold(_NOISE_STREAM, number)

    def uniform(self, layer: Any, logits: tf.Tensor, number: int) -> tf.Tensor:
        """What the gates of `layer` are drawn by, `[S, *logits.shape]`; `number` of the layer."""
        if layer in self.earlier:
            return self.earlier[layer].first(tf.shape(logits)[0]).uniform
        shape = tf.concat([[self.estimator.uniforms], tf.shape(logits)], axis=0)
        seed = self._fold(_GATE_STREAM, number)

        def draw(shape: tf.Tensor) -> tf.Tensor:
            return tf.random.stateless_uniform(shape, seed, dtype=logits.dtype)

        return self.part.of(draw, shape, axis=1) if is_per_sequence(logits) else draw(shape)

    def gates(self, record: GateRecord) -> tf.Tensor:
        """Of the gates that a layer has drawn, those that this evaluation uses."""
        is_changed = self.changed is None or self.changed is record.layer
        gates = record.gates[self.index if is_changed else 0]
        if self.rows is None or not record.per_sequence:
            return gates
        return tf.gather(gates, self.rows)

    def divided(self, penalty: tf.Tensor, positions: tf.Tensor) -> tf.Tensor:
        """`penalty` divided by `penalty_divisor`."""
        if self.penalty_divisor is None:
            return penalty / tf.maximum(positions, 1.0)
        return penalty / self.penalty_divisor

    def _fold(self, stream: int, number: int) -> tf.Tensor:
        seed = tf.random.experimental.stateless_fold_in(self.seed, stream)
        return tf.random.experimental.stateless_fold_in(seed, number)


@dataclasses.dataclass(frozen=True)
class Evaluation:
    """A sample and the recorder of what layers do with it: a context manager around their call.

    Layers that are called in none make one of their own, so that they train in any Keras model.

    Examples
    --------
    >>> with Evaluation(Sample(tf.constant([0, 1]))) as recorder:
    ...     current_evaluation().recorder is recorder
    True
    """

    sample: Sample
    recorder: Recorder = dataclasses.field(default_factory=Recorder)

    @classmethod
    def unseeded(cls) -> Evaluation:
        """Of a layer in any Keras model: seeded by TensorFlow's global generator."""
        return cls.of_layer(tf.random.uniform([2], maxval=2**31 - 1, dtype=tf.int32))

    @classmethod
    def of_layer(cls, seed: tf.Tensor) -> Evaluation:
        """Of a layer in any Keras model, with a seed of its own, integers `[2]`."""
        return cls(Sample(seed, penalty_divisor=None))

    @property
    def is_of_step(self) -> bool:
        """Whether a train step made it, and not a layer in any Keras model."""
        return self.sample.penalty_divisor is not None

    def before_gates(
        self, layer: Any, compute: Callable[[], tuple[tf.Tensor, ...]], batch: tf.Tensor
    ) -> tuple[tf.Tensor, ...]:
        """What `layer` computes of `batch` sequences before it uses gates, if it is to be shared.

        In a graph the layers that led to it are then left out of all further evaluations.
        """
        if not self.sample.is_shared or self.recorder.has_met_gates:
            return compute()
        known = self.sample.before_gates.get(layer)
        found = compute() if known is None else tuple(tensor[:batch] for tensor in known)
        self.recorder.before_gates[layer] = found
        return found

    def __enter__(self) -> Recorder:
        _ACTIVE.set((*_ACTIVE.get(), self))
        return self.recorder

    def __exit__(self, *_: object) -> None:
        _ACTIVE.set(_ACTIVE.get()[:-1])


_ACTIVE: contextvars.ContextVar[tuple[Evaluation, ...]] = contextvars.ContextVar(
    "evaluations", default=()
)


def current_evaluation() -> Evaluation | None:
    """The innermost evaluation under way, or None."""
    active = _ACTIVE.get()
    return active[-1] if active else None


def noise_seed() -> tf.Tensor | None:
    """A seed for the noise of the layer that asks, integers `[2]`; None where there is none."""
    evaluation = current_evaluation() or Evaluation.unseeded()
    if not evaluation.sample.with_dropout:
        return None
    return evaluation.sample.noise_seed(next(evaluation.recorder.noises))


def part_at_hand() -> Part:
    """Which part of the step's batch the layer that asks is called with."""
    evaluation = current_evaluation()
    return WHOLE if evaluation is None else evaluation.sample.part
