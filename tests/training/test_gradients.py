"""`DenoisingModel.loss_gradients` against the formulas, computed again from the same numbers.

The uniform numbers are taken from a `Sample` with the same seed; gates, losses, estimates and
penalties are then worked out in NumPy, with the model run only to turn gates into scores.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable

import numpy as np
import pytest
import tensorflow as tf

from tests.estimators.toy import HEADS, LAYERS, forced, item_ids, toy_loss, toy_model, valid
from tf_recdenoiser._keras import raw_variable
from tf_recdenoiser.estimators import ESTIMATORS, Ar, Estimator, Rloo, get_estimator
from tf_recdenoiser.layers import PositionalGates
from tf_recdenoiser.layers.sample import Evaluation, Sample
from tf_recdenoiser.training import DenoisingModel

LENGTH = 3
SHARPNESS, BETA, L2, DECAY = 1.5, 0.3, 0.01, 0.6
SEED, EARLIER_SEED = tf.constant([11, 12]), tf.constant([21, 22])
X = {"item_ids": tf.constant(np.concatenate([item_ids(LENGTH), item_ids(LENGTH)[::-1]]))}
Y = np.random.default_rng(0).normal(size=(4, LENGTH)).astype(np.float32)
ITEMS = X["item_ids"].numpy() > 0
WEIGHTS = (ITEMS * np.array([[0.5, 1.0, 2.0]])).astype(np.float32)
REACHABLE = np.tril(np.ones((LENGTH, LENGTH), bool))


def sigma(x: np.ndarray) -> np.ndarray:
    return 1 / (1 + np.exp(-x))


# The gates of each evaluation, and the estimate in k Phi, of keep probabilities p, uniform
# numbers u, gates b and losses f.
GATES: dict[str, Callable] = {
    "arm": lambda p, u: [u[0] < p, u[0] > 1 - p],
    "disarm": lambda p, u: [u[0] < p, u[0] > 1 - p],
    "ar": lambda p, u: [u[0] < p],
    "reinforce": lambda p, u: [u[0] < p],
    "rloo": lambda p, u: [u_k < p for u_k in u],
    "straight_through": lambda p, u: [u[0] < p],
    "concrete": lambda p, u: [sigma(1.5 * (np.log(p / (1 - p)) + np.log(u[0] / (1 - u[0]))))],
}
ESTIMATES: dict[str, Callable] = {
    "arm": lambda p, u, b, f: (f[1] - f[0]) * (u[0] - 0.5),
    "disarm": lambda p, u, b, f: (
        0.5 * (f[1] - f[0]) * (-1.0) ** b[0] * (b[0] != b[1]) * np.maximum(p, 1 - p)
    ),
    "ar": lambda p, u, b, f: f[0] * (1 - 2 * u[0]),
    "reinforce": lambda p, u, b, f: f[0] * (b[0] - p),
    "rloo": lambda p, u, b, f: np.mean(
        [
            (f[k] - np.mean([f[j] for j in range(len(b)) if j != k], axis=0)) * (b[k] - p)
            for k in range(len(b))
        ],
        axis=0,
    ),
}
SLOPES: dict[str, Callable] = {
    "straight_through": lambda p, gate: p * (1 - p),
    "concrete": lambda p, gate: 1.5 * gate * (1 - gate),
}


@dataclasses.dataclass(frozen=True)
class Case:
    """How a model is compiled."""

    estimator: Estimator
    credit: bool = False
    rows: int | None = None
    penalty: str = "entries"
    weights: np.ndarray | None = dataclasses.field(default_factory=lambda: WEIGHTS)

    @property
    def name(self) -> str:
        return next(name for name, kind in ESTIMATORS.items() if type(self.estimator) is kind)

    @property
    def targets(self) -> float:
        return float(self.weight.sum())

    @property
    def weight(self) -> np.ndarray:
        # Without weights the mask that the outputs carry leaves padding out.
        of_items = np.concatenate([valid(LENGTH), valid(LENGTH)[::-1]])
        return of_items if self.weights is None else self.weights

    def model(self) -> DenoisingModel:
        gates = PositionalGates(beta=BETA, penalty=self.penalty, sharpness=SHARPNESS)
        model = toy_model(LENGTH, gates=gates, dropout=0.25)
        model.ends_position_wise = True
        model.compile(
            "sgd",
            loss=toy_loss,
            estimator=self.estimator,
            credit=self.credit,
            estimator_batch_size=self.rows,
            l2=L2,
            baseline_decay=DECAY,
        )
        return model


def position_losses(model: DenoisingModel, gates: list[np.ndarray], seed: tf.Tensor) -> np.ndarray:
    """The loss written out in NumPy, of the scores with these gates: `[B, n]`."""
    with forced(model, gates, seed):
        scores = model(X, training=True)
    scores = scores.numpy().astype(np.float64)[..., 0]
    return np.log1p(np.exp(2 * scores)) + 0.5 * (scores - Y) ** 2


@dataclasses.dataclass(frozen=True)
class Reference:
    """What the formulas give for one seed.

    Attributes
    ----------
    keep
        sigma(k Phi) of each layer, `[n, n]`.
    uniforms
        Of each layer, `[S, n, n]`.
    gates
        Of each evaluation and layer, `[n, n]`.
    losses
        Of each evaluation, weighted, `[B, n]`.
    """

    case: Case
    model: DenoisingModel
    keep: list[np.ndarray]
    uniforms: list[np.ndarray]
    gates: list[list[np.ndarray]]
    losses: list[np.ndarray]

    @classmethod
    def compute(cls, case: Case, model: DenoisingModel, seed: tf.Tensor) -> Reference:
        with Evaluation(Sample(seed, case.estimator)) as recorder:
            model(X, training=True)
        uniforms = [record.uniform.numpy() for record in recorder.gates.values()]
        keep = [sigma(SHARPNESS * layer.logits.numpy()) for layer in model.gate_layers]
        drawn = [GATES[case.name](p, u) for p, u in zip(keep, uniforms, strict=True)]
        gates = [[1.0 * gate for gate in layers] for layers in zip(*drawn, strict=True)]
        losses = [position_losses(model, layers, seed) * case.weight for layers in gates]
        return cls(case, model, keep, uniforms, gates, losses)

    def accountable(self, layer: int) -> list[np.ndarray]:
        """The loss of each evaluation that a layer's gates answer for, `[n, 1]` or a number."""
        found = []
        for losses in self.losses:
            if self.case.rows is not None and len(self.losses) > 1:
                losses = losses[: self.case.rows] * (len(losses) / self.case.rows)
            summed = losses.sum(0) / self.case.targets
            if not self.case.credit:
                found.append(summed.sum())
            elif layer == LAYERS - 1:
                found.append(summed[:, np.newaxis])
            else:
                found.append(np.array([[summed[u:].sum()] for u in range(LENGTH)]))
        return found

    def data_gradient(self, layer: int, baseline: float | np.ndarray) -> np.ndarray:
        losses = [f - baseline for f in self.accountable(layer)]
        gates = [layers[layer] for layers in self.gates]
        estimate = ESTIMATES[self.case.name](self.keep[layer], self.uniforms[layer], gates, losses)
        return SHARPNESS * np.where(REACHABLE, estimate, 0.0)

    def pathwise_gradient(self, layer: int, seed: tf.Tensor) -> np.ndarray:
        gates = [tf.constant(gate, tf.float32) for gate in self.gates[0]]
        with tf.GradientTape() as tape:
            tape.watch(gates)
            with forced(self.model, gates, seed):
                losses = toy_loss(Y, self.model(X, training=True)) * self.case.weight
        slope = SLOPES[self.case.name](self.keep[layer], self.gates[0][layer])
        upstream = tape.gradient(losses, gates)[layer].numpy() / self.case.targets
        return SHARPNESS * upstream * slope

    @property
    def penalty_weight(self) -> np.ndarray:
        """How often each gate's keep probability is counted, `[n, n]`."""
        if self.case.penalty == "entries":
            return REACHABLE.astype(float)
        edges = ITEMS[:, :, np.newaxis] & ITEMS[:, np.newaxis, :] & REACHABLE
        return edges.sum(0).astype(float)

    def penalty_gradient(self, layer: int) -> np.ndarray:
        slope = SHARPNESS * self.keep[layer] * (1 - self.keep[layer])
        return BETA / self.case.targets * slope * self.penalty_weight

    def weight_gradients(self, seed: tf.Tensor) -> list[np.ndarray]:
        """Of the first evaluation's loss and of the weight decay, the gates held fixed."""
        variables = [raw_variable(v) for v in of_weights(self.model)]
        with tf.GradientTape() as tape:
            with forced(self.model, self.gates[0], seed):
                losses = toy_loss(Y, self.model(X, training=True)) * self.case.weight
            total = tf.reduce_sum(losses)
        found = tape.gradient(total, variables)
        return [
            (tf.convert_to_tensor(g).numpy() + 2 * L2 * v.numpy()) / self.case.targets
            for g, v in zip(found, variables, strict=True)
        ]


