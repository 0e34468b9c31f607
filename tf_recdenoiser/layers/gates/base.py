"""What every gate layer shares: sampling, inference gates, the sparsity penalty."""

from __future__ import annotations

import dataclasses
import functools
import math
import warnings
from typing import Any, ClassVar

import tensorflow as tf

from tf_recdenoiser._keras import (
    MEAN_OF_REPLICAS,
    implicit_mask,
    keras,
    replica_count,
    sum_over_replicas,
)
from tf_recdenoiser.layers.part import Part
from tf_recdenoiser.layers.penalty import Penalty
from tf_recdenoiser.layers.place import Place, check_length, length_of
from tf_recdenoiser.layers.records import GateRecord, is_per_sequence
from tf_recdenoiser.layers.sample import Evaluation, Sample, current_evaluation
from tf_recdenoiser.ops import INFERENCE_GATES, inference_gates, keep_probability
from tf_recdenoiser.ops.checks import require, require_one_of
from tf_recdenoiser.ops.gates import weighted_mean

PENALTIES = ("entries", "edges")

# sigma(20) is 1 in float32: gates that start at 1 are open in every draw.
LARGEST_LOGIT = 20.0

# With the square, which damps it, a target is reached in some hundred steps; lambda alone would
# go on rising until the gates have followed, far beyond the target.
_DUAL_STEP = 0.003


