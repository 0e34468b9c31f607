"""The train step that gates need, shared by models of any loss."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, ClassVar

import numpy as np
import tensorflow as tf

from tf_recdenoiser import _keras
from tf_recdenoiser._keras import NotInHDF5, OfGraphOrOwnCall, keras
from tf_recdenoiser.estimators import Estimator, causal_credit, get_estimator
from tf_recdenoiser.layers import Gates
from tf_recdenoiser.layers.part import WHOLE, Part
from tf_recdenoiser.layers.penalty import penalties_of
from tf_recdenoiser.layers.records import GateRecord, Recorder
from tf_recdenoiser.layers.sample import Evaluation, Sample
from tf_recdenoiser.ops.checks import require
from tf_recdenoiser.training.baseline import Baseline
from tf_recdenoiser.training.optimizers import Adam

PARTS = ("data", "sparsity", "jacobian")
"""The parts of the loss of Eq. 13, as they are reported."""

GATE_STATISTICS = ("density", "keep")
"""What is reported of each gated layer, by names that end with its number."""

_OF_GATES = (*GATE_STATISTICS, "gates")

# Comes before a Keras model among a class's bases.
_BeforeKerasModel: Any = object


GATE_LEARNING_RATE = 0.03
"""Of the gates' Adam, which moves a logit by no more than about this in a step."""


