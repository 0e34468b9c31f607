"""What every kind of attention keeps to; a new one in `ATTENTIONS` is tested without an edit."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import tensorflow as tf

from tests.layers.reference import array, dense, normal, randomize, softmax
from tests.ops.test_entmax import reference as entmax_reference
from tests.ops.test_linear_attention import weights_of
from tests.params import only
from tf_recdenoiser._keras import keras, raw_variable
from tf_recdenoiser.layers import (
    ATTENTIONS,
    GATES,
    AttentionKind,
    DenoisingLinearAttention,
    DenoisingMultiHeadAttention,
    GatedAttention,
    Gates,
    JacobianRegularizedBlock,
    TransformerBlock,
    get_attention,
    serialize_attention,
)
from tf_recdenoiser.layers.sample import Evaluation, Sample
from tf_recdenoiser.ops import PATTERNS

# Long enough that every pattern leaves something out.
B, N, D, HEADS, KEY_DIM = 3, 24, 6, 2, 3
X = 2 * normal(B, N, D)
IS_ITEM = np.arange(N) >= np.array([[0], [5], [N - 1]])
CAUSAL = np.tril(np.ones((N, N), bool))

# `ops/test_patterns.py` proves what each pattern leaves out; here one of them stands for all.
PATTERN = next(iter(PATTERNS))
every_attention = pytest.mark.parametrize(
    "name", only(lambda name: ATTENTIONS[name].pattern in (None, PATTERN), ATTENTIONS)
)
both_ways = pytest.mark.parametrize("causal", [False, True], ids=["both ways", "causal"])


def attention(name: str, gates: Any = None, **options: Any) -> GatedAttention:
    if ATTENTIONS[name].is_linear:
        return DenoisingLinearAttention(HEADS, KEY_DIM, gates=gates, **options)
    return DenoisingMultiHeadAttention(HEADS, KEY_DIM, gates=gates, attention=name, **options)


def made(name: str, gates: Any = None, **options: Any) -> GatedAttention:
    layer = attention(name, gates, **options)
    layer.build((None, N, D), (None, N, D))
    randomize(layer)
    return layer


def called(layer: Any, x: np.ndarray = X, causal: bool = True, **options: Any) -> Any:
    x, mask = tf.constant(x), tf.constant(IS_ITEM)
    return layer(x, x, query_mask=mask, value_mask=mask, use_causal_mask=causal, **options)


def fitting_gates(name: str) -> list[type[Gates]]:
    """The kinds of gates that go with this attention."""
    linear = ATTENTIONS[name].is_linear
    return [kind for kind in GATES.values() if kind.same_in_every_row or not linear]


def edges(name: str) -> np.ndarray:
    pattern = ATTENTIONS[name].pattern
    return np.ones((N, N), bool) if pattern is None else PATTERNS[pattern](N)


def visible(name: str, causal: bool) -> np.ndarray:
    """Boolean `[B, n, n]`: neither padding nor the future, and in the pattern."""
    seen = edges(name) & CAUSAL if causal else edges(name)
    return np.broadcast_to(seen & IS_ITEM[:, np.newaxis], (B, N, N))


def expected_weights(layer: GatedAttention, name: str, causal: bool) -> np.ndarray:
    queries, keys = (
        dense(part, X, "bnd,dhk->bnhk").swapaxes(1, 2)
        for part in (layer.query_dense, layer.key_dense)
    )
    normalizer = ATTENTIONS[name].normalizer
    if normalizer == "linear":
        features = [np.where(x > 0, x + 1, np.exp(np.minimum(x, 0))) for x in (queries, keys)]
        features[1] *= IS_ITEM[:, np.newaxis, :, np.newaxis]
        return weights_of(*features, causal)
    scores = queries @ keys.swapaxes(-1, -2) / np.sqrt(KEY_DIM)
    shown = np.broadcast_to(visible(name, causal)[:, np.newaxis], scores.shape)
    if normalizer == "softmax":
        return softmax(scores, shown)
    alphas = {"sparsemax": [2.0] * HEADS, "entmax15": [1.5] * HEADS}.get(normalizer)
    if alphas is None:
        alphas = 1 + 1 / (1 + np.exp(-array(layer.normalizer.alpha_logits).ravel()))
    return np.stack(
        [entmax_reference(scores[:, h], alpha, shown[:, h]) for h, alpha in enumerate(alphas)],
        axis=1,
    )


@every_attention
@both_ways
def test_it_is_the_formula(name: str, causal: bool) -> None:
    layer = made(name)
    output, weights = called(layer, causal=causal, return_attention_scores=True, training=False)
    expected = expected_weights(layer, name, causal)
    np.testing.assert_allclose(weights, expected, atol=1e-4)
    values = dense(layer.value_dense, X, "bnd,dhk->bnhk")
    mixed = np.einsum("bhnm,bmhk->bnhk", expected, values)
    expected_output = dense(layer.output_dense, mixed, "bnhk,hkd->bnd")
    np.testing.assert_allclose(output, expected_output, rtol=1e-3, atol=1e-3)


@every_attention
@both_ways
def test_rows_sum_to_1_and_what_is_hidden_is_exactly_0(name: str, causal: bool) -> None:
    _, weights = called(made(name), causal=causal, return_attention_scores=True)
    shown = np.broadcast_to(visible(name, causal)[:, np.newaxis], weights.shape)
    assert not weights.numpy()[~shown].any()
    np.testing.assert_allclose(weights.numpy().sum(-1), shown.any(-1), atol=1e-5)
    assert shown[:, :, np.arange(N), np.arange(N)].transpose(0, 2, 1)[IS_ITEM].all()


@every_attention
def test_a_later_item_changes_no_earlier_row(name: str) -> None:
    layer = made(name)
    before = called(layer).numpy()
    for position in (1, N // 2, N - 1):
        x = X.copy()
        x[:, position:] = 2 * normal(N - position, D, seed=7)
        after = called(layer, x).numpy()
        np.testing.assert_array_equal(after[:, :position], before[:, :position])
        assert np.any(after[0, position] != before[0, position])


@every_attention
@both_ways
def test_what_stands_in_place_of_padding_does_not_matter(name: str, causal: bool) -> None:
    layer = made(name)
    other = np.where(IS_ITEM[..., np.newaxis], X, 7 + normal(B, N, D, seed=5))
    found = [called(layer, x, causal).numpy()[IS_ITEM] for x in (X, other)]
    np.testing.assert_array_equal(*found)


@every_attention
@both_ways
def test_gradients_are_finite_with_padding(name: str, causal: bool) -> None:
    layer, x = made(name), tf.constant(X)
    with tf.GradientTape() as tape:
        tape.watch(x)
        mask = tf.constant(IS_ITEM)
        output = layer(x, x, query_mask=mask, value_mask=mask, use_causal_mask=causal)
        loss = tf.reduce_sum(output**2)
    variables = [raw_variable(variable) for variable in layer.trainable_variables]
    of_x, *gradients = tape.gradient(loss, [x, *variables])
    assert np.all(np.isfinite(of_x)) and np.any(of_x)
    for variable, gradient in zip(layer.trainable_variables, gradients, strict=True):
        assert np.all(np.isfinite(gradient)), variable.name


@every_attention
def test_the_jacobian_penalty_can_be_differentiated(name: str) -> None:
    block = JacobianRegularizedBlock(TransformerBlock(HEADS, attention=name), gamma=1.0)
    block.build((None, N, D))
    randomize(block)

    @tf.function
    def gradients(x: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
        with tf.GradientTape() as tape:
            tape.watch(x)
            with Evaluation(Sample(tf.constant([1, 2]))):
                block(x, mask=tf.constant(IS_ITEM), training=True)
            (penalty,) = block.losses
        return penalty, tape.gradient(penalty, x)

    penalty, gradient = gradients(tf.constant(X))
    assert float(penalty) > 0 and np.all(np.isfinite(gradient)) and np.any(gradient)


@every_attention
@pytest.mark.parametrize("training", [False, True], ids=["inference", "training"])
def test_gates_that_are_all_open_change_nothing(name: str, training: bool) -> None:
    """Bit for bit, with the same dropout."""
    plain = made(name, dropout=0.3)
    for kind in fitting_gates(name):
        gated = attention(name, kind(initial_keep=1.0), dropout=0.3)
        gated.build((None, N, D), (None, N, D))
        of_gates = {id(variable) for variable in gated.gates.variables}
        others = [v for v in gated.trainable_variables if id(v) not in of_gates]
        for variable, value in zip(others, plain.trainable_variables, strict=True):
            variable.assign(value)
        found = []
        for layer in (plain, gated):
            with Evaluation(Sample(tf.constant([1, 2]))):
                found.append(called(layer, training=training).numpy())
        np.testing.assert_array_equal(*found)


@every_attention
@pytest.mark.parametrize("renormalize", [False, True])
def test_gates_multiply_the_weights(name: str, renormalize: bool) -> None:
    for kind in fitting_gates(name):
        gates = kind(inference="expectation")
        layer = made(name, gates, renormalize=renormalize)
        with Evaluation(Sample(tf.constant([1, 2]))) as recorder:
            output, weights = called(layer, return_attention_scores=True, training=False)
        (record,) = recorder.gates.values()
        expected = expected_weights(layer, name, causal=True) * record.gates[0].numpy()
        if renormalize:
            total = expected.sum(-1, keepdims=True)
            expected = np.divide(expected, total, out=np.zeros_like(expected), where=total > 0)
        np.testing.assert_allclose(weights, expected, atol=1e-4)
        (observed,) = recorder.attention
        np.testing.assert_array_equal(observed.weights, weights)
        values = dense(layer.value_dense, X, "bnd,dhk->bnhk")
        mixed = np.einsum("bhnm,bmhk->bnhk", expected, values)
        mixed = dense(layer.output_dense, mixed, "bnhk,hkd->bnd")
        np.testing.assert_allclose(output, mixed, rtol=1e-3, atol=1e-3)


@every_attention
def test_gates_count_the_links_there_are(name: str) -> None:
    """What the pattern leaves out is not reachable: no penalty, no estimate, no statistics."""
    for kind in fitting_gates(name):
        layer = made(name, kind(beta=1.0))
        with Evaluation(Sample(tf.constant([1, 2]))) as recorder:
            called(layer, training=True)
        (record,) = recorder.gates.values()
        reachable = np.broadcast_to(record.reachable, (B, 1, N, N))[:, 0]
        assert not reachable[:, ~edges(name) | ~CAUSAL].any()
        assert reachable[0][edges(name) & CAUSAL].all()


@every_attention
def test_its_name_makes_it_again(name: str) -> None:
    kind = ATTENTIONS[name]
    assert get_attention(name) == get_attention(kind) == kind
    assert serialize_attention(kind) == name
    layer = made(name)
    again = type(layer).from_config(layer.get_config())
    assert again.get_config() == layer.get_config()
    again.build((None, N, D), (None, N, D))
    again.set_weights(layer.get_weights())
    np.testing.assert_array_equal(called(again), called(layer))


@every_attention
def test_a_model_is_trained_saved_and_loaded(name: str, tmp_path: Path) -> None:
    inputs = keras.Input([N, D])
    block = TransformerBlock(HEADS, attention=name, gates=fitting_gates(name)[0](), dropout=0.2)
    model = keras.Model(inputs, JacobianRegularizedBlock(block, 0.01, batch_size=2)(inputs))
    before = [variable.numpy() for variable in model.trainable_variables]
    model.compile(keras.optimizers.Adam(0.01), loss="mse", run_eagerly=True)
    history = model.fit(X, np.zeros([B, N, D]), epochs=2, verbose=0).history
    assert np.isfinite(history["loss"]).all()
    for variable, old in zip(model.trainable_variables, before, strict=True):
        assert np.any(variable.numpy() != old)
    model.save(tmp_path / "model.keras")
    loaded = keras.models.load_model(tmp_path / "model.keras")
    np.testing.assert_array_equal(loaded(X, training=False), model(X, training=False))


@every_attention
@pytest.mark.parametrize("policy", ["mixed_float16", "mixed_bfloat16"])
def test_under_mixed_precision_it_is_about_the_same(name: str, policy: str) -> None:
    gates = fitting_gates(name)[0]()
    narrow, wide = made(name, gates, dtype=policy), made(name, gates)
    narrow.set_weights(wide.get_weights())
    for training in (False, True):
        with Evaluation(Sample(tf.constant([1, 2]))):
            found, weights = called(narrow, return_attention_scores=True, training=training)
        with Evaluation(Sample(tf.constant([1, 2]))):
            expected = called(wide, training=training)
        assert found.dtype == weights.dtype == tf.as_dtype(policy.removeprefix("mixed_"))
        difference = np.abs(tf.cast(found, tf.float32) - expected)
        assert np.median(difference) < 0.02 and np.all(np.isfinite(difference))


def test_a_pattern_may_have_options_and_another_normalizer() -> None:
    kind = AttentionKind("entmax15", "sliding_window", {"width": 2})
    assert get_attention(serialize_attention(kind)) == kind
    layer = DenoisingMultiHeadAttention(HEADS, KEY_DIM, gates=None, attention=kind)
    _, weights = layer(X, X, return_attention_scores=True)
    seen = weights.numpy().any(axis=(0, 1))
    assert not seen[np.abs(np.subtract.outer(np.arange(N), np.arange(N))) > 2].any()
    np.testing.assert_allclose(weights.numpy().sum(-1), 1, atol=1e-5)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"normalizer": "max"}, r"`normalizer` must be one of softmax, .*normalizer='max'"),
        ({"pattern": "zebra"}, r"`pattern` must be None or one of strided, .*pattern='zebra'"),
        ({"pattern": "star", "normalizer": "linear"}, r"`pattern` must be None .*pattern='star'"),
        (
            {"pattern": "star", "options": {"width": 1}},
            r"`options` must .*star\. Received: width",
        ),
        ({"options": {"width": 1}}, r"`options` must be .* Received: width"),
    ],
)
def test_a_kind_that_cannot_be_is_refused(options: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        AttentionKind(**options)


def test_an_unknown_name_is_refused_with_those_there_are() -> None:
    with pytest.raises(ValueError, match=r"`attention` must be .* softmax, .*attention='hard'"):
        DenoisingMultiHeadAttention(HEADS, KEY_DIM, attention="hard")


@pytest.mark.parametrize("gates", sorted(set(GATES) - {"key"}))
def test_linear_attention_refuses_gates_of_pairs(gates: str) -> None:
    with pytest.raises(ValueError, match=rf"`gates` must .* linear.*{GATES[gates].__name__}"):
        DenoisingLinearAttention(HEADS, KEY_DIM, gates=gates)


def test_a_block_chooses_the_layer_by_the_name() -> None:
    block = TransformerBlock(HEADS, attention={"name": "linear"}, gates="key")
    block.build((None, N, D))
    assert type(block.attention) is DenoisingLinearAttention
    with pytest.raises(ValueError, match=r"`attention` must not be linear.*'linear'$"):
        DenoisingMultiHeadAttention(HEADS, KEY_DIM, attention="linear")


def test_linear_attention_refuses_what_depends_on_pairs() -> None:
    layer = made("linear")
    with pytest.raises(ValueError, match=r"`attention_mask` must be None .* linear"):
        layer(X, X, attention_mask=tf.constant(CAUSAL))
    with pytest.raises(ValueError, match=r"`use_causal_mask` must be False .*24 queries, 20 keys"):
        layer(X, X[:, :20], use_causal_mask=True)


@pytest.mark.parametrize("name", sorted(PATTERNS))
def test_patterns_are_for_self_attention_of_a_fixed_length(name: str) -> None:
    layer = made(name)
    with pytest.raises(ValueError, match=r"Patterns .* Received: 24 queries and 20 keys"):
        layer(X, X[:, :20])
    with pytest.raises(ValueError, match=r"fixed length.* Received: None queries"):
        ATTENTIONS[name].edges(None, None)


def test_alpha_is_learned_for_each_head_between_1_and_2() -> None:
    layer = made("entmax")
    assert tuple(layer.normalizer.alpha_logits.shape) == (HEADS, 1, 1)
    fresh = DenoisingMultiHeadAttention(HEADS, KEY_DIM, gates=None, attention="entmax")
    fresh.build((None, N, D), (None, N, D))
    np.testing.assert_array_equal(fresh.normalizer.alpha, np.full((HEADS, 1, 1), 1.5))
    layer.normalizer.alpha_logits.assign(tf.reshape([-50.0, 50.0], [HEADS, 1, 1]))
    np.testing.assert_allclose(np.ravel(layer.normalizer.alpha), [1.01, 2.0])
    assert np.all(np.isfinite(called(layer)))
