"""The Jacobian penalty against the Jacobian itself."""

from __future__ import annotations

import itertools

import numpy as np
import pytest
import tensorflow as tf

from tests.layers.reference import normal, randomize
from tf_recdenoiser._keras import IS_KERAS_3, keras
from tf_recdenoiser.layers import (
    Dropout,
    JacobianRegularizedBlock,
    PositionalGates,
    TransformerBlock,
)
from tf_recdenoiser.layers.sample import Evaluation, Sample

B, N, D, GAMMA = 3, 3, 4, 0.7
X = normal(B, N, D)
MASK = np.array([[True] * N, [False, True, True], [False, False, True]])


def dense() -> keras.layers.Layer:
    return keras.layers.Dense(1, activation="tanh")


def sequential() -> keras.layers.Layer:
    return keras.Sequential([keras.layers.Dense(5, activation="tanh"), keras.layers.Dense(1)])


def functional() -> keras.layers.Layer:
    inputs = keras.Input([N, D])
    outputs = keras.layers.Dense(1)(keras.layers.Dense(5, activation="tanh")(inputs))
    return keras.Model(inputs, outputs)


def transformer() -> keras.layers.Layer:
    return TransformerBlock(num_heads=2, causal=False, epsilon=1e-3)


BLOCKS = {f.__name__: f for f in (dense, sequential, functional, transformer)}


def wrapped(name: str = "dense", **options: object) -> JacobianRegularizedBlock:
    layer = JacobianRegularizedBlock(BLOCKS[name](), GAMMA, **options)
    layer.build((None, N, D))
    randomize(layer)
    return layer


def exact_jacobian(block: keras.layers.Layer, mask: np.ndarray | None = None) -> np.ndarray:
    """J of each sequence, `[B, n, d', n, d]`, zero where either position is padding."""
    # A new tensor each time, since Keras 3 leaves masks on the tensors it is given.
    x = tf.constant(X)
    with tf.GradientTape() as tape:
        tape.watch(x)
        takes_mask = isinstance(block, TransformerBlock) and mask is not None
        outputs = block(x, mask=tf.constant(mask)) if takes_mask else block(x)
    jacobian = tape.batch_jacobian(outputs, x).numpy().astype(float)
    if mask is not None:
        jacobian *= mask[:, :, None, None, None] * mask[:, None, None, :, None]
    return jacobian


def exact_norms(block: keras.layers.Layer, mask: np.ndarray | None = None) -> np.ndarray:
    """||J||_F^2 of each sequence, `[B]`."""
    return np.sum(exact_jacobian(block, mask) ** 2, axis=(1, 2, 3, 4))


def penalty(
    layer: JacobianRegularizedBlock,
    seed: int = 0,
    mask: np.ndarray | None = None,
    targets: float | None = None,
) -> float:
    """As a loss of the layer, divided by the positions that are items or by `targets`."""
    sample = Sample(tf.constant([seed, 0]), penalty_divisor=targets)
    with Evaluation(sample):
        layer(tf.constant(X), mask=None if mask is None else tf.constant(mask), training=True)
    (value,) = layer.losses
    return float(value)


@pytest.mark.filterwarnings("ignore:.*does not support masking:UserWarning")
@pytest.mark.parametrize("mask", [None, MASK], ids=["no mask", "padding"])
@pytest.mark.parametrize("name", ["dense", "sequential", "functional"])
def test_it_is_exact_for_one_output_at_each_position(name: str, mask: np.ndarray | None) -> None:
    """Positions apart and one output each: a sign cannot change ||v^T J||."""
    layer = wrapped(name)
    total = GAMMA / D * exact_norms(layer.block, mask).sum()
    items = MASK.sum() if mask is not None else MASK.size
    assert penalty(layer, mask=mask) == pytest.approx(total / items, rel=1e-4)
    assert penalty(layer, mask=mask, targets=11.0) == pytest.approx(total / 11, rel=1e-4)


