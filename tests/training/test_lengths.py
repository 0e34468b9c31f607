"""Sequences shorter than the longest do as the same ones padded on the left, in all they do."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import tensorflow as tf

from tests.layers.reference import array, transformer_block
from tests.params import only
from tf_recdenoiser._keras import keras
from tf_recdenoiser.layers import (
    GATES,
    DenoisingLinearAttention,
    DenoisingMultiHeadAttention,
    Gates,
    JacobianRegularizedBlock,
    KeyGates,
    PairwiseGates,
    PositionalGates,
    PositionEmbedding,
    RelativeGates,
    TransformerBlock,
)
from tf_recdenoiser.layers.sample import Evaluation, Sample
from tf_recdenoiser.training import DenoisingModel, denoise, fix_gates

pytestmark = pytest.mark.both_keras

LONGEST, LENGTH, D = 6, 4, 4
SHORT = np.array([[1, 2, 3, 4], [0, 5, 2, 1], [4, 4, 5, 3]])
LONG = np.pad(SHORT, [[0, 0], [LONGEST - LENGTH, 0]])
OF_POSITIONS = [kind for kind in GATES.values() if kind.of_positions]

every_kind = pytest.mark.parametrize("kind", GATES.values(), ids=GATES)


def loss(y: tf.Tensor, scores: tf.Tensor) -> tf.Tensor:
    return tf.square(scores[..., 0] - tf.cast(y, scores.dtype))


def model_of(kind: type[Gates], blocks: int = 2, **options: Any) -> DenoisingModel:
    """Blocks on ids of up to six positions, with random weights and gates."""
    ids = keras.Input([None], dtype="int32")
    x = keras.layers.Embedding(6, D, mask_zero=True)(ids)
    x = PositionEmbedding(max_length=LONGEST)(x)
    for _ in range(blocks):
        x = TransformerBlock(2, norm="pre", gates=kind(max_length=LONGEST, **options))(x)
    model = DenoisingModel(inputs=ids, outputs=keras.layers.Dense(1)(x))
    rng = np.random.default_rng(3)
    for variable in model.trainable_variables:
        variable.assign(rng.normal(0.2, 0.7, variable.shape))
    return model


def in_numpy(model: DenoisingModel, ids: np.ndarray, gates: list[np.ndarray]) -> np.ndarray:
    """Scores `[B, n]` of ids `[B, n]` with the gates of each block."""
    embedding, position, *blocks, dense = model.layers[1:]
    mask = ids > 0
    x = array(embedding.embeddings)[ids] * np.sqrt(D)
    x = (x + array(position.positions)[-ids.shape[1] :]) * mask[..., np.newaxis]
    for block, of_block in zip(blocks, gates, strict=True):
        x = transformer_block(block, x, mask, of_block)
    return (x @ array(dense.kernel) + array(dense.bias))[..., 0]


def open_gates(logits: np.ndarray) -> np.ndarray:
    keep = 1 / (1 + np.exp(-logits))
    return np.where(keep > 0.5, keep, 0)


@pytest.mark.parametrize("kind", OF_POSITIONS)
def test_the_newest_gates_are_used(kind: type[Gates]) -> None:
    model = model_of(kind)
    gates = []
    for layer in model.gate_layers:
        logits = array(layer.logits)
        if kind is RelativeGates:
            logits = np.array([[logits[u - v + 5] for v in range(6)] for u in range(6)])
        gates.append(open_gates(logits[-LENGTH:, -LENGTH:]))
    expected = in_numpy(model, SHORT, gates)[SHORT > 0]
    np.testing.assert_allclose(model(SHORT)[..., 0][SHORT > 0], expected, rtol=1e-4, atol=1e-5)


@every_kind
def test_a_short_sequence_is_as_a_padded_one(kind: type[Gates]) -> None:
    model = model_of(kind)
    np.testing.assert_allclose(
        model(SHORT)[..., 0][SHORT > 0], model(LONG)[..., 0][LONG > 0], rtol=1e-4, atol=1e-5
    )
    np.testing.assert_allclose(model.predict(SHORT, verbose=0), model(SHORT), rtol=1e-4, atol=1e-5)


def gradients(model: DenoisingModel, ids: np.ndarray) -> tuple[list[np.ndarray], dict[str, float]]:
    weights = (ids > 0).astype(np.float32)
    found, _, parts = model.loss_gradients(
        ids, np.ones(ids.shape, np.float32), weights, tf.constant([4, 7])
    )
    arrays = [np.asarray(tf.convert_to_tensor(gradient)) for gradient in found]
    return arrays, {name: float(part) for name, part in parts.items()}


@pytest.mark.eager
@pytest.mark.parametrize(
    ("kind", "estimator", "credit", "sparsity"),
    only(
        lambda kind, estimator, credit, sparsity: estimator in ("disarm", "rloo"),
        [
            (PositionalGates, "ar", True, {"beta": 0.3}),
            (PositionalGates, "disarm", False, {"target_density": 0.4}),
            (KeyGates, "ar", True, {"beta": 0.3, "penalty": "edges"}),
            (RelativeGates, "rloo", True, {"beta": 0.3}),
            (RelativeGates, "straight_through", False, {"beta": 0.3, "penalty": "edges"}),
        ],
    ),
)
def test_its_gradients_are_those_of_a_padded_one(
    kind: type[Gates], estimator: str, credit: bool, sparsity: dict[str, Any]
) -> None:
    """Every draw is the same, so that all is: estimator, penalty, density, mean of losses."""
    found = []
    for ids in (SHORT, LONG):
        model = model_of(kind, **sparsity)
        model.compile("sgd", loss, estimator=estimator, credit=credit)
        gradients(model, ids)  # after it running means hold something
        found.append(gradients(model, ids))
    assert found[0][1] == pytest.approx(found[1][1], rel=1e-4)
    for one, other in zip(found[0][0], found[1][0], strict=True):
        np.testing.assert_allclose(one, other, rtol=1e-3, atol=1e-5)
        assert np.any(one)


@pytest.mark.eager
@every_kind
def test_its_penalty_is_that_of_a_padded_one(kind: type[Gates]) -> None:
    """Of every edge that is in use, and of the first block's gates, whose inputs are not drawn."""
    found = []
    for ids in (SHORT, LONG):
        model = model_of(kind, beta=0.3, penalty="edges")
        model.gate_layers[1].beta = 0.0
        model.compile("sgd", loss)
        found.append(gradients(model, ids)[1])
    for name in ("sparsity", "density_1", "keep_1"):
        assert found[0][name] == pytest.approx(found[1][name], rel=1e-4), name


