"""Sparse relatives of the softmax against solutions of their definition in float64."""

from __future__ import annotations

import importlib.util
from collections.abc import Callable

import numpy as np
import pytest
import tensorflow as tf
from hypothesis import given, settings
from hypothesis import strategies as st

from tf_recdenoiser.ops import entmax, entmax15, masked_softmax, sparsemax

ALPHAS = (1.05, 1.25, 1.5, 1.75, 2.0, 2.5)
EXACT: dict[float, Callable] = {1.5: entmax15, 2.0: sparsemax}
EVERY = [*EXACT.items(), *((alpha, lambda z, m=None, a=alpha: entmax(z, a, m)) for alpha in ALPHAS)]

IDS = [f"{alpha} {'exact' if i < len(EXACT) else 'bisected'}" for i, (alpha, _) in enumerate(EVERY)]

every_way = pytest.mark.parametrize(("alpha", "function"), EVERY, ids=IDS)


def solution(scores: np.ndarray, alpha: float) -> np.ndarray:
    """The weights of one row `[n]`: tau by bisection, in float64."""
    x = (alpha - 1) * np.asarray(scores, np.float64)
    low, high = x.max() - 1, x.max()
    for _ in range(200):
        tau = (low + high) / 2
        weights = np.maximum(x - tau, 0) ** (1 / (alpha - 1))
        low, high = (tau, high) if weights.sum() > 1 else (low, tau)
    return weights


def reference(scores: np.ndarray, alpha: float, mask: np.ndarray | None = None) -> np.ndarray:
    """The weights of every row `[..., n]` over what the mask leaves of it."""
    visible = np.ones(scores.shape, bool) if mask is None else np.broadcast_to(mask, scores.shape)
    weights = np.zeros(scores.shape)
    for index in np.ndindex(scores.shape[:-1]):
        if visible[index].any():
            weights[index][visible[index]] = solution(scores[index][visible[index]], alpha)
    return weights


def projection(scores: np.ndarray) -> np.ndarray:
    """The nearest point of the simplex: of all supports the one whose solution is nearest."""
    best, distance = scores, np.inf
    for code in range(1, 2 ** len(scores)):
        support = np.array([code >> i & 1 for i in range(len(scores))], bool)
        point = np.where(support, scores - (scores[support].sum() - 1) / support.sum(), 0.0)
        if point.min() >= 0 and np.sum((point - scores) ** 2) < distance:
            best, distance = point, np.sum((point - scores) ** 2)
    return best


def slopes(scores: np.ndarray, alpha: float, step: float = 1e-5) -> np.ndarray:
    """dp_i/dz_j of one row by differences of the reference, `[n, n]`."""
    units = step * np.eye(len(scores))
    return np.stack(
        [(solution(scores + e, alpha) - solution(scores - e, alpha)) / (2 * step) for e in units],
        axis=-1,
    )


def far_from_the_edge(rng: np.random.Generator, alpha: float, size: int = 5) -> np.ndarray:
    """Scores of which no entry is about to enter or to leave the support."""
    while True:
        scores = 1.5 * rng.normal(size=size)
        x = (alpha - 1) * scores
        weights = solution(scores, alpha)
        tau = x.max() - weights.max() ** (alpha - 1)
        if np.sum(weights > 0) > 1 and np.abs(x - tau).min() > 0.05:
            return scores


@every_way
@settings(max_examples=25, deadline=None)
@given(
    seed=st.integers(0, 2**31),
    scale=st.sampled_from([0.1, 1.0, 5.0, 50.0]),
    share=st.floats(0, 1),
    offset=st.sampled_from([0.0, -300.0, 300.0]),
)
def test_it_solves_the_definition_over_what_is_visible(
    alpha: float, function: Callable, seed: int, scale: float, share: float, offset: float
) -> None:
    rng = np.random.default_rng(seed)
    scores = (scale * rng.normal(size=(2, 3, 5)) + offset).astype(np.float32)
    mask = rng.random((2, 3, 5)) < share
    weights = function(tf.constant(scores), tf.constant(mask)).numpy()
    np.testing.assert_allclose(weights, reference(scores, alpha, mask), atol=2e-5)
    assert not weights[~mask].any()
    np.testing.assert_allclose(weights.sum(-1), mask.any(-1), atol=1e-6)