def is_gate(model: DenoisingModel) -> list[bool]:
    gates = {id(layer.logits) for layer in model.gate_layers}
    return [id(variable) in gates for variable in model.trainable_variables]


def of_weights(model: DenoisingModel) -> list:
    parted = zip(model.trainable_variables, is_gate(model), strict=True)
    return [variable for variable, gate in parted if not gate]


CASES = [
    *(Case(get_estimator(name), credit) for name in ESTIMATORS for credit in (False, True)),
    *(Case(get_estimator(name), credit=True, rows=3) for name in ("arm", "disarm", "rloo")),
    Case(Rloo(3), credit=True),
    Case(Ar(use_baseline=False)),
    Case(get_estimator("disarm"), penalty="edges"),
    Case(get_estimator("disarm"), weights=None),
    Case(get_estimator("disarm"), weights=None, penalty="edges", rows=1),
]


def describe(case: Case) -> str:
    parts = [case.name, "credit" if case.credit else "", case.penalty]
    parts += [f"rows={case.rows}" if case.rows else "", "unweighted" * (case.weights is None)]
    return "-".join(part for part in parts if part)


@pytest.mark.parametrize("case", CASES, ids=describe)
def test_gradients_are_those_of_the_formulas(case: Case) -> None:
    model = case.model()
    baselines = [0.0] * LAYERS
    if case.estimator.baseline:  # The running mean after one step is that step's loss.
        earlier = Reference.compute(case, model, EARLIER_SEED)
        baselines = [earlier.accountable(layer)[0] for layer in range(LAYERS)]
    model.loss_gradients(X, Y, case.weights, EARLIER_SEED)

    gradients, outputs, parts = model.loss_gradients(X, Y, case.weights, SEED)

    expected = Reference.compute(case, model, SEED)
    found = zip(gradients, is_gate(model), strict=True)
    parted = {True: [], False: []}
    for gradient, gate in found:
        parted[gate].append(tf.convert_to_tensor(gradient).numpy())
    for layer, gradient in enumerate(parted[True]):
        if case.estimator.unbiased:
            data = expected.data_gradient(layer, baselines[layer])
        else:
            data = expected.pathwise_gradient(layer, SEED)
        assert np.abs(data).max() > 1e-3
        np.testing.assert_allclose(
            gradient, data + expected.penalty_gradient(layer), rtol=2e-3, atol=2e-5
        )
        assert not gradient[~REACHABLE].any()
    for gradient, reference in zip(parted[False], expected.weight_gradients(SEED), strict=True):
        np.testing.assert_allclose(gradient, reference, rtol=1e-3, atol=1e-4)

    with forced(model, expected.gates[0], SEED):
        np.testing.assert_allclose(outputs, model(X, training=True), rtol=1e-5, atol=1e-5)
    check_parts(case, expected, {name: float(value) for name, value in parts.items()})