def test_the_identity_counts_gamma_for_each_position() -> None:
    layer = JacobianRegularizedBlock(keras.layers.Activation("linear"), GAMMA)
    assert penalty(layer) == pytest.approx(GAMMA, rel=1e-6)
    assert penalty(layer, mask=MASK) == pytest.approx(GAMMA, rel=1e-6)


@pytest.mark.parametrize("mask", [None, MASK], ids=["no mask", "padding"])
@pytest.mark.parametrize("distribution", ["rademacher", "normal"])
def test_its_mean_is_exact_for_a_transformer_block(
    distribution: str, mask: np.ndarray | None
) -> None:
    """The mean of many projections, within four of its exact standard deviations."""
    projections = 150
    layer = wrapped("transformer", distribution=distribution, projections=projections)
    expected = GAMMA / D * exact_norms(layer.block, mask).sum()
    deviation = GAMMA / D * projection_deviation(layer.block, mask, distribution)
    deviation /= np.sqrt(projections)
    assert deviation < 0.15 * expected
    assert abs(penalty(layer, mask=mask, targets=1.0) - expected) < 4 * deviation


def projection_deviation(
    block: keras.layers.Layer, mask: np.ndarray | None, distribution: str
) -> float:
    """Of one projection, from G = J J^T: 2 ||G||_F^2, less its diagonal for signs."""
    jacobian = exact_jacobian(block, mask)
    flat = jacobian.reshape(B, N * D, N * D)
    gram = flat @ flat.transpose(0, 2, 1)
    square = gram**2
    if distribution == "rademacher":
        square *= 1 - np.eye(N * D)
    return float(np.sqrt(2 * square.sum()))


@pytest.mark.parametrize("batch_size", [1, 2])
def test_a_part_of_the_batch_gives_each_subset_alike_often(batch_size: int) -> None:
    """Each draw is one subset's norms, rescaled; so the mean over subsets is the whole."""
    layer = wrapped(batch_size=batch_size)
    norms = exact_norms(layer.block)
    subsets = [np.mean(s) for s in itertools.combinations(norms, batch_size)]
    expected = GAMMA / D * B / (B * N) * np.array(subsets)
    assert np.mean(expected) == pytest.approx(GAMMA / D * norms.sum() / (B * N))
    draws = 150
    found = np.array([penalty(layer, seed) for seed in range(draws)])
    distance = np.abs(found[:, np.newaxis] / expected - 1)
    assert np.all(distance.min(axis=1) < 1e-4)
    share = np.bincount(distance.argmin(axis=1), minlength=len(subsets)) / draws
    assert np.all(np.abs(share - 1 / len(subsets)) < 4 * np.sqrt(2 / 9 / draws))


@pytest.mark.parametrize("interval", [1, 2])
@pytest.mark.parametrize("graph", [False, True])
def test_a_penalty_on_the_activity_of_the_block_counts_once(interval: int, graph: bool) -> None:
    dense = keras.layers.Dense(1, activity_regularizer=keras.regularizers.L2(0.3))
    layer = JacobianRegularizedBlock(dense, GAMMA, interval=interval)
    layer.build((None, N, D))

    def losses(seed: tf.Tensor) -> list[tf.Tensor]:
        with Evaluation(Sample(seed)):
            layer(tf.constant(X), training=True)
        return list(layer.losses)

    run = tf.function(losses) if graph else losses
    expected = (
        0.3 * np.sum(dense(tf.constant(X)).numpy() ** 2) / B
    )  # of a sequence, as Keras has it
    for seed in range(6):
        found = [float(loss) for loss in run(tf.constant([seed, 0]))]
        assert len(found) == 2
        assert min(abs(loss - expected) for loss in found) < 1e-5