class GateTraining(OfGraphOrOwnCall, NotInHDF5, _BeforeKerasModel):
    """What `compile` sets and a train step computes for a Keras model with gates in it.

    A subclass derives from this class and then from a Keras model, and says by `_batch_losses`
    how a batch is evaluated. `DenoisingModel` does so for Keras models of any loss, and
    `retrieval.DenoisingRetrieval` for those of TensorFlow Recommenders.

    Attributes
    ----------
    ends_position_wise
        Whether nothing mixes positions after the model's last gates, such as further attention or
        a recurrence. Causal credit then holds these to account for their own position alone.
        False by default, which is right for every causal model.
    repeats_exactly
        Whether a part of the model that no gates come before does the same in every evaluation of a
        step, as it does where nothing in it is random but `layers.Dropout`, and nothing has a state
        that training changes. It is then computed once. False by default.
    """

    ends_position_wise: ClassVar[bool] = False
    repeats_exactly: ClassVar[bool] = False

    def compile(
        self,
        optimizer: Any = "adam",
        *,
        gate_optimizer: Any = None,
        estimator: str | dict[str, Any] | Estimator = "disarm",
        credit: bool = False,
        estimator_batch_size: int | None = None,
        l2: float = 0.0,
        baseline_decay: float = 0.99,
        seed: int | None = None,
        jit_compile: bool = False,
        **kwargs: Any,
    ) -> None:
        """Set how the model is trained.

        Parameters
        ----------
        optimizer
            Of the weights.
        gate_optimizer
            Of the gates' logits; Adam by default, with `GATE_LEARNING_RATE`.
        estimator
            Of the gates' gradient: a name from `ESTIMATORS`, or an `Estimator`.
        credit
            Hold a gate to account only for the losses it can change (`causal_credit`). Right
            only if the model is causal: the loss is `[B, n]`, and position u of every layer
            depends on positions up to u alone. Off by default.
        estimator_batch_size
            Samples of a batch used by the second and further evaluations, and by the first
            in comparison with them; None (default) for all. Batches must be in random order.
        l2
            alpha, on all trainable weights but the gates'.
        baseline_decay
            Of the running mean loss that `ar` and `reinforce` subtract.
        seed
            Of gates, dropout and projections. None (default): drawn from NumPy's generator,
            which `keras.utils.set_random_seed` sets.
        jit_compile
            XLA; False by default, since it is slower on a CPU.
        kwargs
            As `keras.Model.compile` takes them.
        """
        super().compile(optimizer=optimizer, jit_compile=jit_compile, **kwargs)
        holds = estimator_batch_size is None or estimator_batch_size >= 1
        require(holds, "estimator_batch_size", estimator_batch_size, "be None or at least 1")
        require(l2 >= 0, "l2", l2, "not be negative")
        require(0 <= baseline_decay < 1, "baseline_decay", baseline_decay, "be in [0, 1)")
        self.gate_optimizer = keras.optimizers.get(gate_optimizer or Adam(GATE_LEARNING_RATE))
        self.estimator = get_estimator(estimator)
        self.credit = credit
        self.estimator_batch_size = estimator_batch_size
        self.l2 = l2
        self.baseline_decay = baseline_decay
        self.seed = int(np.random.randint(2**31 - 1)) if seed is None else seed
        self._report(["loss", *self._parts])
        self._report_gates()
        # Past Keras' tracking, by which tf_keras would make layers of the model of them; they are
        # saved with it as any attribute.
        self.__dict__.setdefault("_baselines", [])

    def fit(self, *args: Any, **kwargs: Any) -> Any:
        """As `keras.Model.fit`.

        Where an optimizer keeps moving averages (`use_ema`), they take the place of what it
        trained at the end.
        """
        if getattr(self, "optimizer", None) is None:
            return super().fit(*args, **kwargs)  # Keras says what is wrong
        strategy = self.distribute_strategy
        if _keras.IS_KERAS_3 and strategy.num_replicas_in_sync > 1:
            if not self.built:
                raise ValueError(
                    "A model with a `call` of its own must have its weights before several "
                    "replicas train it; call it once on a batch, in the scope of the strategy. "
                    f"Received: {self.name}, which has none"
                )
            # On the replicas, where Keras 3 would do it, a second optimizer's cannot be made.
            with strategy.scope():
                self.build_optimizers()
        with _keras.finalizing_by(self.optimizer, self._finalize):
            return super().fit(*args, **kwargs)

    @property
    def metrics(self) -> list[Any]:
        """Keras' own, and what the train step reports."""
        return [*super().metrics, *self.__dict__.get("_trackers", ())]

    def _report(self, names: list[str], known: Sequence[Any] = ()) -> None:
        """Report what is called by these names, beside what is `known`."""
        new = [keras.metrics.Mean(name=name) for name in names]
        # Past Keras' tracking, which takes nothing more for a model that is built.
        self.__dict__["_trackers"] = [*known, *new]

    def _report_gates(self) -> None:
        """Report every gate layer there is: a model makes its own in its first call at last."""
        reported = {tracker.name for tracker in self._trackers}
        numbers = range(1, len(self.gate_layers) + 1)
        names = [f"{what}_{number}" for number in numbers for what in GATE_STATISTICS]
        if not reported.issuperset(names):
            self._report([name for name in names if name not in reported], self._trackers)

    def _finalize(self) -> None:
        pairs = zip(
            (self.optimizer, self.gate_optimizer),
            self._split(self.trainable_variables),
            strict=True,
        )
        for optimizer, variables in pairs:
            if variables:
                type(optimizer).finalize_variable_values(optimizer, variables)

    @property
    def gate_layers(self) -> list[Gates]:
        """The model's gate layers, in the order of its layers."""
        return [layer for layer in _keras.layers_of(self) if isinstance(layer, Gates)]

    @property
    def _parts(self) -> tuple[str, ...]:
        """The names that parts of the loss are reported by."""
        return PARTS

    def _batch_losses(self, batch: Any) -> tuple[tf.Tensor, tf.Tensor, Any]:
        """Losses `[B]` or `[B, n]` in float32, N, what to divide their sum by, and outputs.

        Where N is 0, their sum is divided by 1, and the batch does not count in reports.
        """
        raise TypeError(f"{type(self).__name__} must define `_batch_losses`.")

    def _batch_gradients(
        self, batch: Any, seed: tf.Tensor
    ) -> tuple[list[Any], Any, dict[str, Any]]:
        """The gradients of one batch, the first evaluation's outputs, the parts of the loss."""
        with tf.GradientTape() as tape:
            shared = self.repeats_exactly
            sample = Sample(seed, self.estimator, is_shared=shared, part=_part_of(batch))
            with Evaluation(sample) as recorder:
                losses, targets, outputs = self._batch_losses(batch)
            targets = self._targets_of_step(targets)
            count = at_least_some(targets)
            data_loss = tf.reduce_sum(losses) / count
            penalties, others = self._added_losses(count, recorder)
            total = data_loss + _sum([*penalties.values(), *map(_part_of_replica, others)])
            total += _part_of_replica(self._weight_decay() / count)
            with tape.stop_recording():
                evaluations = self._evaluations(sample, recorder, batch, losses)
            scaled = _keras.scale_loss(
                self.optimizer, total + self._surrogate(recorder, evaluations, count)
            )
        gradients = tape.gradient(scaled, self._tensors(self.trainable_variables))
        for record in recorder.gates.values():
            if record.dual is not None:
                record.layer.dual.assign(record.dual)
        parts = {"loss": total, "data": data_loss, **penalties}
        if _keras.replica_count() > 1:
            # What all replicas report is averaged, and the loss is the sum of what each has.
            parts = {name: value * _keras.replica_count() for name, value in parts.items()}
            targets = _part_of_replica(targets)
        return gradients, outputs, {**parts, "targets": targets, **gate_statistics(recorder)}

    def _targets_of_step(self, targets: tf.Tensor) -> tf.Tensor:
        """N of a step, of which `targets` are those of this replica."""
        return _keras.sum_over_replicas(targets)

    def _track(self, parts: dict[str, tf.Tensor]) -> dict[str, tf.Tensor]:
        """What is reported of `parts`: means over what the batches have behind each."""
        logs = {}
        for tracker in self._trackers:
            name = tracker.name
            if name in parts:
                kind, _, layer = name.partition("_")
                behind = f"gates_{layer}" if kind in GATE_STATISTICS else "targets"
                tracker.update_state(parts[name], sample_weight=parts[behind])
                logs[name] = tracker.result()
        return logs

    def _added_losses(
        self, count: tf.Tensor, recorder: Recorder
    ) -> tuple[dict[str, tf.Tensor], list[tf.Tensor]]:
        """The penalties of Eq. 13 by name, divided by `count`, and what else layers added."""
        found = penalties_of(self, recorder)
        known = {id(penalty) for part in found.values() for penalty in part}
        others = [loss for loss in self.losses if id(loss) not in known]
        return {name: _sum(found.get(name, [])) / count for name in PARTS[1:]}, others

    def _evaluations(
        self, sample: Sample, recorder: Recorder, batch: Any, first: tf.Tensor
    ) -> list[list[tf.Tensor]]:
        """For each gated layer the losses in each evaluation, `[R]` or `[R, n]`.

        `first` are those of the first evaluation, for the whole batch. R is the batch, or
        `estimator_batch_size`; the losses are then scaled as if those rows were the batch.
        """
        records = _trained(recorder)
        if self.estimator.evaluations == 1 or not records:
            return [[first]] * len(records)
        scale = 1.0
        if self.estimator_batch_size is not None:
            size = tf.shape(first)[0]
            rows = tf.minimum(self.estimator_batch_size, size)
            sample = sample.of_first(rows)
            scale = tf.cast(size, tf.float32) / tf.cast(rows, tf.float32)
            batch, first = tf.nest.map_structure(
                lambda tensor: None if tensor is None else tensor[:rows], (batch, first)
            )

        def evaluations(changed: Gates | None) -> list[tf.Tensor]:
            losses = [first]
            for index in range(1, self.estimator.evaluations):
                with Evaluation(sample.again(index, recorder, changed)):
                    losses.append(self._batch_losses(batch)[0])
            return [scale * loss for loss in losses]

        if any(record.per_sequence for record in [*recorder.gates.values()][1:]):
            return [evaluations(record.layer) for record in records]
        return [evaluations(None)] * len(records)

    def _accountable(self, losses: tf.Tensor, record: GateRecord, last_layer: bool) -> tf.Tensor:
        """What a layer's gates answer for, broadcastable to their logits."""
        if self.credit and losses.shape.rank != 2:
            raise ValueError(
                "`credit=True` needs a loss for each position, of shape [B, n]; compile with "
                f"`credit=False`. Received: losses of shape {losses.shape}"
            )
        if not record.per_sequence:
            losses = tf.reduce_sum(losses, axis=0, keepdims=True)
        if self.credit:
            losses = _with_older(losses, record)
            # A gate that is the same in every row is on edges of all rows from its own on.
            for_all_rows = record.layer.same_in_every_row
            total = causal_credit(losses, last_layer and not for_all_rows)
            total = tf.linalg.matrix_transpose(total) if for_all_rows else total
        else:
            flat = tf.reshape(losses, [tf.shape(losses)[0], 1, -1])
            total = tf.reduce_sum(flat, axis=-1, keepdims=True)
        return total[:, tf.newaxis] if record.per_sequence else total[0]

    def _surrogate(
        self, recorder: Recorder, evaluations: list[list[tf.Tensor]], count: tf.Tensor
    ) -> tf.Tensor:
        """A scalar whose gradient in the logits is the estimator's, and is passed on by them."""
        last_layer = None
        if self.ends_position_wise:
            last_layer = next(reversed(recorder.gates.values()), None)
        terms = []
        for record, found in zip(_trained(recorder), evaluations, strict=True):
            # Shared gates are on edges of earlier blocks too.
            last = record is last_layer and not record.layer.shared
            losses = [self._accountable(loss, record, last) / count for loss in found]
            if self.estimator.baseline:
                losses = [losses[0] - self._baseline(record.layer, losses[0])]
            used = (
                record if self.estimator_batch_size is None else record.first(tf.shape(found[0])[0])
            )
            gradient = self.estimator.gradient(tf.stop_gradient(used.logits), used.uniform, losses)
            gradient = tf.where(used.usable, gradient, tf.zeros_like(gradient))
            terms.append(tf.reduce_sum(tf.stop_gradient(gradient) * used.logits))
        return _sum(terms)

    def _build_baselines(self) -> None:
        """Create the running means of losses, one for each gate layer, if any are wanted."""
        if self.estimator.baseline and not self._baselines:
            with tf.init_scope():
                self._baselines.extend(Baseline(layer) for layer in self.gate_layers)

    def _baseline(self, layer: Gates, loss: tf.Tensor) -> tf.Tensor:
        """The mean of the earlier losses that the gates of `layer` answered for."""
        self._build_baselines()
        pairs = zip(self.gate_layers, self._baselines, strict=True)
        return next(mean for gates, mean in pairs if gates is layer).update(
            loss, self.baseline_decay
        )

    def _weight_decay(self) -> tf.Tensor:
        if self.l2 == 0:
            return tf.zeros([])
        squares = [
            tf.reduce_sum(tf.square(tf.cast(tensor, tf.float32)))
            for tensor in self._tensors(self._split(self.trainable_variables)[0])
        ]
        return self.l2 * _sum(squares)

    @staticmethod
    def _tensors(variables: list[Any]) -> list[tf.Variable]:
        return [_keras.raw_variable(variable) for variable in variables]

    def _split(self, values: list[Any]) -> tuple[list[Any], list[Any]]:
        """`values`, one for each trainable variable, parted into the weights' and the gates'."""
        gates = {id(v) for layer in self.gate_layers for v in layer.trainable_variables}
        of_gates = [id(variable) in gates for variable in self.trainable_variables]
        weights = [v for v, gate in zip(values, of_gates, strict=True) if not gate]
        return weights, [v for v, gate in zip(values, of_gates, strict=True) if gate]

    def _apply(self, gradients: list[Any]) -> None:
        variables, gate_variables = self._split(self.trainable_variables)
        of_weights, of_gates = self._split(gradients)
        scale = _keras.loss_scale(self.optimizer)
        of_weights = _keras.unscale_gradients(self.optimizer, of_weights)
        if variables:
            self.optimizer.apply_gradients(zip(of_weights, variables, strict=True))
        if gate_variables:
            if _keras.scales_loss(self.optimizer):
                # A float16 overflow must not reach Adam's moments, which it would spoil for good.
                of_gates = [tf.where(tf.math.is_finite(g), g / scale, 0.0) for g in of_gates]
            self.gate_optimizer.apply_gradients(zip(of_gates, gate_variables, strict=True))

    def _step_seed(self) -> tf.Tensor:
        """A function of the seed and of the steps taken, so that a resumed run repeats it."""
        step = tf.cast(tf.convert_to_tensor(self.optimizer.iterations), tf.int32)
        return tf.random.experimental.stateless_fold_in(tf.constant([self.seed, 0]), step)

    def build_optimizers(self) -> None:
        """Create the variables of optimizers and baselines, which otherwise the first step does."""
        self._build_baselines()
        variables, gate_variables = self._split(self.trainable_variables)
        self.optimizer.build(variables)
        if gate_variables:
            self.gate_optimizer.build(gate_variables)


