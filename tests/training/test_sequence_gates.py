"""Gates of each sequence: the estimators' means over all uniform numbers are the gradient.

Both are worked out without chance. The exact expectation of the loss is a sum over every state
of the gates, with the logits of the upper layer in each state of the lower one, differentiated
by the tape. The estimators' mean is a sum over the cells that the thresholds of all gates part
the uniform numbers into: in each cell gates are constant and a gate's estimate is affine in its
own number, so the cell's centre gives its mean. Each cell is a sequence of one large batch.
"""

from __future__ import annotations

import dataclasses
import functools
import itertools
from typing import Any

import numpy as np
import pytest
import tensorflow as tf

from tests.estimators.exact import gate_states
from tests.estimators.toy import LAYERS, item_ids, toy_loss, toy_model, valid
from tf_recdenoiser.estimators import Ar, Arm, DisArm, Estimator, Reinforce, Rloo
from tf_recdenoiser.layers import GATES, Gates
from tf_recdenoiser.layers.records import GateRecord
from tf_recdenoiser.layers.sample import Evaluation, Sample
from tf_recdenoiser.training import DenoisingModel

IDS, TARGETS = np.array([[1, 3, 4]], np.int32), np.array([[0.3, -0.8, 0.5]], np.float32)
POSITION_WEIGHTS = np.array([[1.0, 2.0, 1.5]], np.float32)
SEED = tf.constant([1, 2])


def length(kind: type[Gates]) -> int:
    """n: two positions; three if gates are shared, the least at which credit can go wrong.

    A gate of the second row can then change the third position too, through the upper layer.
    """
    return 3 if kind.shared else 2


def in_batch(gates: np.ndarray, n: int) -> np.ndarray:
    """Gates or numbers of one layer, `[..., reachable]`, as `[..., 1, n, n]`."""
    square = np.ones((*gates.shape[:-1], 1, n, n), np.float32)
    rows, columns = np.tril_indices(n)
    square[..., 0, rows, columns] = gates
    return square


@dataclasses.dataclass(frozen=True)
class Forced(Sample):
    """Uses the gates given for each layer, whatever was drawn."""

    forced: dict[Gates, np.ndarray] = dataclasses.field(default_factory=dict)

    def gates(self, record: GateRecord) -> tf.Tensor:
        return tf.constant(self.forced[record.layer])


def is_per_sequence(kind: type[Gates]) -> bool:
    layer = kind()
    with Evaluation(Sample(SEED)) as recorder:
        layer(tf.zeros([1, 2, 2]), tf.zeros([1, 2, 2]), training=True)
    return recorder.gates[layer].per_sequence


KINDS = {name: kind for name, kind in GATES.items() if is_per_sequence(kind)}


@functools.cache
def exact(kind: type[Gates]) -> tuple[DenoisingModel, list[np.ndarray], list[np.ndarray]]:
    """A model, the exact gradient of its expected loss, each layer's logits in each state."""
    n = length(kind)
    model = toy_model(n, gates=kind())
    rows, columns = np.tril_indices(n)
    layers = 1 if kind.shared else LAYERS
    assert len(model.gate_layers) == layers
    states = gate_states(layers * len(rows))
    forced = [in_batch(s, n) for s in np.split(states, layers, axis=1)]
    sample = Forced(SEED, forced=dict(zip(model.gate_layers, forced, strict=True)))
    weights = POSITION_WEIGHTS[:, :n]
    with tf.GradientTape() as tape:
        with Evaluation(sample) as recorder:
            scores = model({"item_ids": np.repeat(IDS[:, :n], len(states), 0)}, training=True)
        losses = toy_loss(TARGETS[:, :n], scores) * weights / weights.sum()
        signs = [2 * tf.constant(gates) - 1 for gates in forced]
        drawn = [record.logits for record in recorder.gates.values()]
        chances = [
            tf.math.log_sigmoid(sign * logits)[:, 0] * np.tril(np.ones((n, n), np.float32))
            for sign, logits in zip(signs, drawn, strict=True)
        ]
        weight = tf.exp(tf.reduce_sum(tf.add_n(chances), axis=[1, 2]))
        expected = tf.reduce_sum(weight[:, tf.newaxis] * losses)
    assert float(tf.reduce_sum(weight)) == pytest.approx(1, abs=1e-5)
    logits = [phi.numpy()[:, 0, rows, columns] for phi in drawn]
    return model, arrays(tape.gradient(expected, variables(model))), logits


def variables(model: DenoisingModel) -> list[tf.Variable]:
    return DenoisingModel._tensors(model.trainable_variables)


def arrays(gradients: list[Any]) -> list[np.ndarray]:
    return [np.asarray(tf.convert_to_tensor(gradient)) for gradient in gradients]


def cells(logits: np.ndarray, estimator: Estimator) -> tuple[np.ndarray, np.ndarray]:
    """Centres and widths of the cells of one number, for a gate with these logits."""
    keep = 1 / (1 + np.exp(-logits.astype(np.float64)))
    thresholds = (
        keep if estimator.evaluations != 2 or isinstance(estimator, Rloo) else [*keep, *(1 - keep)]
    )
    edges = np.unique(np.round([0, *thresholds, 1], 5))
    return (edges[1:] + edges[:-1]) / 2, np.diff(edges)