@pytest.mark.parametrize("graph", [False, True])
def test_in_one_step_of_some_it_counts_as_often_as_there_are_steps(graph: bool) -> None:
    """With 0 in the others, its mean over steps is that of a penalty in each of them."""
    interval, steps = 3, 60
    layer = wrapped(batch_size=1)

    def run(seed: tf.Tensor) -> tf.Tensor:
        with Evaluation(Sample(seed)):
            layer(tf.constant(X), training=True)
        return layer.losses[0]

    each = [float(run(tf.constant([seed, 0]))) for seed in range(steps)]
    layer.interval = interval
    traced = tf.function(run) if graph else run
    lazily = np.array([float(traced(tf.constant([seed, 0]))) for seed in range(steps)])
    drawn = lazily > 0
    np.testing.assert_allclose(lazily, drawn * interval * np.array(each), rtol=1e-5)
    deviation = np.sqrt(steps * (1 / interval) * (1 - 1 / interval))
    assert abs(np.sum(drawn) - steps / interval) < 4 * deviation


def test_blocks_have_it_in_the_same_steps() -> None:
    layers = [wrapped(interval=4) for _ in range(3)]
    found = []
    for seed in range(20):
        with Evaluation(Sample(tf.constant([seed, 0]))):
            for layer in layers:
                layer(tf.constant(X), training=True)
        found.append({bool(layer.losses[0] > 0) for layer in layers})
    assert {frozenset(each) for each in found} == {frozenset([True]), frozenset([False])}


def test_its_gradient_in_a_graph_is_that_of_each_step() -> None:
    """Through the condition, twice: once for the penalty and once for the weights."""
    layer = wrapped("transformer")

    @tf.function
    def gradients(interval: int, seed: tf.Tensor) -> list[tf.Tensor]:
        layer.interval = interval
        with tf.GradientTape() as tape, Evaluation(Sample(seed)):
            layer(tf.constant(X), training=True)
            loss = layer.losses[0]
        return tape.gradient(loss, [w.value if IS_KERAS_3 else w for w in layer.weights])

    seeds = [tf.constant([seed, 0]) for seed in range(30)]
    seed = next(seed for seed in seeds if Sample(seed).one_in(2))
    pairs = zip(gradients(1, seed), gradients(2, seed), strict=True)
    for each, lazily in pairs:
        if each is not None:
            np.testing.assert_allclose(lazily, 2 * each, rtol=1e-4, atol=1e-5)


def test_more_sequences_than_there_are_is_the_whole_batch() -> None:
    layer = wrapped(batch_size=100)
    expected = GAMMA / D * exact_norms(layer.block).mean() / N
    assert penalty(layer) == pytest.approx(expected, rel=1e-4)


def test_the_masked_sequences_are_those_that_were_drawn() -> None:
    layer = wrapped(batch_size=1)
    subsets = GAMMA / D * B / MASK.sum() * exact_norms(layer.block, MASK)
    for seed in range(10):
        assert np.abs(penalty(layer, seed, MASK) / subsets - 1).min() < 1e-4


def test_its_gradient_trains_the_block_and_what_came_before() -> None:
    """For y = x W the penalty is (gamma/d) ||W||_F^2, a position's share of it."""
    layer = JacobianRegularizedBlock(keras.layers.Dense(1), GAMMA)
    layer.build((None, N, D))
    kernel = layer.block.kernel
    variable = kernel if isinstance(kernel, tf.Variable) else kernel.value
    with tf.GradientTape() as tape:
        layer(X, training=True)
        (value,) = layer.losses
    np.testing.assert_allclose(
        tape.gradient(value, variable), GAMMA / D * 2 * variable.numpy(), rtol=1e-5
    )
    layer, x = wrapped(), tf.constant(X)
    with tf.GradientTape() as tape:
        tape.watch(x)
        layer(x, training=True)
        (value,) = layer.losses
    assert np.abs(tape.gradient(value, x)).max() > 1e-4


