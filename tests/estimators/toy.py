"""A small gated causal model whose loss is known in every state of its gates.

Two gated layers, two heads, two sequences of which the second is left-padded. Its gates are
one vector: the lower triangle of layer 1, row by row, and then that of layer 2.
"""

from __future__ import annotations

import dataclasses
import functools
from collections.abc import Iterator, Sequence

import numpy as np
import tensorflow as tf

from tests.estimators.exact import gate_states
from tf_recdenoiser._keras import keras
from tf_recdenoiser.backbones import SASRec
from tf_recdenoiser.estimators import Ar, Estimator, Reinforce, Rloo
from tf_recdenoiser.layers.records import GateRecord
from tf_recdenoiser.layers.sample import Evaluation, Sample
from tf_recdenoiser.training import DenoisingModel

LAYERS, HEADS, WIDTH, ITEMS = 2, 2, 4, 5
# Estimators whose gates change at u = p alone; the mirrored ones change at 1 - p too.
ONE_THRESHOLD = (Ar, Reinforce, Rloo)
ITEM_IDS = np.array([[4, 1, 3], [0, 2, 5]], np.int32)


def item_ids(length: int) -> np.ndarray:
    """The newest `length` items of both sequences, `[2, length]`."""
    return ITEM_IDS[:, -length:]


def valid(length: int) -> np.ndarray:
    """1 at items and 0 at padding, `[2, length]`."""
    return (item_ids(length) > 0).astype(np.float32)


def toy_model(
    length: int = 3, seed: int = 3, spread: float = 1.0, **options: object
) -> DenoisingModel:
    """SASRec with one score for each position, and weights large enough that gates matter."""
    options = {"dropout": 0.0, "norm": "pre", "gates": "positional", **options}
    backbone = SASRec(ITEMS, length, WIDTH, LAYERS, HEADS, **options)
    scores = keras.layers.Dense(1)(backbone.output)
    model = DenoisingModel(inputs=backbone.input, outputs=scores)
    rng = np.random.default_rng(seed)
    for variable in model.trainable_variables:
        variable.assign(rng.normal(0.0, spread, variable.shape))
    for layer in model.gate_layers:
        for variable in layer.trainable_variables:
            variable.assign(rng.uniform(-1.2, 1.8, variable.shape))
    return model


def toy_loss(y: tf.Tensor, scores: tf.Tensor) -> tf.Tensor:
    """One loss for each position, `[B, n]`, of scores `[B, n, 1]`."""
    scores = scores[..., 0]
    return tf.nn.softplus(2.0 * scores) + 0.5 * tf.square(scores - tf.cast(y, scores.dtype))


def forced(
    model: DenoisingModel, gates: Sequence[np.ndarray], seed: tf.Tensor | None = None
) -> Evaluation:
    """An evaluation in which the gates of each gated layer have already been drawn: `gates`."""
    seed = tf.constant([0, 0]) if seed is None else seed
    evaluation = Evaluation(Sample(seed, with_penalties=False))
    for layer, values in zip(model.gate_layers, gates, strict=True):
        values = tf.cast(values, tf.float32)
        record = GateRecord(layer, values, tf.ones([], bool), None, (values,))
        evaluation.recorder.gates[layer] = record
    return evaluation


def matrices(states: np.ndarray, length: int) -> list[np.ndarray]:
    """Gate vectors `[..., m]` as a matrix for each layer, `[..., n, n]`; unreachable is 1."""
    rows, columns = np.tril_indices(length)
    layers = np.ones((*states.shape[:-1], LAYERS, length, length))
    layers[..., rows, columns] = states.reshape(*states.shape[:-1], LAYERS, rows.size)
    return [layers[..., layer, :, :] for layer in range(LAYERS)]


def vector(values: Sequence[np.ndarray], length: int) -> np.ndarray:
    """The reachable entries of a matrix for each layer, `[m]`."""
    rows, columns = np.tril_indices(length)
    return np.concatenate([np.asarray(matrix, np.float64)[rows, columns] for matrix in values])


def held_to_account(losses: np.ndarray, length: int) -> np.ndarray:
    """The losses that each gate can change, `[..., m]`, of position losses `[..., n]`."""
    querying = np.tril_indices(length)[0]
    later = np.stack([losses[..., u:].sum(-1) for u in range(length)], axis=-1)
    return np.concatenate([later[..., querying], losses[..., querying]], axis=-1)