@pytest.mark.eager
@pytest.mark.parametrize("penalty", ["entries", "edges"])
def test_its_penalty_counts_what_is_there(penalty: str) -> None:
    """Entries are those of the longest sequences, edges those between items."""
    model = model_of(PositionalGates, beta=0.3, penalty=penalty)
    model.compile("sgd", loss)
    counts = np.tril(np.ones((LONGEST, LONGEST)))
    if penalty == "edges":
        counts = sum(np.outer(row, row) * counts for row in (LONG > 0).astype(float))
    keep = sum(1 / (1 + np.exp(-array(layer.logits))) for layer in model.gate_layers)
    expected = 0.3 * np.sum(keep * counts) / (SHORT > 0).sum()
    assert gradients(model, SHORT)[1]["sparsity"] == pytest.approx(expected, rel=1e-4)


@pytest.mark.eager
def test_its_jacobian_and_what_is_shown_of_it_are_those_of_a_padded_one() -> None:
    """With the same projections, of which the newest are the last."""
    x = np.random.default_rng(0).normal(size=[2, LONGEST, D]).astype(np.float32)
    projection = tf.constant(np.random.default_rng(1).normal(size=x.shape), tf.float32)
    block = TransformerBlock(2, norm="pre", gates=PositionalGates(max_length=LONGEST))
    regularized = JacobianRegularizedBlock(block, gamma=0.5)
    regularized._projection = lambda shape, seed, part: projection[:, -shape[1] :]
    regularized(x)
    block.attention.gates.logits.assign(np.random.default_rng(2).normal(size=[LONGEST, LONGEST]))
    found, shown = [], []
    for length in (LENGTH, LONGEST):
        mask = tf.constant([[True] * LENGTH, [False] * 2 + [True] * (LENGTH - 2)])
        mask = tf.pad(mask, [[0, 0], [length - LENGTH, 0]])
        with Evaluation(Sample(tf.constant([4, 7]))):
            regularized(x[:, -length:], mask=mask, training=True)
        found += regularized.losses
        with Evaluation(Sample(tf.constant([4, 7]))) as recorder:
            regularized(x[:, -length:], mask=mask, training=False)
        (record,) = recorder.attention
        shown.append(record.gates.numpy()[-LENGTH:, -LENGTH:])
        assert record.gates.shape == (length, length)
    assert float(found[0]) == pytest.approx(float(found[1]), rel=1e-4) and float(found[0]) > 0
    np.testing.assert_array_equal(*shown)


