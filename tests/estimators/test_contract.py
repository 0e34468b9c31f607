"""What every estimator of the table keeps to."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest
import tensorflow as tf

from tf_recdenoiser.estimators import (
    ESTIMATORS,
    Ar,
    Concrete,
    Estimator,
    Rloo,
    get_estimator,
    serialize_estimator,
)

SHAPE = (2, 3, 3)


@pytest.fixture(params=sorted(ESTIMATORS))
def estimator(request: pytest.FixtureRequest) -> Estimator:
    return ESTIMATORS[request.param]()


@pytest.fixture
def numbers(estimator: Estimator) -> tuple[tf.Tensor, tf.Tensor]:
    """Logits and uniform numbers."""
    rng = np.random.default_rng(0)
    logits = tf.constant(rng.normal(size=SHAPE), tf.float32)
    return logits, tf.constant(rng.random((estimator.uniforms, *SHAPE)), tf.float32)


def test_it_gives_gates_for_each_evaluation(estimator, numbers) -> None:
    logits, _ = numbers
    gates = estimator.gates(*numbers)
    assert len(gates) == estimator.evaluations
    for gate in gates:
        assert gate.shape == logits.shape and gate.dtype == logits.dtype
        assert np.all((gate.numpy() >= 0) & (gate.numpy() <= 1))


def test_gates_are_0_or_1_unless_they_are_relaxed(estimator, numbers) -> None:
    values = np.unique(np.stack(estimator.gates(*numbers)))
    assert set(values) == {0.0, 1.0} or isinstance(estimator, Concrete)


def test_each_evaluation_keeps_a_gate_with_probability_sigma(estimator) -> None:
    """The share of a fine grid of uniform numbers that opens the gate."""
    logit, grid = 0.7, 2000
    points = (np.arange(grid) + 0.5) / grid
    uniform = tf.constant(np.tile(points, (estimator.uniforms, 1)))
    for gate in estimator.gates(tf.fill([grid], tf.constant(logit, tf.float64)), uniform):
        share = np.mean(gate.numpy() > 0.5)
        assert share == pytest.approx(1 / (1 + np.exp(-logit)), abs=1 / grid)


def test_the_gradient_has_the_shape_of_the_logits(estimator, numbers) -> None:
    for loss in (tf.ones([]), tf.ones([3, 1])):
        losses = [float(k + 1) * loss for k in range(estimator.evaluations)]
        assert estimator.gradient(*numbers, losses).shape == SHAPE


def test_its_record_makes_it_again(estimator) -> None:
    record = serialize_estimator(estimator)
    assert get_estimator(record) == estimator
    assert ESTIMATORS[record["name"]] is type(estimator)
    assert get_estimator(estimator) is estimator


@pytest.mark.parametrize("changed", [Ar(use_baseline=False), Rloo(5), Concrete(0.5, hard=True)])
def test_options_survive_the_record(changed: Estimator) -> None:
    assert get_estimator(serialize_estimator(changed)) == changed


def test_it_cannot_be_changed(estimator) -> None:
    with pytest.raises(dataclasses.FrozenInstanceError):
        estimator.samples = 3


def test_baselines_are_asked_for_by_those_with_one_evaluation() -> None:
    wanting = [name for name, kind in ESTIMATORS.items() if kind().baseline]
    assert wanting == ["ar", "reinforce"]
    assert not Ar(use_baseline=False).baseline


@dataclasses.dataclass(frozen=True)
class Unlisted(Ar):
    """An estimator that is not in the table."""


@pytest.mark.parametrize(
    ("make", "argument"),
    [
        (lambda: get_estimator("armed"), "estimator"),
        (lambda: get_estimator({"samples": 3}), "estimator"),
        (lambda: Rloo(1), "samples"),
        (lambda: Concrete(0.0), "temperature"),
        (lambda: serialize_estimator(Unlisted()), "estimator"),
    ],
)
def test_a_wrong_argument_is_named(make, argument: str) -> None:
    with pytest.raises(ValueError, match=rf"(?s)`{argument}` must .*Received: [^.]+"):
        make()
