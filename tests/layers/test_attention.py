"""Gated attention against Keras' own layer without gates, and against NumPy with them."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import tensorflow as tf

from tests.layers.reference import attention, normal, randomize
from tf_recdenoiser._keras import IS_KERAS_3, keras
from tf_recdenoiser.layers import (
    DenoisingLinearAttention,
    DenoisingMultiHeadAttention,
    GatedAttention,
    Gates,
    PositionalGates,
)
from tf_recdenoiser.layers.sample import Evaluation, Sample

B, N, M, D, HEADS, KEY_DIM = 2, 4, 3, 6, 2, 5
TRIANGLE = np.tril(np.ones((N, N), bool))
PADDING = np.array([[True] * N, [False, False, True, True]])


def pair(x: np.ndarray, y: np.ndarray, **options: Any) -> tuple[Any, Any]:
    """Keras' layer and ours with the same weights."""
    theirs = keras.layers.MultiHeadAttention(HEADS, KEY_DIM, **options)
    ours = DenoisingMultiHeadAttention(HEADS, KEY_DIM, gates=None, **options)
    theirs(x, y), ours(x, y)
    randomize(theirs)
    ours.set_weights(theirs.get_weights())
    return theirs, ours


def assert_same(theirs: Any, ours: Any, *tensors: np.ndarray, **arguments: Any) -> None:
    expected = theirs(*tensors, return_attention_scores=True, **arguments)
    found = ours(*tensors, return_attention_scores=True, **arguments)
    for one, other in zip(expected, found, strict=True):
        np.testing.assert_allclose(other, one, rtol=1e-4, atol=1e-5)
    alone = ours(*tensors, **arguments)
    np.testing.assert_array_equal(alone, found[0])


@pytest.mark.parametrize(
    "options",
    [
        {},
        {"use_bias": False},
        {"value_dim": 3},
        {"output_shape": 7},
        {"attention_axes": (1,)},
        {"flash_attention": False, "seed": 3} if IS_KERAS_3 else {},
    ],
    ids=lambda options: next(iter(options), "plain"),
)
def test_without_gates_it_is_keras_attention(options: dict[str, Any]) -> None:
    x = normal(B, N, D)
    assert_same(*pair(x, x, **options), x, x)


@pytest.mark.parametrize("options", [{}, {"value_dim": 3}, {"output_shape": 7}])
def test_cross_attention(options: dict[str, Any]) -> None:
    """Different lengths and widths; a key of its own."""
    query, value = normal(B, N, D), normal(B, M, D + 2, seed=1)
    layers = pair(query, value, **options)
    assert_same(*layers, query, value)
    assert_same(*layers, query, value, normal(B, M, D + 2, seed=2))


def test_causal_mask() -> None:
    x = normal(B, N, D)
    assert_same(*pair(x, x), x, x, use_causal_mask=True)


@pytest.mark.parametrize("causal", [False, True])
def test_attention_mask(causal: bool) -> None:
    x = normal(B, N, D)
    mask = np.random.default_rng(0).random((B, N, N)) < 0.5
    mask |= np.eye(N, dtype=bool)
    assert_same(*pair(x, x), x, x, attention_mask=tf.constant(mask), use_causal_mask=causal)


def test_an_attention_mask_may_be_shared_by_the_batch() -> None:
    x = normal(B, N, D)
    _, ours = pair(x, x)
    mask = tf.constant(np.eye(N, dtype=bool) | (np.random.default_rng(1).random((N, N)) < 0.5))
    every = tf.tile(mask[tf.newaxis], [B, 1, 1])
    np.testing.assert_array_equal(ours(x, x, attention_mask=mask), ours(x, x, attention_mask=every))


@pytest.mark.parametrize("causal", [False, True])
def test_padding_masks(causal: bool) -> None:
    """At items; what attention gives at padded queries is nobody's business."""
    x, mask = normal(B, N, D), tf.constant(PADDING)
    theirs, ours = pair(x, x)
    visible = tf.tile(mask[:, tf.newaxis], [1, N, 1])
    np.testing.assert_allclose(
        ours(x, x, query_mask=mask, value_mask=mask, use_causal_mask=causal).numpy()[PADDING],
        theirs(x, x, attention_mask=visible, use_causal_mask=causal).numpy()[PADDING],
        rtol=1e-4,
        atol=1e-5,
    )


def test_key_and_value_masks_both_hide() -> None:
    query, value, key = normal(B, N, D), normal(B, M, D), normal(B, M, D, seed=1)
    masks = {
        "value_mask": tf.constant([[True, True, False]] * B),
        "key_mask": tf.constant([[False, True, True]] * B),
    }
    _, ours = pair(query, value)
    _, weights = ours(query, value, key, return_attention_scores=True, **masks)
    np.testing.assert_allclose(weights, np.tile([0.0, 1.0, 0.0], (B, HEADS, N, 1)), atol=1e-6)