class Gates(keras.layers.Layer):
    """Base of the layers that decide which attention edges stay open.

    A subclass computes the logits of its gates in `gate_logits`; everything else is here. While
    training the gates are drawn at random. Otherwise they are the deterministic `inference` gates.

    While training the layer adds the sparsity penalty of Eq. 13. What trains the logits, and with
    which N, depends on the model:

    * a `DenoisingModel` by its estimator, without bias by default, and by an Adam of the gates
      with a learning rate of 0.03. N is the number of valid targets: of losses, or the sum of the
      sample weights;
    * any other Keras model by straight-through, whose gradient is biased, and by the optimizer of
      the weights; Adam's usual 0.001 moves a logit by no more than 1 in a thousand steps. N is
      the number of positions, since such a model counts no targets: with one loss for a sequence
      of n positions `beta` weighs n times less. The first time a warning says so.

    The penalties are:

    * `penalty="entries"`: (beta/N) sum over reachable (u, v) of sigma(k Phi_uv), the paper's;
      where each sequence has gates of its own, the mean over sequences of the sum over its
      live (u, v);
    * `penalty="edges"`: (beta/N) sum over sequences and over live (u, v), both positions
      being items and not padding: beta is then the weight of one open edge in one prediction,
      and means the same on every data set.

    With `target_density` the train step of a `DenoisingModel` finds the sparsity weight by dual
    ascent. With e the mean of sigma(k Phi) over the terms of the sum above less the target, each
    step makes

        lambda <- max(0, lambda + 0.003 e)

    and the penalty is (P/N) (lambda e + e^2), an augmented Lagrangian, in which P is the number
    of positions that are items. So lambda + 2 e is what keeping everything adds to the loss of a
    prediction, whatever the sizes of data and batches.

    Sequences may be of any length up to the longest, n. Their last positions are the newest:
    gates `of_positions` do with shorter ones what they do with the same ones padded on the left.

    Parameters
    ----------
    beta
        Weight of the sparsity penalty; 0 by default.
    penalty
        `"entries"` or `"edges"`; None (default): the kind's `default_penalty`.
    initial_keep
        Keep probability before training, in (0.5, 1]; 0.9 by default. At 1/2 and below
        everything is pruned at inference; at 1 every gate is open in every draw, and the default
        estimator leaves it so.
    sharpness
        k in sigma(k Phi); 1 by default (L0-ARM uses 7).
    inference
        `"clip"` (default), `"hard"` or `"expectation"`; see `ops.inference_gates`.
    target_density
        In (0, 1): the mean keep probability to be reached, in place of `beta`; None (default)
        for `beta`. A ValueError in the training of a plain Keras model.
    max_length
        The longest sequences, n and m, where their length is not known when the layer is built
        (`keras.Input([None, d])`) or later ones are longer. None (default): the length then.

    Attributes
    ----------
    lengths
        The longest n and m; None where there is no bound.
    of_positions
        Whether logits are those of positions, `[n or 1, m]` or `[H, n, m]` with the longest n and
        m, the same for all sequences; true by default. Else those of the inputs at hand.
    any_length
        Whether sequences may be longer than those the layer was built for; false by default.
    same_in_every_row
        Whether a key has one gate for all queries; the logits then have 1 in place of n.
    shared
        Whether all blocks of a backbone use one such layer, called with the items and not with
        the outputs of earlier blocks; false by default: one for each block.
    default_estimator
        The name of the estimator that suits gates of this kind; None for any.
    default_penalty
        The penalty of gates of this kind, if none is given; `"entries"`, the paper's, but for
        `RelativeGates`.
    sparse_by_default
        Whether runs give such gates a sparsity weight by default; true by default.
    """

    of_positions: ClassVar[bool] = True
    any_length: ClassVar[bool] = False
    same_in_every_row: ClassVar[bool] = False
    shared: ClassVar[bool] = False
    default_estimator: ClassVar[str | None] = None
    default_penalty: ClassVar[str] = "entries"
    sparse_by_default: ClassVar[bool] = True

    def __init__(
        self,
        beta: float = 0.0,
        penalty: str | None = None,
        initial_keep: float = 0.9,
        sharpness: float = 1.0,
        inference: str = "clip",
        target_density: float | None = None,
        max_length: int | None = None,
        **kwargs: Any,
    ) -> None:
        # Under mixed precision a probability near 1 needs float32's steps.
        super().__init__(**{**kwargs, "dtype": "float32"})
        require(beta >= 0, "beta", beta, "not be negative")
        penalty = self.default_penalty if penalty is None else penalty
        require_one_of(PENALTIES, "penalty", penalty)
        rule = "be above 0.5 (at 0.5 and below everything is pruned at inference) and at most 1"
        require(0.5 < initial_keep <= 1, "initial_keep", initial_keep, rule)
        require(sharpness > 0, "sharpness", sharpness, "be above 0")
        require_one_of(INFERENCE_GATES, "inference", inference)
        shares = target_density is None or 0 < target_density < 1
        require(shares, "target_density", target_density, "be None or above 0 and below 1")
        if target_density is not None and beta > 0:
            raise ValueError(
                "`target_density` must be None where `beta` is above 0, since it finds the "
                f"sparsity weight itself. Received: target_density={target_density}, beta={beta}"
            )
        longest = max_length is None or max_length >= 1
        require(longest, "max_length", max_length, "be None or at least 1")
        self.supports_masking = True
        self.beta = beta
        self.penalty = penalty
        self.initial_keep = initial_keep
        self.sharpness = sharpness
        self.inference = inference
        self.target_density = target_density
        self.max_length = max_length
        self.sparsity = Penalty("sparsity")

    def build(self, query_shape: Any, key_shape: Any = None) -> None:
        """Create what is not trained by gradients; a subclass creates its logits' parameters."""
        self.lengths = self.longest(query_shape, key_shape)
        if self.target_density is not None:
            self.dual = self.add_weight(
                name="dual", shape=(), initializer="zeros", trainable=False, **MEAN_OF_REPLICAS
            )
        self.built = True

    @property
    def initial_logit(self) -> float:
        """The Phi at which sigma(k Phi) is `initial_keep`."""
        if self.initial_keep == 1:
            return LARGEST_LOGIT / self.sharpness
        odds = self.initial_keep / (1 - self.initial_keep)
        return min(math.log(odds), LARGEST_LOGIT) / self.sharpness

    def longest(self, query_shape: Any, key_shape: Any = None) -> tuple[Any, Any]:
        """The longest n and m, of inputs of these shapes; ValueError where there must be some."""
        known = query_shape[1], (key_shape or query_shape)[1]
        given = self.max_length
        rule = f"be None or at least the lengths that are known, {known}"
        fits = given is None or given >= max(length or 0 for length in known)
        require(fits, "max_length", given, rule)
        lengths = known if given is None else (given, given)
        if None in lengths and not self.any_length:
            raise ValueError(
                "These gates belong to positions, and need to know the longest sequences; give "
                f"`keras.Input` a length, or make them as `{type(self).__name__}(max_length=50)`; "
                "or use relative or item gates, which need none. "
                f"Received: sequences of the lengths {known}"
            )
        return lengths

    def gate_logits(self, query: tf.Tensor, key: tf.Tensor, visible: tf.Tensor) -> tf.Tensor:
        """Phi, `[n or 1, m]`, `[H, n, m]` or `[B, H or 1, n, m]`, from the attention's inputs.

        Parameters
        ----------
        query, key
            `[B, n, d]` and `[B, m, d]`.
        visible
            Boolean `[B or 1, n, m]`: edges that attention can use, between two items and, with
            a causal mask, not from a later position. For gates `of_positions` n and m are the
            longest.
        """
        raise TypeError(f"{type(self).__name__} must define `gate_logits`.")

    def call(
        self,
        query: tf.Tensor,
        key: tf.Tensor,
        live: tf.Tensor | None = None,
        use_causal_mask: bool = False,
        training: bool | None = None,
        edges: tf.Tensor | None = None,
    ) -> tf.Tensor:
        """The gates, broadcastable to attention weights `[B, H, n, m]`.

        Parameters
        ----------
        query, key
            The attention's inputs, `[B, n, d]` and `[B, m, d]`.
        live
            Boolean, broadcastable to `[B, n, m]`: edges between two items. None: those that the
            masks of `query` and `key` leave, or all.
        use_causal_mask
            Whether position u sees only positions up to u.
        edges
            Boolean `[n, m]`: the edges that attention has at all. None: all.
        """
        place = self._place(query, key)
        live = place.live(_live(query, key) if live is None else live)
        reachable = place.reachable(use_causal_mask)
        if edges is not None:
            reachable &= place.filled(edges)
        visible = reachable[tf.newaxis] if live is None else reachable & live
        logits = self.sharpness * self.gate_logits(query, key, visible)
        if is_per_sequence(logits):
            reachable = visible[:, tf.newaxis]
        evaluation = current_evaluation()
        if not training:
            gates = inference_gates(logits, self.inference)
            if evaluation is not None:
                record = GateRecord(self, logits, reachable, None, (gates,), older=place.older)
                evaluation.recorder.gates[self] = record
            return place.newest(gates)
        evaluation = evaluation or Evaluation.unseeded()
        dual = None
        if evaluation.sample.with_penalties and (self.beta > 0 or self.target_density is not None):
            shape = tf.concat([tf.shape(query)[:1], tf.shape(reachable)[-2:]], axis=0)
            edges = tf.broadcast_to(visible, shape)
            weights = self._weights(logits, reachable, edges, evaluation.sample.part)
            dual = self._add_penalty(evaluation, logits, weights, _positions(live, shape))
        record = GateRecord(self, logits, reachable, None, (), dual, place.older)
        return place.newest(self._draw(evaluation, record))

    def _add_penalty(
        self, evaluation: Evaluation, logits: tf.Tensor, weights: tf.Tensor, positions: tf.Tensor
    ) -> tf.Tensor | None:
        """Add the penalty of the batch to the loss; returns lambda after a step, if any."""
        if not evaluation.is_of_step:
            _warn_of_plain_training()
        penalty, dual = self._penalty(logits, weights, positions, evaluation.sample)
        self.sparsity(evaluation.sample.divided(penalty, positions))
        return dual

    def _place(self, query: tf.Tensor, key: tf.Tensor) -> Place:
        """Where the positions of a call are among those that the layer knows."""
        lengths = length_of(query), length_of(key)
        if None in self.lengths or not self.of_positions:
            return Place(lengths, lengths)
        if self.any_length:
            queries, keys = map(_larger, self.lengths, lengths)
            return Place(lengths, (queries, keys))
        for length, longest in zip(lengths, self.lengths, strict=True):
            check_length(length, longest, "gates of positions")
        return Place(lengths, self.lengths)

    def _draw(self, evaluation: Evaluation, record: GateRecord) -> tf.Tensor:
        """The gates of one evaluation: drawn once, and the same when the layer is called again."""
        sample, known = evaluation.sample, evaluation.recorder.gates
        if self not in known:
            uniform = sample.uniform(self, record.logits, number=len(known))
            drawn = sample.estimator.gates(record.logits, uniform)
            known[self] = dataclasses.replace(record, uniform=uniform, gates=drawn)
        return sample.gates(known[self])

    def compute_mask(self, *_: Any, **__: Any) -> None:
        """None: gates belong to pairs of positions."""

    def _weights(
        self, logits: tf.Tensor, reachable: tf.Tensor, edges: tf.Tensor, part: Part
    ) -> tf.Tensor:
        """How often the penalty counts each gate, of `edges` `[B, n, m]` attention can use.

        Each of several replicas counts its part of what is no sum over sequences.
        """
        edges = tf.cast(edges, tf.float32)
        if is_per_sequence(logits):
            sequences = tf.cast(part.count(tf.shape(edges)[0]), tf.float32)
            return edges[:, tf.newaxis] / (1.0 if self.penalty == "edges" else sequences)
        if self.penalty == "edges":
            return tf.reduce_sum(edges, axis=0)
        return tf.cast(reachable, tf.float32) / replica_count()

    def _penalty(
        self, logits: tf.Tensor, weights: tf.Tensor, positions: tf.Tensor, sample: Sample
    ) -> tuple[tf.Tensor, tf.Tensor | None]:
        """The penalty of the batch, a scalar, and lambda after a step of dual ascent."""
        keep = keep_probability(logits)
        if self.target_density is None:
            return self.beta * tf.reduce_sum(keep * weights), None
        if sample.penalty_divisor is None:
            raise ValueError(
                "`target_density` must be None where the gates train in a plain Keras model, "
                "whose train step does not find their sparsity weight; build the model with "
                f"`DenoisingModel`. Received: target_density={self.target_density}"
            )
        excess = weighted_mean(keep, weights, sum_over_replicas) - self.target_density
        dual = tf.convert_to_tensor(self.dual) + _DUAL_STEP * tf.stop_gradient(excess)
        dual = tf.maximum(dual, 0.0)
        return positions * ((dual + excess) * excess), dual

    def get_config(self) -> dict[str, Any]:
        return {
            **super().get_config(),
            "beta": self.beta,
            "penalty": self.penalty,
            "initial_keep": self.initial_keep,
            "sharpness": self.sharpness,
            "inference": self.inference,
            "target_density": self.target_density,
            "max_length": self.max_length,
        }