def _trained(recorder: Recorder) -> list[GateRecord]:
    """What was drawn by gate layers that have something to learn."""
    return [record for record in recorder.gates.values() if record.layer.trainable_variables]


def _with_older(losses: tf.Tensor, record: GateRecord) -> tf.Tensor:
    """Position losses `[B, n]` with 0 for the older positions that a layer's logits know."""
    older = record.older[1 if record.layer.same_in_every_row else 0]
    return losses if isinstance(older, int) and older == 0 else tf.pad(losses, [[0, 0], [older, 0]])


def _part_of(batch: Any) -> Part:
    """Which part of the batch a replica has, whose tensors have a row for each sequence."""
    if _keras.replica_count() == 1:
        return WHOLE
    tensors = [tensor for tensor in tf.nest.flatten(batch) if tensor is not None]
    return Part.of_replica(tf.shape(tensors[0])[0])


def _sum(values: list[tf.Tensor]) -> tf.Tensor:
    return tf.add_n([tf.cast(value, tf.float32) for value in values]) if values else tf.zeros([])


def _part_of_replica(value: tf.Tensor) -> tf.Tensor:
    """What one replica has of a value that counts once in a step."""
    count = _keras.replica_count()
    return value if count == 1 else value / count


def at_least_some(targets: tf.Tensor) -> tf.Tensor:
    """N, or 1 where a batch has no valid targets."""
    return tf.where(targets > 0, targets, 1.0)


def gate_statistics(recorder: Recorder) -> dict[str, tf.Tensor]:
    """For each gated layer `density_l` and `keep_l`, as they are reported, and `gates_l`.

    That is the number of the gates of which they are means.
    """
    found = {}
    for index, record in enumerate(recorder.gates.values(), start=1):
        values = (record.density, record.mean_keep, record.count)
        found.update(
            {f"{name}_{index}": value for name, value in zip(_OF_GATES, values, strict=True)}
        )
    return found