@dataclasses.dataclass(frozen=True)
class Enumerated:
    """A model's losses in every state of its gates.

    Attributes
    ----------
    length
        n.
    logits
        Of the gates, `[m]`.
    losses
        Of each position, summed over valid targets and divided by their number, `[2^m, n]`.
    """

    length: int
    logits: np.ndarray
    losses: np.ndarray

    def accountable(self, codes: np.ndarray, credit: bool) -> np.ndarray:
        """What each gate is held to account for in states of these numbers, `[..., m or 1]`."""
        return self._accountable(self.losses[codes], credit)

    def baseline(self, credit: bool) -> np.ndarray:
        """Constants near those losses, as their running mean is: `[m or 1]`."""
        return self._accountable(self.losses.mean(0), credit)

    def _accountable(self, losses: np.ndarray, credit: bool) -> np.ndarray:
        if credit:
            return held_to_account(losses, self.length)
        return losses.sum(-1, keepdims=True)


@functools.cache
def enumerated(length: int) -> Enumerated:
    """The toy model, run once with a batch that holds every state of its gates."""
    model = toy_model(length)
    logits = vector([layer.logits.numpy() for layer in model.gate_layers], length)
    states = np.repeat(gate_states(logits.size), 2, axis=0)
    gates = [matrix[:, np.newaxis] for matrix in matrices(states, length)]
    count = len(states) // 2
    with forced(model, gates):
        scores = model({"item_ids": np.tile(item_ids(length), (count, 1))}, training=True)
    losses = toy_loss(tf.ones([], tf.float32), scores).numpy().astype(np.float64)
    weights = valid(length)
    summed = (losses.reshape(count, 2, length) * weights).sum(1)
    return Enumerated(length, logits, summed / weights.sum())


@dataclasses.dataclass(frozen=True)
class Moments:
    """The exact mean and variance of an estimate, each `[m]`."""

    mean: np.ndarray
    variance: np.ndarray


def moments(
    estimator: Estimator, toy: Enumerated, credit: bool = False, baseline: float | np.ndarray = 0.0
) -> Moments:
    """The mean and variance of `estimator` over all uniform numbers, without chance.

    The thresholds of every gate, p and for some estimators 1 - p, part (0, 1) into cells. In
    one cell of the product the gates are constant and each gate's gradient is affine in its
    own uniform number, so the two points of the Gauss-Legendre rule integrate the gradient
    and its square exactly.
    """
    mean, square = np.zeros_like(toy.logits), np.zeros_like(toy.logits)
    powers = 2 ** np.arange(toy.logits.size)
    for uniform, weight in _gauss_points(_edges(estimator, toy.logits), estimator.uniforms):
        logits = tf.broadcast_to(tf.constant(toy.logits), uniform.shape[1:])
        gates = estimator.gates(logits, tf.constant(uniform))
        losses = [
            toy.accountable((gate.numpy() @ powers).astype(int), credit) - baseline
            for gate in gates
        ]
        gradient = estimator.gradient(logits, tf.constant(uniform), losses).numpy()
        mean += weight @ gradient
        square += weight @ gradient**2
    return Moments(mean, square - mean**2)


def _edges(estimator: Estimator, logits: np.ndarray) -> np.ndarray:
    """Where the cells of each uniform number begin and end, `[cells + 1, uniforms * m]`."""
    probability = 1 / (1 + np.exp(-logits))
    thresholds = [probability]
    if not isinstance(estimator, ONE_THRESHOLD):
        thresholds.append(1 - probability)
    edges = np.sort([np.zeros_like(logits), *thresholds, np.ones_like(logits)], axis=0)
    return np.tile(edges, estimator.uniforms)


def _gauss_points(
    edges: np.ndarray, uniforms: int, chunk: int = 60_000
) -> Iterator[tuple[np.ndarray, np.ndarray]]:
    """Points `[uniforms, cells, m]` and their weights `[cells]`, some cells at a time."""
    centers, widths = (edges[1:] + edges[:-1]) / 2, np.diff(edges, axis=0)
    parts, count = centers.shape
    entries = np.arange(count)
    for start in range(0, parts**count, chunk):
        codes = np.arange(start, min(start + chunk, parts**count))
        cells = codes[:, np.newaxis] // parts**entries % parts
        center, width = centers[cells, entries], widths[cells, entries]
        shape = (len(codes), uniforms, count // uniforms)
        for side in (-1, 1):
            points = center + side * width / np.sqrt(12)
            yield points.reshape(shape).transpose(1, 0, 2), np.prod(width, axis=1) / 2