def batches(parts: list[np.ndarray]) -> tf.data.Dataset:
    def rows() -> Any:
        for ids in parts:
            yield ids, np.ones(ids.shape, np.float32), (ids > 0).astype(np.float32)

    shapes = [("int32", [None, None]), ("float32", [None, None]), ("float32", [None, None])]
    return tf.data.Dataset.from_generator(
        rows, output_signature=tuple(tf.TensorSpec(shape, dtype) for dtype, shape in shapes)
    )


def test_fit_takes_batches_of_any_length() -> None:
    """In one graph for all lengths, and as batches padded to the longest."""
    newest = SHORT[:, -2:]
    found = []
    for parts in ([SHORT, newest], [LONG, np.pad(newest, [[0, 0], [4, 0]])]):
        model = model_of(PositionalGates, blocks=1, beta=0.1)
        slow = [keras.optimizers.SGD(0.1) for _ in range(2)]
        model.compile(slow[0], loss, gate_optimizer=slow[1], estimator="ar", credit=True, seed=5)
        history = model.fit(batches(parts), verbose=0).history
        found.append([[history["loss"]], *(variable.numpy() for variable in model.variables)])
    for one, other in zip(*found, strict=True):
        np.testing.assert_allclose(one, other, rtol=1e-3, atol=1e-4)


@pytest.mark.eager
@pytest.mark.parametrize("kind", [RelativeGates, PairwiseGates])
@pytest.mark.parametrize("estimator", ["ar", "disarm"])
def test_gates_by_offset_go_beyond_the_lengths_they_know(kind: type[Gates], estimator: str) -> None:
    gates = kind(inference="expectation")
    gates.build((None, 3, D))
    gates.logits.assign([-2.0, -1.0, 0.0, 1.0, 2.0])
    keep = 1 / (1 + np.exp(-np.clip(np.subtract.outer(np.arange(5), np.arange(5)), -2, 2)))
    x = tf.ones([1, 5, D])
    np.testing.assert_allclose(np.squeeze(gates(x, x)), keep, rtol=1e-5)
    inputs = keras.Input([None, D])
    layer = DenoisingMultiHeadAttention(2, 2, output_shape=1, gates=kind(beta=0.1))
    model = DenoisingModel(inputs=inputs, outputs=layer(inputs, inputs, use_causal_mask=True))
    model.compile("sgd", loss, estimator="ar", credit=True, seed=0)
    assert tuple(layer.gates.logits.shape) == (255,)
    for length in (5, 130, 3):
        x = np.random.default_rng(length).normal(size=[2, length, D]).astype(np.float32)
        assert np.isfinite(model.train_on_batch(x, np.ones([2, length], np.float32))).all()


