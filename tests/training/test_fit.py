"""`fit` with the custom train step: what it reports, repeats, leaves alone and learns."""

from __future__ import annotations

import numpy as np
import pytest
import tensorflow as tf

from tests.estimators.toy import item_ids, toy_loss, toy_model, valid
from tests.params import only
from tf_recdenoiser._keras import keras
from tf_recdenoiser.estimators import ESTIMATORS
from tf_recdenoiser.layers import (
    DenoisingMultiHeadAttention,
    JacobianRegularizedBlock,
    PositionalGates,
)
from tf_recdenoiser.layers.sample import Evaluation, Sample
from tf_recdenoiser.training import DenoisingModel

X, Y, WEIGHTS = {"item_ids": item_ids(3)}, np.zeros([2, 3], np.float32), valid(3)
UNREACHABLE = np.triu(np.ones((3, 3), bool), 1)


def compiled(seed: int | None = 0, eager: bool = True, **options: object) -> DenoisingModel:
    gates = options.pop("gates", PositionalGates(beta=0.1))
    model = toy_model(3, gates=gates, dropout=options.pop("dropout", 0.3))
    options = {"estimator": "disarm", "credit": True, **options}
    optimizer = options.pop("optimizer", None) or keras.optimizers.Adam(0.01)
    model.compile(optimizer, loss=toy_loss, seed=seed, run_eagerly=eager, **options)
    return model


def numbers(model: DenoisingModel, steps: int = 3) -> np.ndarray:
    """What the loss was in each step, and all weights after them."""
    data = {"sample_weight": WEIGHTS, "shuffle": False}  # dropout and gates belong to rows
    history = model.fit(X, Y, **data, epochs=steps, verbose=0).history
    return np.concatenate([history["loss"], *(v.numpy().ravel() for v in model.variables)])


@pytest.mark.both_keras
def test_the_seed_decides_everything() -> None:
    first = numbers(compiled(seed=5))
    np.testing.assert_array_equal(first, numbers(compiled(seed=5)))
    assert np.any(first != numbers(compiled(seed=6)))


@pytest.mark.both_keras
def test_eager_and_graph_agree() -> None:
    found = []
    for eager in (True, False):
        model = compiled(
            eager=eager,
            optimizer=keras.optimizers.SGD(1e-3),
            gate_optimizer=keras.optimizers.SGD(1e-2),
        )
        found.append(numbers(model))
    np.testing.assert_allclose(*found, rtol=1e-3, atol=1e-4)


def test_without_a_seed_keras_seed_decides() -> None:
    found = []
    for seed in (1, 1, 2):
        keras.utils.set_random_seed(seed)
        found.append(compiled(seed=None).seed)
    assert found[0] == found[1] != found[2]


def test_every_step_has_noise_of_its_own() -> None:
    model = compiled(optimizer=keras.optimizers.SGD(0.0), gate_optimizer=keras.optimizers.SGD(0.0))
    losses = model.fit(X, Y, sample_weight=WEIGHTS, epochs=4, verbose=0).history["loss"]
    assert len(set(losses)) > 1


def test_reports_start_anew_with_every_epoch() -> None:
    """With nothing random and nothing learnt every epoch reports the same."""
    gates = PositionalGates(beta=0.1, initial_keep=1.0)
    model = compiled(
        gates=gates,
        dropout=0.0,
        optimizer=keras.optimizers.SGD(0.0),
        gate_optimizer=keras.optimizers.SGD(0.0),
    )
    for layer in model.gate_layers:
        layer.logits.assign(tf.fill([3, 3], 30.0))
    history = model.fit(X, Y, sample_weight=WEIGHTS, epochs=3, verbose=0).history
    for name, values in history.items():
        assert values == pytest.approx([values[0]] * 3, rel=1e-6), name
    assert history["loss"][0] == pytest.approx(history["data"][0] + history["sparsity"][0])
    assert history["keep_1"][0] == pytest.approx(1) and history["density_2"][0] == 1


@pytest.mark.both_keras
def test_evaluate_reports_the_data_loss_of_the_inference_gates() -> None:
    model = compiled()
    scores = tf.constant(model.predict(X, verbose=0))
    expected = np.sum(toy_loss(Y, scores).numpy() * WEIGHTS) / WEIGHTS.sum()
    report = model.evaluate(X, Y, sample_weight=WEIGHTS, verbose=0, return_dict=True)
    assert report["loss"] == pytest.approx(expected, rel=1e-5)
    assert report["data"] == report["loss"]
    rows, columns = np.tril_indices(3)
    for index, layer in enumerate(model.gate_layers):
        density = (layer.logits.numpy()[rows, columns] > 0).mean()
        assert report[f"density_{index + 1}"] == pytest.approx(density)