@functools.cache
def _warn_of_plain_training() -> None:
    """Once: a sparsity weight means something else outside a `DenoisingModel`."""
    warnings.warn(
        "Gates with a sparsity weight are trained by a plain Keras model: by straight-through, "
        "whose gradient is biased; at the learning rate of the weights, which is low for logits; "
        "and with `beta` divided by the number of positions, not of losses. To train them as "
        "published, make the model by `DenoisingModel` in the place of `keras.Model`.",
        stacklevel=2,
    )


def _larger(one: Any, other: Any) -> Any:
    known = isinstance(one, int) and isinstance(other, int)
    return max(one, other) if known else tf.maximum(one, other)


def _live(query: tf.Tensor, key: tf.Tensor) -> tf.Tensor | None:
    """Edges `[B, n, m]` between two items, by the masks that earlier layers attached."""
    of_queries, of_keys = implicit_mask(query), implicit_mask(key)
    if of_queries is None or of_keys is None:
        return None
    return of_queries[:, :, tf.newaxis] & of_keys[:, tf.newaxis, :]


def _positions(live: tf.Tensor | None, shape: tf.Tensor) -> tf.Tensor:
    """The number of querying positions that are items; `shape` is `[B, n, m]`."""
    if live is None:
        return tf.cast(shape[0] * shape[1], tf.float32)
    rows = tf.reduce_any(tf.broadcast_to(live, shape), axis=-1)
    return tf.reduce_sum(tf.cast(rows, tf.float32))