def check_parts(case: Case, expected: Reference, parts: dict[str, float]) -> None:
    """The loss, its parts and the gates' statistics by their definitions."""
    data = expected.losses[0].sum() / case.targets
    sparsity = sum(
        BETA / case.targets * (keep * expected.penalty_weight).sum() for keep in expected.keep
    )
    squares = sum(
        float(np.sum(v.numpy() ** 2)) for v in map(raw_variable, of_weights(expected.model))
    )
    assert parts.pop("data") == pytest.approx(data, rel=1e-4)
    assert parts.pop("sparsity") == pytest.approx(sparsity, rel=1e-4)
    assert parts.pop("jacobian") == 0
    assert parts.pop("loss") == pytest.approx(
        data + sparsity + L2 * squares / case.targets, rel=1e-4
    )
    for layer, keep in enumerate(expected.keep):
        assert parts.pop(f"keep_{layer + 1}") == pytest.approx(keep[REACHABLE].mean(), rel=1e-5)
        density = (keep[REACHABLE] > 0.5).mean()
        assert parts.pop(f"density_{layer + 1}") == pytest.approx(density, rel=1e-5)
        # By what the means over batches are weighed.
        assert parts.pop(f"gates_{layer + 1}") == REACHABLE.sum()
    assert parts.pop("targets") == case.targets
    assert not parts


def test_every_estimator_of_the_table_is_covered() -> None:
    assert set(GATES) == set(ESTIMATORS) == set(ESTIMATES) | set(SLOPES)
    assert HEADS > 1