@every_kind
def test_one_graph_serves_all_lengths(kind: type[Gates]) -> None:
    inputs = keras.Input([None, D])
    attention = DenoisingLinearAttention if kind is KeyGates else DenoisingMultiHeadAttention
    layer = attention(2, 2, gates=kind(max_length=LONGEST, beta=0.1))
    outputs = layer(inputs, inputs, use_causal_mask=True)
    model = keras.Model(inputs, outputs)
    signature = [tf.TensorSpec([None, None, D])]
    serve = tf.function(lambda x: model(x, training=False), input_signature=signature)
    train = tf.function(lambda x: model(x, training=True), input_signature=signature)
    for length in (LENGTH, LONGEST):
        x = tf.random.stateless_normal([2, length, D], [1, length])
        np.testing.assert_allclose(serve(x), model(x, training=False), rtol=1e-4, atol=1e-6)
        assert train(x).shape == x.shape


@pytest.mark.parametrize("kind", [PositionalGates, KeyGates])
def test_what_cannot_be_says_what_to_do(kind: type[Gates]) -> None:
    x = keras.Input([None, D])
    with pytest.raises(ValueError, match=r"max_length=50\).*\n?.*Received: .*\(None, None\)"):
        DenoisingMultiHeadAttention(2, 2, gates=kind())(x, x)
    layer = DenoisingMultiHeadAttention(2, 2, gates=kind(max_length=5))
    longer = tf.ones([1, 6, D])
    model = keras.Model(x, layer(x, x))
    with pytest.raises(ValueError, match=r"larger `max_length`.* 5 positions\. Received: 6"):
        layer(longer, longer)
    signature = [tf.TensorSpec([None, None, D])]
    for_any = tf.function(lambda y: model(y, training=False), input_signature=signature)
    assert for_any(longer[:, 1:]).shape == (1, 5, D)
    with pytest.raises(tf.errors.InvalidArgumentError, match="larger `max_length`"):
        for_any(longer)
    with pytest.raises(ValueError, match=r"`max_length` must be None or at least the lengths"):
        DenoisingMultiHeadAttention(2, 2, gates=kind(max_length=5))(longer, longer)
    with pytest.raises(ValueError, match=r"`max_length` must be .* Received: max_length=0"):
        kind(max_length=0)
    with pytest.raises(ValueError, match=r"`max_length` must be the length of the longest"):
        PositionEmbedding()(x)


def test_where_the_length_is_known_the_weights_are_what_they_were() -> None:
    """And a layer built for twelve positions takes seven of them."""
    x = tf.random.stateless_normal([2, 12, D], [1, 2])
    for kind, shape in ((PositionalGates, (12, 12)), (KeyGates, (1, 12)), (RelativeGates, (23,))):
        layer = DenoisingMultiHeadAttention(2, 2, gates=kind())
        layer(x, x)
        assert tuple(layer.gates.logits.shape) == shape
        mask = tf.constant([[False] * 5 + [True] * 7] * 2)
        padded = layer(x, x, value_mask=mask)[:, 5:]
        np.testing.assert_allclose(layer(x[:, 5:], x[:, 5:]), padded, rtol=1e-4, atol=1e-6)


def test_models_of_any_length_are_converted_saved_and_lend_their_gates(tmp_path: Any) -> None:
    x = keras.Input([None, D])
    attended = keras.layers.MultiHeadAttention(2, 2, name="attention")(x, x, use_causal_mask=True)
    plain = keras.Model(x, keras.layers.Dense(1)(attended))
    with pytest.raises(ValueError, match=r"`attention` cannot be converted: .*max_length=50"):
        denoise(plain)
    gates = PositionalGates(max_length=5, initial_keep=1.0)
    model = denoise(plain, gates)
    values = np.random.default_rng(0).normal(size=[2, 4, D]).astype(np.float32)
    np.testing.assert_allclose(model(values), plain(values), rtol=1e-4, atol=1e-6)
    model.gate_layers[0].logits.assign(np.random.default_rng(1).normal(size=[5, 5]))
    model.save(tmp_path / "model.keras")
    loaded = keras.models.load_model(tmp_path / "model.keras")
    np.testing.assert_array_equal(loaded(values), model(values))
    fixed = denoise(plain, PositionalGates(max_length=5, trainable=False))
    fix_gates(fixed, model)
    np.testing.assert_array_equal(fixed(values), model(values))