@pytest.mark.both_keras
def test_keras_metrics_are_reported_too() -> None:
    model = toy_model(3)
    model.compile(
        loss=lambda y, scores: tf.reduce_mean(tf.abs(y - scores), axis=-1),
        weighted_metrics=[keras.metrics.MeanSquaredError(name="square")],
    )
    target = np.zeros([2, 3, 1], np.float32)
    report = model.evaluate(X, target, sample_weight=WEIGHTS, verbose=0, return_dict=True)
    scores = model.predict(X, verbose=0)[..., 0]
    assert report["square"] == pytest.approx(np.sum(scores**2 * WEIGHTS) / WEIGHTS.sum(), rel=1e-4)


@pytest.mark.eager
@pytest.mark.parametrize("estimator", sorted(ESTIMATORS))
def test_unreachable_gates_do_not_drift_by_a_bit(estimator: str) -> None:
    """Adam divides by the gradient's size: the least noise would become a full step."""
    model = compiled(estimator=estimator, gate_optimizer=keras.optimizers.Adam(0.1))
    before = [layer.logits.numpy() for layer in model.gate_layers]
    model.fit(X, Y, sample_weight=WEIGHTS, epochs=3, verbose=0)
    for layer, old in zip(model.gate_layers, before, strict=True):
        new = layer.logits.numpy()
        np.testing.assert_array_equal(new[UNREACHABLE], old[UNREACHABLE])
        assert np.any(new[~UNREACHABLE] != old[~UNREACHABLE])


@pytest.mark.both_keras
def test_gates_have_an_optimizer_of_their_own() -> None:
    frozen = compiled(gate_optimizer=keras.optimizers.SGD(0.0))
    before = [layer.logits.numpy() for layer in frozen.gate_layers]
    weights = frozen.trainable_variables[0].numpy()
    frozen.fit(X, Y, sample_weight=WEIGHTS, verbose=0)
    for layer, old in zip(frozen.gate_layers, before, strict=True):
        np.testing.assert_array_equal(layer.logits.numpy(), old)
    assert np.any(frozen.trainable_variables[0].numpy() != weights)


@pytest.mark.parametrize("shape", [[2], [2, 3]])
def test_a_sample_weight_of_one_is_none(shape: list[int]) -> None:
    """For a whole sequence or for each of its positions."""
    seed = tf.constant([1, 2])
    model = compiled()
    plain, _, parts = model.loss_gradients(X, Y, None, seed)
    weighted, _, same_parts = model.loss_gradients(X, Y, tf.ones(shape), seed)
    for name, value in parts.items():
        assert float(same_parts[name]) == pytest.approx(float(value), rel=1e-5), name
    for one, other in zip(plain, weighted, strict=True):
        np.testing.assert_allclose(*map(tf.convert_to_tensor, (one, other)), rtol=1e-4, atol=1e-6)


def test_the_jacobian_term_is_part_of_the_loss() -> None:
    """A position-wise block with one output, whose norm one projection gives exactly."""
    inputs = keras.Input([3, 4])
    block = keras.layers.Dense(1)
    model = DenoisingModel(
        inputs=inputs, outputs=JacobianRegularizedBlock(block, gamma=0.5)(inputs)
    )
    model.compile(loss=toy_loss)
    x = np.random.default_rng(0).normal(size=(2, 3, 4)).astype(np.float32)
    gradients, outputs, parts = model.loss_gradients(x, Y, WEIGHTS, tf.constant([1, 2]))
    kernel = block.kernel.numpy()
    # Six positions count, padding being in the weights alone, over five valid targets.
    expected = 0.5 / 4 * 6 * np.sum(kernel**2) / WEIGHTS.sum()
    assert float(parts["jacobian"]) == pytest.approx(expected, rel=1e-5)
    assert float(parts["loss"]) == pytest.approx(float(parts["data"]) + expected, rel=1e-5)
    scores = outputs.numpy()[..., 0]
    slope = WEIGHTS * (2 / (1 + np.exp(-2 * scores)) + scores) / WEIGHTS.sum()
    data = np.einsum("bn,bnd->d", slope, x)[:, np.newaxis]
    np.testing.assert_allclose(
        gradients[0], data + 0.5 / 4 * 6 * 2 * kernel / WEIGHTS.sum(), rtol=1e-4, atol=1e-5
    )


def test_a_batch_without_valid_targets_is_finite() -> None:
    model = compiled()
    history = model.fit(X, Y, sample_weight=0 * WEIGHTS, verbose=0).history
    assert np.isfinite(history["loss"]).all()
    assert all(np.isfinite(v.numpy()).all() for v in model.variables)


def sequence_task(count: int = 64) -> tuple[np.ndarray, np.ndarray]:
    """Sequences of noise but for position 1, which the last position is asked to repeat."""
    rng = np.random.default_rng(0)
    x = rng.normal(size=(count, 4, 3)).astype(np.float32)
    return x, x[:, 1]