@pytest.mark.parametrize("name", sorted(BLOCKS))
def test_at_inference_it_is_the_block(name: str) -> None:
    layer = wrapped(name)
    for arguments in ({"training": False}, {}):
        np.testing.assert_array_equal(layer(X, **arguments), layer.block(X))
        assert not layer.losses


def test_with_gamma_zero_it_adds_nothing() -> None:
    layer = JacobianRegularizedBlock(dense(), 0.0)
    layer(X, training=True)
    assert not layer.losses


def test_further_evaluations_add_no_penalty() -> None:
    layer = wrapped()
    with Evaluation(Sample(tf.constant([0, 0]), with_penalties=False)):
        layer(X, training=True)
    assert not layer.losses


@pytest.mark.parametrize("batch_size", [None, 2])
def test_it_shifts_no_noise_of_the_block_or_of_later_layers(batch_size: int | None) -> None:
    block = TransformerBlock(num_heads=2, dropout=0.5, gates=PositionalGates(initial_keep=0.6))
    layer = JacobianRegularizedBlock(block, GAMMA, batch_size=batch_size)
    last = Dropout(0.5)
    outputs = []
    for inner in (block, layer, layer):
        with Evaluation(Sample(tf.constant([3, 4]))):
            outputs.append(last(inner(X, training=True), training=True).numpy())
    np.testing.assert_array_equal(outputs[0], outputs[1])
    np.testing.assert_array_equal(outputs[1], outputs[2])


def test_the_penalty_sees_the_gates_of_the_evaluation() -> None:
    """All gates shut, a block's Jacobian has no entry between two positions."""
    block = TransformerBlock(num_heads=1, gates=PositionalGates())
    layer = JacobianRegularizedBlock(block, GAMMA, projections=100)
    layer.build((None, N, D))
    randomize(layer)
    block.attention.gates.logits.assign(tf.fill([N, N], -50.0))
    shut = exact_jacobian(block)
    for u, v in itertools.permutations(range(N), 2):
        assert not shut[:, u, :, v].any()
    expected = GAMMA / D * np.sum(shut**2)
    deviation = GAMMA / D * projection_deviation(block, None, "rademacher") / np.sqrt(100)
    with_gates = penalty(layer, targets=1.0)
    assert abs(with_gates - expected) < 4 * deviation
    block.attention.gates.logits.assign(tf.fill([N, N], 50.0))
    assert abs(penalty(layer, targets=1.0) - expected) > 8 * deviation


@pytest.mark.parametrize(
    "name",
    [
        pytest.param(name, marks=() if name == "transformer" else pytest.mark.eager)
        for name in sorted(BLOCKS)
    ],
)
def test_it_trains_in_a_plain_keras_model(name: str) -> None:
    """Data that ask for nothing: the penalty alone moves the weights, and falls."""
    inputs = keras.Input([N, D])
    layer = JacobianRegularizedBlock(BLOCKS[name](), GAMMA)
    model = keras.Model(inputs, layer(inputs))
    randomize(model, seed=1)
    before = exact_norms(layer.block).sum()
    model.compile(
        keras.optimizers.Adam(0.05), loss=lambda y, p: tf.reduce_mean(0.0 * p, axis=[1, 2])
    )
    model.fit(X, np.zeros([B, N, 1], np.float32), epochs=5, verbose=0)
    assert exact_norms(layer.block).sum() < 0.9 * before


@pytest.mark.parametrize(
    ("options", "argument"),
    [
        ({"gamma": -1.0}, "gamma"),
        ({"gamma": 1.0, "projections": 0}, "projections"),
        ({"gamma": 1.0, "batch_size": 0}, "batch_size"),
        ({"gamma": 1.0, "interval": 0}, "interval"),
        ({"gamma": 1.0, "distribution": "uniform"}, "distribution"),
    ],
)
def test_a_wrong_argument_is_named(options: dict[str, object], argument: str) -> None:
    with pytest.raises(ValueError, match=rf"`{argument}` must .*Received: {argument}="):
        JacobianRegularizedBlock(dense(), **options)