def quadrature(
    logits: list[np.ndarray], estimator: Estimator, n: int
) -> tuple[list[np.ndarray], np.ndarray]:
    """The uniform numbers of each layer, `[S, cells, 1, n, n]`, and the weight of each cell."""
    one_sample = [cells(gate, estimator) for layer in logits for gate in layer.T]
    each = one_sample * estimator.uniforms
    points = np.array([*itertools.product(*(centres for centres, _ in each))], np.float32)
    weights = functools.reduce(np.multiply.outer, [widths for _, widths in each]).ravel()
    samples = points.reshape(len(points), estimator.uniforms, len(logits), -1)
    numbers = [in_batch(layer, n) for layer in samples.transpose(2, 1, 0, 3)]
    return numbers, weights.astype(np.float32)


CASES = [
    *itertools.product(KINDS, (DisArm(), Arm(), Ar(False), Reinforce(False))),
    ("item", Rloo(2)),
]


@pytest.mark.parametrize("credit", [False, True], ids=["", "credit"])
@pytest.mark.parametrize(("kind", "estimator"), CASES, ids=str)
def test_the_mean_of_an_estimator_is_the_gradient_of_the_expected_loss(
    kind: str, estimator: Estimator, credit: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    model, gradient, logits = exact(KINDS[kind])
    n = length(KINDS[kind])
    numbers, weights = quadrature(logits, estimator, n)
    by_layer = {id(layer): u for layer, u in zip(model.gate_layers, numbers, strict=True)}
    monkeypatch.setattr(Sample, "uniform", lambda _, layer, logits, number: by_layer[id(layer)])
    model.ends_position_wise = True
    model.compile(loss=toy_loss, estimator=estimator, credit=credit)
    x = {"item_ids": tf.constant(np.repeat(IDS[:, :n], len(weights), 0))}
    y = np.repeat(TARGETS[:, :n], len(weights), 0)
    each = weights[:, np.newaxis] * POSITION_WEIGHTS[:, :n]
    found, _, _ = model.loss_gradients(x, y, each, SEED)
    gate_variables = {id(v) for layer in model.gate_layers for v in layer.trainable_variables}
    for variable, mean, expected in zip(
        model.trainable_variables, arrays(found), gradient, strict=True
    ):
        if id(variable) in gate_variables:
            assert np.abs(expected).max() > 1e-3
        np.testing.assert_allclose(mean, expected, rtol=5e-3, atol=3e-4)


@pytest.mark.parametrize("credit", [False, True], ids=["", "credit"])
@pytest.mark.parametrize("estimator", [DisArm(), Rloo(2)], ids=str)
@pytest.mark.parametrize("kind", KINDS)
def test_a_part_of_the_batch_is_that_part_alone_scaled_up(
    kind: str, estimator: Estimator, credit: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The gates' gradient by the first of two sequences is that of a batch of it, twice."""
    model = toy_model(3, gates=KINDS[kind]())
    ids, weights = item_ids(3), valid(3)
    sizes = (len(model.gate_layers), estimator.uniforms, 2, 1, 3, 3)
    drawn = np.random.default_rng(0).random(sizes, np.float32)
    by_layer = {id(layer): u for layer, u in zip(model.gate_layers, drawn, strict=True)}
    monkeypatch.setattr(
        Sample,
        "uniform",
        lambda _, layer, logits, number: by_layer[id(layer)][:, : logits.shape[0]],
    )
    found = []
    for rows, size in ((1, 2), (None, 1)):
        model.compile(loss=toy_loss, estimator=estimator, credit=credit, estimator_batch_size=rows)
        x, y = {"item_ids": tf.constant(ids[:size])}, np.ones([size, 3], np.float32)
        gradients, _, _ = model.loss_gradients(x, y, weights[:size], SEED)
        found.append(
            [
                gradient * weights[:size].sum() / size
                for gradient in arrays(model._split(gradients)[1])
            ]
        )
    for part, alone in zip(*found, strict=True):
        np.testing.assert_allclose(part, alone, rtol=1e-3, atol=1e-6)
    assert max(np.abs(part).max() for part in found[0]) > 1e-3


@pytest.mark.parametrize("kind", KINDS)
def test_a_sequence_teaches_its_own_gates_alone(kind: str) -> None:
    """Weights of 0 take a sequence's loss away, and with it all that its gates learn."""
    model = toy_model(3, gates=KINDS[kind](), dropout=0.3)
    model.compile(loss=toy_loss, estimator=Ar(use_baseline=False), credit=True)
    ids = np.array([[4, 1, 3], [3, 2, 5]], np.int32)
    weights = np.array([[1.0] * 3, [0.0] * 3], np.float32)
    found = []
    for other in ([3, 2, 5], [5, 5, 2]):
        ids[1] = other
        x = {"item_ids": tf.constant(ids)}
        gradients, _, _ = model.loss_gradients(x, np.ones([2, 3]), weights, SEED)
        found.append(arrays(model._split(gradients)[1]))
    for one, two in zip(*found, strict=True):
        np.testing.assert_allclose(one, two, rtol=1e-4, atol=1e-6)