def test_dropout_is_on_the_weights_and_only_in_training() -> None:
    x = normal(B, N, D)
    theirs, ours = pair(x, x, dropout=0.5)
    assert_same(theirs, ours, x, x, training=False)
    assert np.any(ours(x, x, training=True).numpy() != ours(x, x, training=False).numpy())


def gated(gates: Gates, length: int = N, **options: Any) -> tuple[Any, np.ndarray]:
    """A layer with random weights and logits, and its keep probabilities."""
    layer = DenoisingMultiHeadAttention(HEADS, KEY_DIM, gates=gates, **options)
    layer(normal(B, N, D), normal(B, length, D))
    randomize(layer, scale=0.8)
    return layer, 1 / (1 + np.exp(-layer.gates.logits.numpy().astype(float)))


@pytest.mark.parametrize("renormalize", [False, True])
@pytest.mark.parametrize("causal", [False, True])
@pytest.mark.parametrize("heads", [None, HEADS])
def test_gates_multiply_after_the_softmax(
    heads: int | None, causal: bool, renormalize: bool
) -> None:
    layer, keep = gated(
        PositionalGates(num_heads=heads, inference="expectation"), renormalize=renormalize
    )
    x = normal(B, N, D)
    output, weights = layer(
        x, x, use_causal_mask=causal, return_attention_scores=True, training=False
    )
    expected = attention(
        layer, x, x, visible=TRIANGLE if causal else True, gates=keep, renormalize=renormalize
    )
    np.testing.assert_allclose(output, expected[0], rtol=1e-4, atol=1e-5)
    np.testing.assert_allclose(weights, expected[1], rtol=1e-4, atol=1e-6)


@pytest.mark.parametrize("renormalize", [False, True])
def test_a_row_that_is_pruned_altogether_gives_the_output_bias(renormalize: bool) -> None:
    layer, _ = gated(PositionalGates(), renormalize=renormalize)
    layer.gates.logits.assign(tf.fill([N, N], -1.0))
    x = normal(B, N, D)
    expected = np.tile(layer.output_dense.bias.numpy(), (B, N, 1))
    np.testing.assert_array_equal(layer(x, x, training=False), expected)


def test_gates_of_cross_attention_have_a_column_for_each_key() -> None:
    layer, keep = gated(PositionalGates(inference="expectation"), length=M)
    query, value = normal(B, N, D), normal(B, M, D, seed=1)
    assert keep.shape == (N, M)
    expected, _ = attention(layer, query, value, gates=keep)
    np.testing.assert_allclose(layer(query, value, training=False), expected, rtol=1e-4, atol=1e-5)


