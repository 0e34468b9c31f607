"""A block with a penalty on its Jacobian."""

from __future__ import annotations

import dataclasses
import inspect
import itertools
from typing import Any

import tensorflow as tf

from tf_recdenoiser._keras import (
    build_named,
    implicit_mask,
    keras,
    layer_of,
    losses_kept,
    register,
)
from tf_recdenoiser.layers.part import Part
from tf_recdenoiser.layers.penalty import Penalty
from tf_recdenoiser.layers.records import GateRecord, Recorder
from tf_recdenoiser.layers.sample import Evaluation, Sample, current_evaluation
from tf_recdenoiser.ops import jacobian_frobenius
from tf_recdenoiser.ops.checks import require, require_one_of

DISTRIBUTIONS = ("rademacher", "normal")


@register
class JacobianRegularizedBlock(keras.layers.Layer):
    """Wraps a block and penalises the Frobenius norm of its Jacobian (Eq. 12, 13).

    While training it adds (gamma / d) (1/N) sum over sequences of ||J||_F^2, where d is the
    input's width and N the number of valid targets (in a plain Keras model the number of
    positions), so that a block which is the identity counts gamma for each position. The norm is
    estimated without bias by random projections, on all sequences of the batch or on `batch_size`
    of them drawn at random, in each step or in one of `interval` drawn at random, where it counts
    `interval` times (lazy regularisation; Karras et al. 2020, arXiv 1912.04958, appendix B). Padded
    positions are left out on both sides. J is the block's with the gates of the step and without
    dropout (`layers.Dropout`; Keras' own stays on), as the block will be used. At inference the
    layer is the block.

    Parameters
    ----------
    block
        Any Keras layer that maps `[B, n, d]` to `[B, n, d']`. If its `call` takes `mask`, it
        is given the mask. What else the wrapper is called with by name it is given too, and
        that counts as constant; tensors among it have an axis of sequences first.
    gamma
        Weight of the penalty.
    projections
        Random projections a step; 1 by default.
    batch_size
        How many sequences of a batch to use; None (default) for all. 16 of 128 cost about a
        third of the time, and the estimate stays unbiased.
    interval
        In how many steps there is one with a penalty, on average; 1 by default.
    distribution
        `"rademacher"` (default; a little less variance) or `"normal"`, of the projections.

    Examples
    --------
    >>> block = JacobianRegularizedBlock(keras.layers.Dense(4), gamma=0.1)
    >>> y = block(tf.ones([2, 3, 4]), training=True)
    >>> len(block.losses)
    1
    """

    def __init__(
        self,
        block: Any,
        gamma: float,
        projections: int = 1,
        batch_size: int | None = None,
        interval: int = 1,
        distribution: str = "rademacher",
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        require(gamma >= 0, "gamma", gamma, "not be negative")
        require(projections >= 1, "projections", projections, "be at least 1")
        holds = batch_size is None or batch_size >= 1
        require(holds, "batch_size", batch_size, "be None or at least 1")
        require(interval >= 1, "interval", interval, "be at least 1")
        require_one_of(DISTRIBUTIONS, "distribution", distribution)
        self.block = block
        self.gamma = gamma
        self.projections = projections
        self.batch_size = batch_size
        self.interval = interval
        self.distribution = distribution
        self.jacobian = Penalty("jacobian")
        self.supports_masking = True

    def build(self, input_shape: Any) -> None:
        if not self.block.built:
            build_named(self.block, input_shape)
        self.built = True

    def call(
        self,
        inputs: tf.Tensor,
        mask: tf.Tensor | None = None,
        training: bool | None = None,
        **constants: Any,
    ) -> tf.Tensor:
        # Keras 3 fills in `mask` only where `inputs` are the only tensors.
        mask = implicit_mask(inputs) if mask is None else mask
        evaluation = current_evaluation() or Evaluation.unseeded()
        if not training or self.gamma == 0 or not evaluation.sample.with_penalties:
            return self._run_block(inputs, mask, training, constants)
        with evaluation:
            outputs = self._run_block(inputs, mask, training, constants)
        sample = evaluation.sample.branch(next(evaluation.recorder.branches))
        gates = dict(evaluation.recorder.gates)

        def norm() -> tf.Tensor:
            return self.interval * self._norm(inputs, mask, constants, sample, gates)

        if self.interval == 1:
            total = norm()
        else:
            total = tf.cond(evaluation.sample.one_in(self.interval), norm, lambda: tf.zeros([]))
        items = tf.ones(tf.shape(inputs)[:2]) if mask is None else tf.cast(mask, tf.float32)
        penalty = self.gamma / float(inputs.shape[-1]) * total
        self.jacobian(evaluation.sample.divided(penalty, tf.reduce_sum(items)))
        return outputs

    def _run_block(
        self, inputs: Any, mask: Any, training: Any, constants: dict[str, Any]
    ) -> tf.Tensor:
        accepted = inspect.signature(self.block.call).parameters
        offered = {"mask": mask, "training": training}
        given = {k: v for k, v in offered.items() if k in accepted}
        return self.block(inputs, **given, **constants)

    def _norm(
        self,
        inputs: tf.Tensor,
        mask: tf.Tensor | None,
        constants: dict[str, Any],
        sample: Sample,
        gates: dict[Any, GateRecord],
    ) -> tf.Tensor:
        """The sum over the batch of ||J||_F^2, with the gates that the block has drawn."""
        seeds = map(sample.noise_seed, itertools.count(1))
        part, scale = sample.part, 1.0
        if self.batch_size is not None:
            rows, part, scale = self._drawn_rows(tf.shape(inputs)[0], part, next(seeds))
            sample = dataclasses.replace(sample, rows=rows)
            inputs, mask, constants = tf.nest.map_structure(
                lambda part: tf.gather(part, rows) if tf.is_tensor(part) else part,
                (inputs, mask, constants),
            )
        # What the block adds to the loss, such as a penalty on its activity, counts once.
        with Evaluation(sample, Recorder(gates)), losses_kept(self.block):
            norms = jacobian_frobenius(
                lambda x: self._run_block(x, mask, True, constants),
                inputs,
                lambda _, outputs: self._projection(tf.shape(outputs), next(seeds), part),
                self.projections,
                mask,
            )
        return scale * tf.reduce_sum(norms)

    def _drawn_rows(
        self, rows: tf.Tensor, part: Part, seed: tf.Tensor
    ) -> tuple[tf.Tensor, Part, tf.Tensor]:
        """Which of the `rows` at hand are among the `batch_size` that are drawn from the batch.

        With which part of those they are, and for how many each stands.
        """
        total = part.count(rows)
        drawn = tf.argsort(tf.random.stateless_uniform([total], seed))[: self.batch_size]
        own = tf.sort(drawn) - part.first
        chosen = tf.boolean_mask(own, (own >= 0) & (own < rows))
        before = tf.reduce_sum(tf.cast(own < 0, tf.int32))
        scale = tf.cast(total, tf.float32) / tf.cast(tf.size(drawn), tf.float32)
        return chosen, Part(before, tf.size(chosen), tf.size(drawn)), scale

    def _projection(self, shape: tf.Tensor, seed: tf.Tensor, part: Part) -> tf.Tensor:
        if self.distribution == "normal":
            return part.of(lambda shape: tf.random.stateless_normal(shape, seed), shape)
        bits = part.of(
            lambda shape: tf.random.stateless_uniform(shape, seed, maxval=2, dtype=tf.int32), shape
        )
        return tf.cast(2 * bits - 1, tf.float32)

    def compute_output_shape(self, input_shape: Any) -> Any:
        return self.block.compute_output_shape(input_shape)

    def compute_output_spec(self, inputs: Any, **_: Any) -> Any:
        # Keras 3's own would ask the block for `compute_output_shape`, which few layers have.
        return self.block.compute_output_spec(inputs)

    def get_config(self) -> dict[str, Any]:
        return {
            **super().get_config(),
            "block": keras.layers.serialize(self.block),
            "gamma": self.gamma,
            "projections": self.projections,
            "batch_size": self.batch_size,
            "interval": self.interval,
            "distribution": self.distribution,
        }

    @classmethod
    def from_config(cls, config: dict[str, Any]) -> JacobianRegularizedBlock:
        config = dict(config)
        return cls(layer_of(config.pop("block")), **config)
