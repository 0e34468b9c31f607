"""A Keras model whose train step drives the gates by an unbiased estimator."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import tensorflow as tf

from tf_recdenoiser import _keras
from tf_recdenoiser._keras import keras, register
from tf_recdenoiser.estimators import (
    Estimator,
    causal_credit,
    get_estimator,
    serialize_estimator,
)
from tf_recdenoiser.layers import Draws, GateRecord, Gates

PARTS = ("data", "sparsity", "jacobian")
"""The parts of the loss of Eq. 13, as they are reported."""


@register
class DenoisingModel(keras.Model):
    """A functional Keras model trained by the paper's objective (Eq. 13).

    (1/N) [ sum over valid targets of the loss + beta sum of sigma(k Phi)
            + (gamma/d) sum of ||J||_F^2 + alpha ||Theta||^2 ]

    N is the number of valid targets in the batch: the sum of the sample weights, or the
    number of losses without them. The gate layers add the second term and
    `JacobianRegularizedBlock` the third; the model looks for no layer by name.

    A train step evaluates the loss as often as the estimator asks, always with the same
    dropout noise. The weights' gradient is that of the first evaluation; the gates' logits
    get the estimator's gradient of the data term, and their penalty's. The Jacobian term
    trains the weights alone.

    Gates of each sequence are held to account for the loss of that sequence alone. Their
    logits depend on the layers below, so that evaluations which change the gates of several
    layers at once would be of different logits: where such gates are in more than the first
    gated layer, the further evaluations are made for each gated layer by itself.

    Layers with a state of their own, such as batch normalisation, update it in every
    evaluation. Keras' own Dropout draws anew in each, which is right but noisier; use
    `layers.Dropout`.

    Use it as `keras.Model`: `DenoisingModel(inputs=…, outputs=…)`, `compile`, `fit`, `save`.
    Progress reports `loss`, its parts, and for each gated layer `density_l` (share of
    reachable gates with keep probability above 1/2) and `keep_l` (mean keep probability).

    Examples
    --------
    >>> from tf_recdenoiser.layers import DenoisingMultiHeadAttention
    >>> inputs = keras.Input([4, 8])
    >>> attended = DenoisingMultiHeadAttention(2, 4)(inputs, inputs)
    >>> outputs = keras.layers.Dense(1)(keras.layers.GlobalAveragePooling1D()(attended))
    >>> model = DenoisingModel(inputs=inputs, outputs=outputs)
    >>> model.compile("adam", loss="mse", estimator="arm")
    >>> history = model.fit(np.ones([6, 4, 8]), np.ones([6, 1]), verbose=0)
    >>> sorted(history.history)
    ['data', 'density_1', 'jacobian', 'keep_1', 'loss', 'sparsity']
    """

    def compile(
        self,
        optimizer: Any = "adam",
        loss: Any = None,
        *,
        gate_optimizer: Any = None,
        estimator: str | dict[str, Any] | Estimator = "disarm",
        credit: bool = False,
        estimator_rows: int | None = None,
        l2: float = 0.0,
        baseline_decay: float = 0.99,
        seed: int | None = None,
        metrics: Any = None,
        weighted_metrics: Any = None,
        jit_compile: bool = False,
        **kwargs: Any,
    ) -> None:
        """Set how the model is trained.

        Parameters
        ----------
        optimizer
            Of the weights.
        loss
            A Keras loss, its name, or a function of `(y_true, y_pred)` that returns one loss
            for each sample `[B]` or each position `[B, n]`.
        gate_optimizer
            Of the gates' logits; Adam with a learning rate of 0.03 by default. With the
            weights' usual 0.001 the gates barely move in a normal run.
        estimator
            Of the gates' gradient: a name from `ESTIMATORS`, or an `Estimator`.
        credit
            Hold a gate to account only for the losses it can change (`causal_credit`). Right
            only if the model is causal: the loss is `[B, n]`, and position u of every layer
            depends on positions up to u alone. Off by default.
        estimator_rows
            Samples of a batch used by the second and further evaluations, and by the first
            in comparison with them; None (default) for all. Batches must be in random order.
        l2
            alpha, on all trainable weights but the gates'.
        baseline_decay
            Of the running mean loss that `ar` and `reinforce` subtract.
        seed
            Of gates, dropout and projections. None (default): drawn from NumPy's generator,
            which `keras.utils.set_random_seed` sets.
        metrics, weighted_metrics, kwargs
            As `keras.Model.compile` takes them.
        jit_compile
            XLA; False by default, since it is slower on a CPU.
        """
        super().compile(
            optimizer=optimizer,
            loss=loss,
            metrics=metrics,
            weighted_metrics=weighted_metrics,
            jit_compile=jit_compile,
            **kwargs,
        )
        if estimator_rows is not None and estimator_rows < 1:
            raise ValueError(
                f"`estimator_rows` must be None or at least 1. Received: {estimator_rows}"
            )
        if l2 < 0:
            raise ValueError(f"`l2` must not be negative. Received: l2={l2}")
        if not 0 <= baseline_decay < 1:
            raise ValueError(f"`baseline_decay` must be in [0, 1). Received: {baseline_decay}")
        self.gate_optimizer = keras.optimizers.get(
            keras.optimizers.Adam(0.03) if gate_optimizer is None else gate_optimizer
        )
        self.estimator = get_estimator(estimator)
        self.credit = credit
        self.estimator_rows = estimator_rows
        self.l2 = l2
        self.baseline_decay = baseline_decay
        self.seed = int(np.random.randint(2**31 - 1)) if seed is None else seed
        self._loss_argument = loss
        self._has_metrics = bool(metrics or weighted_metrics)
        self._metrics_arguments = {"metrics": metrics, "weighted_metrics": weighted_metrics}
        count = len(self.gate_layers)
        names = ["loss", *PARTS] + [
            f"{what}_{index + 1}" for index in range(count) for what in ("density", "keep")
        ]
        self._trackers = [keras.metrics.Mean(name=name) for name in names]

    @property
    def gate_layers(self) -> list[Gates]:
        """The model's gate layers, in the order of its layers."""
        return [layer for layer in _keras.layers_of(self) if isinstance(layer, Gates)]

    def train_step(self, data: Any) -> dict[str, tf.Tensor]:
        x, y, weights = keras.utils.unpack_x_y_sample_weight(data)
        gradients, outputs, parts = self.loss_gradients(x, y, weights, self._step_seed())
        self._apply(gradients)
        return self._logs(parts, x, y, outputs, weights)

    def test_step(self, data: Any) -> dict[str, tf.Tensor]:
        x, y, weights = keras.utils.unpack_x_y_sample_weight(data)
        with Draws(tf.zeros([2], tf.int32)) as draws:
            outputs = self(x, training=False)
        losses, count = self._sample_losses(y, outputs, weights)
        data_loss = tf.reduce_sum(losses) / count
        parts = {"loss": data_loss, "data": data_loss, **_gate_statistics(draws)}
        return self._logs(parts, x, y, outputs, weights)

    def loss_gradients(
        self, x: Any, y: Any, weights: Any, seed: tf.Tensor
    ) -> tuple[list[Any], Any, dict[str, tf.Tensor]]:
        """The gradients of one batch, in the order of `trainable_variables`.

        Parameters
        ----------
        x, y, weights
            A batch; `weights` `[B]` or `[B, n]`, or None.
        seed
            Integers `[2]`: everything random is a function of them.

        Returns
        -------
        Gradients (scaled as the optimizer's loss scale has it), the outputs of the first
        evaluation, and the parts of the loss by name.
        """
        with tf.GradientTape() as tape:
            with Draws(seed, self.estimator, adds_losses=False) as draws:
                outputs = self(x, training=True)
            losses, count = self._sample_losses(y, outputs, weights)
            data_loss = tf.reduce_sum(losses) / count
            penalties = {name: _sum(draws.penalties.get(name, [])) / count for name in PARTS[1:]}
            total = data_loss + _sum([*penalties.values(), *self.losses])
            total += self._weight_decay() / count
            with tape.stop_recording():
                evaluations = self._evaluations(draws, x, y, weights, losses)
            scaled = _keras.scale_loss(
                self.optimizer, total + self._surrogate(draws, evaluations, count)
            )
        gradients = tape.gradient(scaled, self._tensors(self.trainable_variables))
        parts = {"loss": total, "data": data_loss, **penalties, **_gate_statistics(draws)}
        return gradients, outputs, parts

    def _evaluations(
        self, draws: Draws, x: Any, y: Any, weights: Any, first: tf.Tensor
    ) -> list[list[tf.Tensor]]:
        """For each gated layer the losses in each evaluation, `[R]` or `[R, n]`.

        `first` are those of the first evaluation, for the whole batch. R is the batch, or
        `estimator_rows`; the losses are then scaled as if those rows were the batch.
        """
        records = _trained(draws)
        if self.estimator.evaluations == 1 or not records:
            return [[first]] * len(records)
        scale = 1.0
        if self.estimator_rows is not None:
            batch = tf.shape(first)[0]
            rows = tf.minimum(self.estimator_rows, batch)
            scale = tf.cast(batch, tf.float32) / tf.cast(rows, tf.float32)
            x, y, weights, first = tf.nest.map_structure(
                lambda tensor: None if tensor is None else tensor[:rows], (x, y, weights, first)
            )

        def evaluations(changed: Gates | None) -> list[tf.Tensor]:
            losses = [first]
            for index in range(1, self.estimator.evaluations):
                with draws.again(index, changed):
                    outputs = self(x, training=True)
                losses.append(self._sample_losses(y, outputs, weights)[0])
            return [scale * loss for loss in losses]

        if any(record.per_sequence for record in [*draws.records.values()][1:]):
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
            # A gate that is the same in every row is on links of all rows from its own on.
            for_all_rows = record.layer.same_in_every_row
            total = causal_credit(losses, last_layer and not for_all_rows)
            total = tf.linalg.matrix_transpose(total) if for_all_rows else total
        else:
            flat = tf.reshape(losses, [tf.shape(losses)[0], 1, -1])
            total = tf.reduce_sum(flat, axis=-1, keepdims=True)
        return total[:, tf.newaxis] if record.per_sequence else total[0]

    def _surrogate(
        self, draws: Draws, evaluations: list[list[tf.Tensor]], count: tf.Tensor
    ) -> tf.Tensor:
        """A scalar whose gradient in the logits is the estimator's, and is passed on by them."""
        last_layer = next(reversed(draws.records.values()), None)
        terms = []
        for record, found in zip(_trained(draws), evaluations, strict=True):
            last = record is last_layer
            losses = [self._accountable(loss, record, last) / count for loss in found]
            if self.estimator.baseline:
                losses = [losses[0] - record.layer.baseline(losses[0], self.baseline_decay)]
            used = record.first(tf.shape(found[0])[0])
            gradient = self.estimator.gradient(tf.stop_gradient(used.logits), used.uniform, losses)
            gradient = tf.where(used.usable, gradient, tf.zeros_like(gradient))
            terms.append(tf.reduce_sum(tf.stop_gradient(gradient) * used.logits))
        return _sum(terms)

    def _sample_losses(self, y: Any, outputs: Any, weights: Any) -> tuple[tf.Tensor, tf.Tensor]:
        """Weighted losses `[B]` or `[B, n]` in float32, and N, the sum of their weights."""
        losses = tf.cast(self._loss_function(y, outputs), tf.float32)
        if weights is None:
            return losses, tf.maximum(tf.cast(tf.size(losses), tf.float32), 1.0)
        weights = tf.cast(weights, tf.float32)
        for _ in range(losses.shape.rank - weights.shape.rank):
            weights = weights[..., tf.newaxis]
        weights = tf.broadcast_to(weights, tf.shape(losses))
        count = tf.reduce_sum(weights)
        return losses * weights, tf.where(count > 0, count, 1.0)

    @property
    def _loss_function(self) -> Callable[[Any, Any], tf.Tensor]:
        loss = keras.losses.get(self._loss_argument)
        if loss is None:
            raise ValueError("`compile` needs a `loss`. Received: loss=None")
        return loss.call if isinstance(loss, keras.losses.Loss) else loss

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

    def _logs(
        self, parts: dict[str, tf.Tensor], x: Any, y: Any, outputs: Any, weights: Any
    ) -> dict[str, tf.Tensor]:
        logs = {}
        for tracker in self._trackers:
            if tracker.name in parts:
                tracker.update_state(parts[tracker.name])
                logs[tracker.name] = tracker.result()
        if self._has_metrics:
            found = self.compute_metrics(x, y, outputs, weights)
            logs.update({name: value for name, value in found.items() if name not in logs})
        return logs

    def get_compile_config(self) -> dict[str, Any]:
        serialize = keras.utils.serialize_keras_object
        return {
            "optimizer": keras.optimizers.serialize(self.optimizer),
            "gate_optimizer": keras.optimizers.serialize(self.gate_optimizer),
            "loss": serialize(self._loss_argument),
            "estimator": serialize_estimator(self.estimator),
            "credit": self.credit,
            "estimator_rows": self.estimator_rows,
            "l2": self.l2,
            "baseline_decay": self.baseline_decay,
            "seed": self.seed,
            **{name: serialize(value) for name, value in self._metrics_arguments.items()},
        }

    def compile_from_config(self, config: dict[str, Any]) -> None:
        config = dict(config)
        for name in ("optimizer", "gate_optimizer"):
            config[name] = keras.optimizers.deserialize(config[name])
        for name in ("loss", "metrics", "weighted_metrics"):
            config[name] = keras.utils.deserialize_keras_object(config[name])
        self.compile(**config)
        self.build_optimizers()

    def build_optimizers(self) -> None:
        """Create the optimizers' variables, which otherwise the first step does."""
        variables, gate_variables = self._split(self.trainable_variables)
        self.optimizer.build(variables)
        if gate_variables:
            self.gate_optimizer.build(gate_variables)


def _trained(draws: Draws) -> list[GateRecord]:
    """What was drawn by gate layers that have something to learn."""
    return [record for record in draws.records.values() if record.layer.trainable_variables]


def _sum(values: list[tf.Tensor]) -> tf.Tensor:
    return tf.add_n([tf.cast(value, tf.float32) for value in values]) if values else tf.zeros([])


def _gate_statistics(draws: Draws) -> dict[str, tf.Tensor]:
    records: list[GateRecord] = list(draws.records.values())
    return {
        f"{what}_{index + 1}": value
        for index, record in enumerate(records)
        for what, value in (("density", record.density), ("keep", record.mean_keep))
    }