def test_the_mask_passes_through_and_hides_padded_keys() -> None:
    """Downstream, a mean over time that heeds the mask; upstream, what padding holds is moot."""
    ids = np.array([[3, 1, 4, 2], [0, 0, 5, 1]], np.int32)
    inputs = keras.Input([N], dtype="int32")
    embedding = keras.layers.Embedding(6, D, mask_zero=True)
    x = embedding(inputs)
    layer = DenoisingMultiHeadAttention(HEADS, KEY_DIM, gates=PositionalGates(inference="hard"))
    pooled = keras.layers.GlobalAveragePooling1D()(layer(x, x, use_causal_mask=True))
    model = keras.Model(inputs, pooled)
    found = model(ids, training=False).numpy()

    vectors = embedding.embeddings.numpy()[ids]
    visible = TRIANGLE & (ids > 0)[:, np.newaxis, :]
    output, _ = attention(layer, vectors, vectors, visible=visible)
    items = (ids > 0)[..., np.newaxis]
    np.testing.assert_allclose(found, (output * items).sum(1) / items.sum(1), rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize(
    ("options", "argument"),
    [
        ({"num_heads": 0, "key_dim": 2}, "num_heads"),
        ({"num_heads": 2, "key_dim": 0}, "key_dim"),
        ({"num_heads": 2, "key_dim": 2, "gates": "sideways"}, "gates"),
        ({"num_heads": 2, "key_dim": 2, "dropout": 1.0}, "rate"),
        ({"num_heads": 2, "key_dim": 2, "attention_axes": (1, 2)}, "attention_axes"),
        ({"num_heads": 2, "key_dim": 2, "flash_attention": True}, "flash_attention"),
        ({"num_heads": 2, "key_dim": 2, "sliding_window": 4}, "sliding_window"),
        ({"num_heads": 2, "key_dim": 2, "use_gate": True}, "use_gate"),
        ({"num_heads": 2, "key_dim": 2, "output_shape": (2, 3)}, "output_shape"),
    ],
)
def test_a_wrong_argument_is_named(options: dict[str, Any], argument: str) -> None:
    with pytest.raises(ValueError, match=rf"`{argument}` must be .*Received: {argument}="):
        DenoisingMultiHeadAttention(**options)


@pytest.mark.parametrize("rank", [2, 3])
def test_gates_on_edges_that_a_mask_forbids_have_no_penalty_and_do_not_train(rank: int) -> None:
    x = tf.random.stateless_normal([2, 4, 6], [0, 1])
    mask = tf.linalg.band_part(tf.ones([2, 4, 4] if rank == 3 else [4, 4], tf.bool), -1, 0)
    found = []
    for given in ({"attention_mask": mask}, {"use_causal_mask": True}):
        layer = DenoisingMultiHeadAttention(2, 3, gates=PositionalGates(beta=0.1))
        with Evaluation(Sample(tf.constant([3, 4]))) as recorder:
            layer(x, x, training=True, **given)
        (record,) = recorder.gates.values()
        found.append((layer.losses[0], record.usable, record.density))
    for one, other in zip(*found, strict=True):
        np.testing.assert_allclose(one, other)


def test_a_mask_for_each_head_is_refused() -> None:
    x = tf.zeros([2, 4, 6])
    with pytest.raises(ValueError, match=r"`attention_mask` must be .* Received: .*2, 2, 4, 4"):
        DenoisingMultiHeadAttention(2, 3)(x, x, attention_mask=tf.ones([2, 2, 4, 4]))


@pytest.mark.both_keras
@pytest.mark.parametrize("kind", [DenoisingMultiHeadAttention, DenoisingLinearAttention])
def test_build_makes_everything_from_the_shapes_of_all_inputs(kind: type[GatedAttention]) -> None:
    query, value = tf.zeros([2, 3, 6]), tf.zeros([2, 4, 5])
    called, built = kind(2, 3), kind(2, 3)
    called(query, value)
    built.build(query.shape, value.shape)
    shapes = [[tuple(variable.shape) for variable in layer.variables] for layer in (called, built)]
    assert shapes[0] == shapes[1]
    assert called.gates.lengths == (3, 4) and called.key_dense.kernel.shape[0] == 5
    before = len(built.variables)
    built(query, value)
    assert len(built.variables) == before


@pytest.mark.both_keras
def test_constraints_and_the_penalty_on_activity_are_keras() -> None:
    """A step of gradient descent on what each layer adds, then the constraint."""
    x = normal(B, N, D)
    options = {"activity_regularizer": "l2", "kernel_constraint": "non_neg"}
    found = []
    for layer in pair(x, x, **options):
        inputs = keras.Input([N, D])
        model = keras.Model(inputs, layer(inputs, inputs))
        model.compile(keras.optimizers.SGD(0.1), "mse")
        losses = model.fit(x, np.zeros_like(x), batch_size=B, verbose=0).history["loss"]
        found.append([losses, *(variable.numpy() for variable in layer.variables)])
    for one, other in zip(*found, strict=True):
        np.testing.assert_allclose(one, other, rtol=1e-4, atol=1e-5)
    assert all(np.min(kernel) >= 0 for kernel in found[1][1::2])


@pytest.mark.both_keras
@pytest.mark.parametrize("kind", [DenoisingMultiHeadAttention, DenoisingLinearAttention])
def test_a_seed_decides_on_dropout_and_gates(kind: type[GatedAttention], tmp_path: Path) -> None:
    """Of a call by its number, whatever else is drawn."""
    x = normal(B, N, D)

    def model_of(seed: int | None) -> Any:
        inputs = keras.Input([N, D])
        ours = kind(HEADS, KEY_DIM, dropout=0.3, seed=seed, kernel_initializer="ones")
        return keras.Model(inputs, ours(inputs, inputs))

    def draws(model: Any, count: int) -> list[bytes]:
        return [model(x, training=True).numpy().tobytes() for _ in range(count)]

    first, again, other, without = (model_of(seed) for seed in (3, 3, 4, None))
    expected = draws(first, 6)
    assert len({*expected, *draws(other, 6), *draws(without, 6)}) == 18
    assert draws(again, 3) == expected[:3]
    again.save(tmp_path / "model.keras")
    # Keras 3 does not save how often its generators have drawn.
    loaded = keras.models.load_model(tmp_path / "model.keras")
    assert draws(loaded, 3) == (expected[:3] if IS_KERAS_3 else expected[3:])


def test_inputs_with_more_axes_are_refused() -> None:
    x = tf.zeros([2, 3, 4, 6])
    with pytest.raises(ValueError, match=r"`query` must be \[B, n, d\].*Received: query='4 axes'"):
        DenoisingMultiHeadAttention(2, 3, gates=None)(x, x)
