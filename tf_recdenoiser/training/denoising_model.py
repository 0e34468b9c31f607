"""A Keras model whose train step drives the gates by an unbiased estimator."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any

import tensorflow as tf

from tf_recdenoiser import _keras
from tf_recdenoiser._keras import implicit_mask, keras, register
from tf_recdenoiser.estimators import serialize_estimator
from tf_recdenoiser.layers.sample import Evaluation, Sample
from tf_recdenoiser.training.gate_training import GateTraining, at_least_some, gate_statistics
from tf_recdenoiser.training.output_losses import is_several, names_of, of_outputs


@register
class DenoisingModel(GateTraining, keras.Model):
    """A Keras model trained by the paper's objective (Eq. 13).

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

    Use it as `keras.Model`: `DenoisingModel(inputs=…, outputs=…)`, or a subclass with a `call` of
    its own; `compile`, `fit`, `save`.
    Over the batches each counts by its N, so that a data loss is the same for all batch sizes.
    Progress reports `loss`, its parts, and for each gated layer `density_l` (share of
    reachable gates with keep probability above 1/2) and `keep_l` (mean keep probability).

    Examples
    --------
    >>> import numpy as np
    >>> from tf_recdenoiser.layers import DenoisingMultiHeadAttention
    >>> inputs = keras.Input([4, 8])
    >>> attended = DenoisingMultiHeadAttention(2, 4)(inputs, inputs)
    >>> outputs = keras.layers.Dense(1)(keras.layers.GlobalAveragePooling1D()(attended))
    >>> model = DenoisingModel(inputs=inputs, outputs=outputs)
    >>> model.compile("adam", loss="mse", estimator="arm")
    >>> history = model.fit(np.ones([6, 4, 8]), np.ones([6, 1]), verbose=0)
    >>> sorted(history.history)
    ['data', 'density_1', 'jacobian', 'keep_1', 'loss', 'sparsity']

    The same as a subclass:

    >>> class Attending(DenoisingModel):
    ...     def __init__(self):
    ...         super().__init__()
    ...         self.attention = DenoisingMultiHeadAttention(2, 4)
    ...         self.outputs_of = keras.layers.Dense(1)
    ...
    ...     def call(self, x):
    ...         return self.outputs_of(tf.reduce_mean(self.attention(x, x), axis=1))
    >>> model = Attending()
    >>> model.compile("adam", loss="mse")
    >>> sorted(model.fit(np.ones([6, 4, 8]), np.ones([6, 1]), verbose=0).history)
    ['data', 'density_1', 'jacobian', 'keep_1', 'loss', 'sparsity']
    """

    def compile(
        self,
        optimizer: Any = "adam",
        loss: Any = None,
        *,
        loss_weights: Any = None,
        metrics: Any = None,
        weighted_metrics: Any = None,
        **kwargs: Any,
    ) -> None:
        """Set how the model is trained.

        Parameters
        ----------
        optimizer
            Of the weights.
        loss
            A Keras loss, its name, or a function of `(y_true, y_pred)` that returns one loss
            for each sample `[B]` or each position `[B, n]`. For several outputs a list of these
            in the order of outputs, a dict by their names, with None or nothing for an output
            without a loss, or one for all of them. A sample's loss is then the sum over outputs
            of its mean, and this is what gates answer for; `credit` cannot be used.
        loss_weights
            Numbers by which the outputs' losses count, in the structure of `loss`, or one for
            all; None (default) for 1.
        metrics, weighted_metrics
            As `keras.Model.compile` takes them.
        kwargs
            How the gates are trained, and what else `keras.Model.compile` takes; see
            `GateTraining.compile`.
        """
        super().compile(
            optimizer,
            loss=loss,
            loss_weights=loss_weights,
            metrics=metrics,
            weighted_metrics=weighted_metrics,
            **kwargs,
        )
        if is_several(loss) and is_several(loss_weights) and type(loss_weights) is not type(loss):
            raise ValueError(
                "`loss_weights` must have the structure of `loss`, a dict or a list. "
                f"Received: loss_weights={loss_weights!r}"
            )
        self._loss_weights = loss_weights
        self._loss_argument = loss
        self._has_metrics = bool(metrics or weighted_metrics)
        self._metrics_arguments = {"metrics": metrics, "weighted_metrics": weighted_metrics}

    def train_step(self, data: Any) -> dict[str, tf.Tensor]:
        x, y, weights = keras.utils.unpack_x_y_sample_weight(data)
        self._build_for(x)
        gradients, outputs, parts = self.loss_gradients(x, y, weights, self._step_seed())
        self._apply(gradients)
        return self._logs(parts, x, y, outputs, weights)

    def test_step(self, data: Any) -> dict[str, tf.Tensor]:
        x, y, weights = keras.utils.unpack_x_y_sample_weight(data)
        self._build_for(x)
        with Evaluation(Sample(tf.zeros([2], tf.int32))) as recorder:
            outputs = self(x, training=False)
        losses, targets = self._sample_losses(y, outputs, weights)
        data_loss = tf.reduce_sum(losses) / at_least_some(targets)
        parts = {"loss": data_loss, "data": data_loss, **gate_statistics(recorder)}
        parts["targets"] = targets
        return self._logs(parts, x, y, outputs, weights)

    def _build_for(self, x: Any) -> None:
        """Have a model with a `call` of its own make its layers, for inputs like `x`."""
        if not self.built:
            _keras.build_by_call(self, x)
            self._report_gates()

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
        return self._batch_gradients((x, y, weights), seed)

    def _batch_losses(self, batch: Any) -> tuple[tf.Tensor, tf.Tensor, Any]:
        x, y, weights = batch
        outputs = self(x, training=True)
        return (*self._sample_losses(y, outputs, weights), outputs)

    def _sample_losses(self, y: Any, outputs: Any, weights: Any) -> tuple[tf.Tensor, tf.Tensor]:
        """Weighted losses `[B]` or `[B, n]` in float32, and N, the sum of their weights.

        As everywhere in Keras, positions that the outputs' mask leaves out have no loss.
        """
        names = names_of(self, outputs)
        losses = of_outputs("loss", self._loss_argument, names)
        factors = of_outputs("loss_weights", self._loss_weights, names)
        factors = [1.0 if factor is None else factor for factor in factors]
        if not is_several(outputs):
            if is_several(self._loss_argument):
                y, weights = (of_outputs("y", value, names)[0] for value in (y, weights))
            found, targets = self._losses_of_output(losses[0], y, outputs, weights)
            return (found if factors[0] == 1 else factors[0] * found), targets
        if all(loss is None for loss in losses):
            raise ValueError("`compile` needs a `loss`. Received: loss=None")
        targets = of_outputs("y", y, names, needed=None not in losses)
        of_each = of_outputs("sample_weight", weights, names)
        in_order = [outputs[name] for name in names] if isinstance(outputs, dict) else outputs
        parts = zip(losses, factors, targets, in_order, of_each, strict=True)
        return self._total(part for part in parts if part[0] is not None)

    def _total(self, parts: Iterable[Any]) -> tuple[tf.Tensor, tf.Tensor]:
        """The sum of several outputs' losses `[B]`, and B: their mean is the sum of the means."""
        total: Any = 0.0
        for loss, factor, y, output, weights in parts:
            losses, targets = self._losses_of_output(loss, y, output, weights)
            size = tf.shape(losses)[0]
            losses = tf.reduce_sum(tf.reshape(losses, [size, -1]), axis=1)
            size = tf.cast(size, tf.float32)
            total += factor * losses * (size / at_least_some(targets))
        return total, size

    def _losses_of_output(
        self, loss: Any, y: Any, outputs: Any, weights: Any
    ) -> tuple[tf.Tensor, tf.Tensor]:
        losses = tf.cast(_function_of(loss)(y, outputs), tf.float32)
        weights = _with_mask(weights, implicit_mask(outputs), losses)
        if weights is None:
            return losses, tf.cast(tf.size(losses), tf.float32)
        weights = tf.cast(weights, tf.float32)
        for _ in range(losses.shape.rank - weights.shape.rank):
            weights = weights[..., tf.newaxis]
        weights = tf.broadcast_to(weights, tf.shape(losses))
        return losses * weights, tf.reduce_sum(weights)

    def _logs(
        self, parts: dict[str, tf.Tensor], x: Any, y: Any, outputs: Any, weights: Any
    ) -> dict[str, tf.Tensor]:
        logs = self._track(parts)
        if self._has_metrics:
            found = self.compute_metrics(x, y, outputs, weights)
            logs.update({name: value for name, value in found.items() if name not in logs})
        return logs

    def get_compile_config(self) -> dict[str, Any]:
        if getattr(self, "optimizer", None) is None:
            return {}  # Keras asks models that were never compiled, too
        serialize = keras.utils.serialize_keras_object
        return {
            "optimizer": keras.optimizers.serialize(self.optimizer),
            "gate_optimizer": keras.optimizers.serialize(self.gate_optimizer),
            "loss": serialize(self._loss_argument),
            "loss_weights": self._loss_weights,
            "estimator": serialize_estimator(self.estimator),
            "credit": self.credit,
            "estimator_batch_size": self.estimator_batch_size,
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


def _function_of(loss: Any) -> Callable[[Any, Any], tf.Tensor]:
    """The losses of each sample or position, by a Keras loss, its name or such a function."""
    loss = keras.losses.get(loss)
    if loss is None:
        raise ValueError("`compile` needs a `loss`. Received: loss=None")
    return loss.call if isinstance(loss, keras.losses.Loss) else loss


def _with_mask(weights: Any, mask: tf.Tensor | None, losses: tf.Tensor) -> Any:
    """`weights`, 0 where a mask of the losses' shape leaves a position out."""
    if mask is None or mask.shape.rank != losses.shape.rank:
        return weights
    mask = tf.cast(mask, tf.float32)
    if weights is None:
        return mask
    weights = tf.cast(weights, tf.float32)
    return weights * mask if weights.shape.rank == mask.shape.rank else weights[:, None] * mask