@pytest.mark.parametrize("estimator", only("disarm".__eq__, ["disarm", "ar", "straight_through"]))
def test_the_data_loss_falls_on_a_task_that_can_be_learnt(estimator: str) -> None:
    keras.utils.set_random_seed(0)
    x, y = sequence_task()
    inputs = keras.Input([4, 3])
    attended = DenoisingMultiHeadAttention(1, 3)(inputs, inputs)
    model = DenoisingModel(
        inputs=inputs, outputs=keras.layers.Dense(3)(keras.layers.Flatten()(attended))
    )
    model.compile(keras.optimizers.Adam(0.02), loss="mse", estimator=estimator, seed=1)
    losses = model.fit(x, y, batch_size=16, epochs=12, verbose=0).history["data"]
    assert losses[-1] < 0.75 * losses[0]


@pytest.mark.parametrize(
    ("options", "argument"),
    [
        ({"estimator": "armed"}, "estimator"),
        ({"estimator_batch_size": 0}, "estimator_batch_size"),
        ({"l2": -0.1}, "l2"),
        ({"baseline_decay": 1.0}, "baseline_decay"),
    ],
)
def test_a_wrong_argument_is_named(options: dict[str, object], argument: str) -> None:
    with pytest.raises(ValueError, match=rf"`{argument}` must .*Received: "):
        toy_model(2).compile(loss="mse", **options)


def test_credit_needs_a_loss_for_each_position() -> None:
    model = toy_model(3)
    model.compile(
        loss=lambda y, scores: tf.reduce_mean(scores, axis=[1, 2]), credit=True, run_eagerly=True
    )
    with pytest.raises(ValueError, match=r"`credit=True` needs .* Received: .*\(2,\)"):
        model.train_on_batch(X, Y)


def test_credit_counts_what_is_mixed_after_the_last_gates() -> None:
    """With a loss at the last position alone credit has nothing to leave out."""
    inputs = keras.Input([4, 6])
    x = DenoisingMultiHeadAttention(1, 6, gates=PositionalGates(initial_keep=0.6))(
        inputs, inputs, use_causal_mask=True
    )
    x = keras.layers.GRU(6, return_sequences=True)(x)
    model = DenoisingModel(inputs=inputs, outputs=keras.layers.Dense(1)(x))
    features = np.random.default_rng(0).normal(size=[8, 4, 6]).astype(np.float32)
    last = np.zeros([8, 4], np.float32)
    last[:, -1] = 1
    found = []
    for credit in (False, True):
        model.compile(loss="mse", credit=credit, run_eagerly=True)
        gradients = model.loss_gradients(features, np.ones([8, 4, 1]), last, tf.constant([1, 2]))[0]
        found.append(np.array(model._split(gradients)[1][0]))
    np.testing.assert_allclose(*found, rtol=1e-5, atol=1e-8)
    assert (found[0][:3] != 0).any()


@pytest.mark.parametrize("weighted", [False, True])
def test_the_outputs_mask_leaves_positions_out_as_in_keras(weighted: bool) -> None:
    inputs = keras.Input([5], dtype="int32")
    x = keras.layers.Embedding(9, 4, mask_zero=True)(inputs)
    outputs = keras.layers.Dense(1)(x)
    item_codes = np.array([[0, 0, 3, 7, 1], [2, 4, 6, 8, 5]])
    y = np.where(item_codes[..., np.newaxis] > 0, 1.0, 1e3).astype(np.float32)
    usual, ours = keras.Model(inputs, outputs), DenoisingModel(inputs=inputs, outputs=outputs)
    usual.compile(loss="mse")
    ours.compile(loss="mse")
    weights = np.full(item_codes.shape, 2.0, np.float32) if weighted else None
    # N is the sum of the weights here, and their number in Keras.
    scale = 2.0 if weighted else 1.0
    expected = usual.evaluate(item_codes, y, sample_weight=weights, verbose=0) / scale
    found = ours.evaluate(item_codes, y, sample_weight=weights, verbose=0, return_dict=True)
    assert found["loss"] == pytest.approx(expected, rel=1e-5)


def test_a_loss_is_needed() -> None:
    model = toy_model(3)
    model.compile(run_eagerly=True)
    with pytest.raises(ValueError, match=r"needs a `loss`\. Received: loss=None"):
        model.train_on_batch(X, Y)


def test_the_draws_of_a_step_are_those_of_its_seed() -> None:
    """The outputs that a step returns are those of a `Sample` with the same seed."""
    model, seed = compiled(), tf.constant([4, 5])
    _, outputs, _ = model.loss_gradients(X, Y, WEIGHTS, seed)
    with Evaluation(Sample(seed, model.estimator)):
        np.testing.assert_array_equal(outputs, model(X, training=True))