@settings(max_examples=25, deadline=None)
@given(st.integers(0, 2**31), st.sampled_from([0.3, 1.0, 4.0]))
def test_sparsemax_is_the_nearest_point_of_the_simplex(seed: int, scale: float) -> None:
    scores = scale * np.random.default_rng(seed).normal(size=6)
    found = sparsemax(tf.constant(scores, tf.float32))
    np.testing.assert_allclose(found, projection(scores), atol=1e-5)


@every_way
def test_equal_scores_and_single_ones(alpha: float, function: Callable) -> None:
    np.testing.assert_allclose(function(tf.zeros([2, 8])), np.full((2, 8), 1 / 8), rtol=1e-5)
    np.testing.assert_array_equal(function(tf.constant([[-7.0]])), [[1.0]])


def test_close_to_alpha_1_it_is_the_softmax() -> None:
    scores = np.random.default_rng(0).normal(size=(3, 5)).astype(np.float32)
    np.testing.assert_allclose(entmax(scores, 1.001), masked_softmax(scores), atol=2e-3)


def test_each_row_may_have_an_alpha_of_its_own() -> None:
    scores = np.random.default_rng(0).normal(size=(2, 3, 4)).astype(np.float32)
    alphas = np.array([1.2, 1.5, 1.9], np.float32)
    found = entmax(scores, tf.constant(alphas)[:, tf.newaxis])
    expected = np.stack([reference(scores[:, i], a) for i, a in enumerate(alphas)], axis=1)
    np.testing.assert_allclose(found, expected, atol=1e-5)


@every_way
@pytest.mark.parametrize("graph", [False, True], ids=["eager", "graph"])
def test_its_jacobian_is_that_of_the_solution(
    alpha: float, function: Callable, graph: bool
) -> None:
    scores = far_from_the_edge(np.random.default_rng(1), alpha)

    def jacobian(z: tf.Tensor) -> tf.Tensor:
        with tf.GradientTape() as tape:
            tape.watch(z)
            weights = function(z)
        return tape.jacobian(weights, z)

    found = (tf.function(jacobian) if graph else jacobian)(tf.constant(scores, tf.float32))
    np.testing.assert_allclose(found, slopes(scores, alpha), atol=2e-4)


