"""The measure of estimators against enumeration, and against the model itself."""

from __future__ import annotations

import numpy as np
import pytest
import tensorflow as tf

from tests.estimators import exact
from tests.runs.small import DATASET, small
from tf_recdenoiser.estimators import ESTIMATORS, get_estimator
from tf_recdenoiser.experiments.measures.estimators import (
    FreeGates,
    _batch,
    _compiled,
    estimators,
    exact_gradient,
    gate_states,
    looked_up,
)
from tf_recdenoiser.runs import Run, load_run, train

LOGITS = np.array([0.3, -0.7, 1.1])
LOSSES = np.array([1.0, 0.2, 3.0, -1.0, 0.5, 2.5, 0.0, 1.5])


@pytest.fixture(scope="module")
def trained(tmp_path_factory: pytest.TempPathFactory) -> Run:
    path = tmp_path_factory.mktemp("gates") / "run"
    changes = {"fit.epochs": 1, "gates.credit": False, "gates.initial_keep": 0.6}
    train(small(changes), DATASET, path)
    return load_run(path)


def test_enumeration_is_the_tests_own() -> None:
    np.testing.assert_array_equal(gate_states(3), exact.gate_states(3))
    found, expected = exact_gradient(LOGITS, LOSSES), exact.exact_gradient(LOGITS, LOSSES)
    np.testing.assert_allclose(found, expected, rtol=1e-12)


@pytest.mark.parametrize("name", [one for one in ESTIMATORS if get_estimator(one).unbiased])
def test_draws_from_the_table_have_the_exact_mean(name: str) -> None:
    draws = looked_up(get_estimator(name), LOGITS, LOSSES, 100_000)
    error = draws.std(axis=0) / np.sqrt(len(draws))
    expected = exact.exact_gradient(LOGITS, LOSSES)
    assert (abs(draws.mean(axis=0) - expected) < 4.5 * error).all()


def test_the_table_holds_the_models_own_losses(trained: Run) -> None:
    """Gates that are set by hand, in a forward pass without dropout."""
    batch = _batch(trained, DATASET)
    model = _compiled(trained, "arm", credit=False)
    learned = np.asarray(model.gate_layers[0].logits)
    free = FreeGates(model, batch, count=2)
    losses = free.losses()
    reachable = np.tri(len(learned), dtype=bool)
    places = np.argsort(np.where(reachable, abs(learned), np.inf), axis=None)[:2]
    x, y, weights = batch
    for state, loss in zip(gate_states(2), losses, strict=True):
        gates = np.where(learned > 0, 40.0, -40.0).astype(np.float32)
        gates.ravel()[places] = np.where(state > 0, 40.0, -40.0)
        model.gate_layers[0].logits.assign(gates)
        scores = model(x, training=False)
        found = model._sample_losses(y, scores, weights)
        assert loss == pytest.approx(float(tf.reduce_sum(found[0]) / found[1]), rel=1e-5)


def test_straight_through_flows_through_the_model(trained: Run) -> None:
    """Its mean is that of df/dz sigma'(phi) over the states, by finite differences of f in z."""
    model = _compiled(trained, "straight_through", credit=False)
    draws = FreeGates(model, _batch(trained, DATASET), count=2).drawn(5)
    assert draws.shape == (5, 2) and np.isfinite(draws).all() and draws.any()


@pytest.mark.slow
def test_unbiased_ones_are_as_far_from_the_truth_as_chance_says(trained: Run) -> None:
    found = {str(one.factors["estimator"]): one.values for one in estimators(trained, DATASET)}
    assert set(ESTIMATORS) < set(found)
    for name in ESTIMATORS:
        if get_estimator(name).unbiased:
            assert found[name]["bias"] < 3 * found[name]["chance"]
    assert found["arm"]["variance"] == found["arm"]["time"] == 1
    assert found["disarm"]["variance"] < 1
    assert found["disarm + credit"]["variance"] < found["disarm"]["variance"]