@every_way
@pytest.mark.parametrize("graph", [False, True], ids=["eager", "graph"])
def test_its_vector_jacobian_product_can_be_differentiated(
    alpha: float, function: Callable, graph: bool
) -> None:
    """The gradient of ||v^T J||^2, as the Jacobian penalty needs it."""
    rng = np.random.default_rng(2)
    scores, vector = far_from_the_edge(rng, alpha), rng.normal(size=5)

    def gradient(z: tf.Tensor, v: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
        with tf.GradientTape() as outer:
            outer.watch([z, v])
            with tf.GradientTape() as inner:
                inner.watch(z)
                weights = function(z)
            product = inner.gradient(weights, z, output_gradients=v)
            norm = tf.reduce_sum(product**2)
        return outer.gradient(norm, [z, v])

    def norm(z: np.ndarray, v: np.ndarray) -> float:
        return float(np.sum((v @ slopes(z, alpha)) ** 2))

    step = 1e-3
    units = step * np.eye(5)
    expected = [
        [(norm(scores + e, vector) - norm(scores - e, vector)) / (2 * step) for e in units],
        [(norm(scores, vector + e) - norm(scores, vector - e)) / (2 * step) for e in units],
    ]
    found = (tf.function(gradient) if graph else gradient)(
        tf.constant(scores, tf.float32), tf.constant(vector, tf.float32)
    )
    for one, other in zip(found, expected, strict=True):
        np.testing.assert_allclose(one, other, rtol=5e-3, atol=2e-3)


@pytest.mark.parametrize("alpha", [1.1, 1.4, 1.8])
def test_its_gradient_in_alpha_and_that_one_s_own(alpha: float) -> None:
    """The first and the second derivative of v^T p, by differences of the reference."""
    rng = np.random.default_rng(3)
    scores, vector = far_from_the_edge(rng, alpha), rng.normal(size=5)
    variable = tf.constant(alpha)
    with tf.GradientTape() as outer:
        outer.watch(variable)
        with tf.GradientTape() as inner:
            inner.watch(variable)
            weights = entmax(tf.constant(scores, tf.float32), variable)
            value = tf.reduce_sum(weights * tf.constant(vector, tf.float32))
        first = inner.gradient(value, variable)
    second = outer.gradient(first, variable)
    step = 1e-4
    below, here, above = (vector @ solution(scores, alpha + d) for d in (-step, 0, step))
    assert float(first) == pytest.approx((above - below) / (2 * step), rel=1e-3, abs=1e-4)
    assert float(second) == pytest.approx((above - 2 * here + below) / step**2, rel=2e-2, abs=2e-2)


def test_alpha_of_several_rows_has_the_sum_of_their_gradients() -> None:
    rng = np.random.default_rng(4)
    scores = rng.normal(size=(2, 3, 4)).astype(np.float32)
    vector = rng.normal(size=(2, 3, 4)).astype(np.float32)
    alphas = tf.constant([[1.3], [1.5], [1.7]])
    with tf.GradientTape() as tape:
        tape.watch(alphas)
        value = tf.reduce_sum(vector * entmax(scores, alphas))
    step, expected = 1e-4, []
    for head, alpha in enumerate(alphas.numpy().ravel().astype(float)):
        upper, lower = (reference(scores[:, head], alpha + d) for d in (step, -step))
        expected.append([np.sum(vector[:, head] * (upper - lower)) / (2 * step)])
    np.testing.assert_allclose(tape.gradient(value, alphas), expected, rtol=1e-3, atol=1e-3)


@every_way
def test_a_row_that_is_hidden_altogether_is_zero_and_passes_no_gradient(
    alpha: float, function: Callable
) -> None:
    logits = tf.constant([[1.0, 2.0], [3.0, 3.25]])
    mask = tf.constant([[False, False], [True, True]])
    with tf.GradientTape() as tape:
        tape.watch(logits)
        weights = function(logits, mask)
        first = tf.reduce_sum(weights[:, 0])
    gradient = tape.gradient(first, logits).numpy()
    assert not weights[0].numpy().any() and not gradient[0].any()
    assert np.all(np.isfinite(gradient)) and gradient[1].any()


@every_way
@pytest.mark.parametrize("dtype", [tf.float16, tf.bfloat16])
def test_narrow_types_are_computed_in_float32(
    alpha: float, function: Callable, dtype: tf.DType
) -> None:
    weights = function(tf.fill([1, 1000], tf.constant(11.0, dtype)))
    assert weights.dtype == dtype
    np.testing.assert_allclose(tf.cast(weights, tf.float32), np.full((1, 1000), 1e-3), rtol=0.01)


def test_alpha_must_be_above_1() -> None:
    with pytest.raises(ValueError, match=r"`alpha` must be above 1\. Received: alpha=1\.0"):
        entmax(tf.zeros([2]), 1.0)


@pytest.mark.skipif(
    importlib.util.find_spec("entmax") is None, reason="the PyTorch package entmax is not installed"
)
@every_way
def test_it_agrees_with_the_package_of_its_authors(alpha: float, function: Callable) -> None:
    import entmax as theirs
    import torch

    scores = np.random.default_rng(5).normal(scale=2.0, size=(20, 30)).astype(np.float32)
    expected = theirs.entmax_bisect(torch.tensor(scores), alpha, n_iter=60).numpy()
    np.testing.assert_allclose(function(tf.constant(scores)), expected, atol=1e-5)
