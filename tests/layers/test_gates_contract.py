"""What every kind of gate keeps to; a new kind in `GATES` is tested here without an edit."""

from __future__ import annotations

import itertools
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import tensorflow as tf

from tests.estimators.toy import item_ids, toy_loss, toy_model, valid
from tests.layers.reference import normal, randomize
from tests.params import only
from tf_recdenoiser._keras import keras
from tf_recdenoiser.layers import GATES, DenoisingMultiHeadAttention, Gates, PositionalGates
from tf_recdenoiser.layers.gates import get_gates
from tf_recdenoiser.layers.records import GateRecord
from tf_recdenoiser.layers.sample import Evaluation, Sample

B, N, D = 3, 4, 6
X = normal(B, N, D)
IS_ITEM = np.array([[True] * N, [False, True, True, True], [False, False, True, True]])
LIVE = IS_ITEM[:, :, np.newaxis] & IS_ITEM[:, np.newaxis]
CAUSAL = np.tril(np.ones((N, N), bool))
MODEL_X, Y, WEIGHTS = {"item_ids": item_ids(3)}, np.ones([2, 3], np.float32), valid(3)

every_kind = pytest.mark.parametrize("kind", GATES.values(), ids=GATES)
both_ways = pytest.mark.parametrize("causal", [False, True], ids=["both ways", "causal"])


def built(kind: type[Gates], randomly: bool = True, **options: Any) -> Gates:
    gates = kind(**options)
    gates.build((None, N, D), (None, N, D))
    if randomly:
        randomize(gates, scale=1.0)
    return gates


def record(gates: Gates, x: np.ndarray = X, causal: bool = True, **options: Any) -> GateRecord:
    """What the gates did with `x`, of which the first items of two sequences are padding."""
    with Evaluation(Sample(tf.constant([1, 2]))) as recorder:
        gates(x, x, live=tf.constant(LIVE), use_causal_mask=causal, **options)
    return recorder.gates[gates]


def spread(values: tf.Tensor) -> np.ndarray:
    """As `[B, 1, n, m]`, which is what all kinds have by default or are broadcast to."""
    return np.broadcast_to(values, (B, 1, N, N))


def usable(causal: bool) -> np.ndarray:
    return np.broadcast_to((LIVE & CAUSAL if causal else LIVE)[:, np.newaxis], (B, 1, N, N))


@every_kind
@both_ways
@pytest.mark.parametrize("keep", [0.6, 0.9])
def test_before_training_the_least_an_edge_is_kept_is_the_initial_keep(
    kind: type[Gates], causal: bool, keep: float
) -> None:
    gates = built(kind, randomly=False, initial_keep=keep, sharpness=2.0, inference="expectation")
    kept = spread(record(gates, causal=causal).gates[0])[usable(causal)]
    assert kept.min() == pytest.approx(keep, rel=1e-5)
    assert np.all((np.abs(kept - keep) < 1e-5) | (kept == 1))


@every_kind
def test_gates_that_start_at_1_are_open_in_every_draw(kind: type[Gates]) -> None:
    gates = built(kind, randomly=False, initial_keep=1.0, sharpness=3.0)
    for training in (False, True):
        assert np.all(spread(record(gates, training=training).gates[0])[usable(True)] == 1)


@every_kind
@both_ways
def test_what_stands_in_place_of_padding_does_not_matter(kind: type[Gates], causal: bool) -> None:
    gates = built(kind)
    other = np.where(IS_ITEM[..., np.newaxis], X, 7 + normal(B, N, D, seed=5))
    found = [spread(record(gates, x, causal).logits) for x in (X, other)]
    edges = usable(causal)
    np.testing.assert_allclose(found[0][edges], found[1][edges], rtol=1e-5, atol=1e-6)


@every_kind
def test_a_later_item_changes_no_earlier_row(kind: type[Gates]) -> None:
    gates = built(kind)
    before = spread(record(gates).logits)
    for position in range(1, N):
        x = X.copy()
        x[:, position] = normal(D, seed=7)
        after = spread(record(gates, x).logits)
        edges = usable(True)[..., :position, :]
        np.testing.assert_allclose(
            after[..., :position, :][edges], before[..., :position, :][edges], rtol=1e-5, atol=1e-6
        )


@every_kind
@both_ways
def test_the_statistics_count_what_attention_can_use(kind: type[Gates], causal: bool) -> None:
    """For gates shared by all sequences the entries reachable; else each sequence's edges."""
    found = record(built(kind), causal=causal)
    logits = found.logits.numpy()
    shared = logits.ndim < 4
    logits = np.broadcast_to(logits, (*logits.shape[:-2], N, N))
    counted = logits[..., CAUSAL if causal else CAUSAL | True] if shared else logits[usable(causal)]
    assert float(found.density) == pytest.approx(np.mean(counted > 0), rel=1e-5)
    keep = 1 / (1 + np.exp(-counted.astype(np.float64)))
    assert float(found.mean_keep) == pytest.approx(keep.mean(), rel=1e-4)


@pytest.mark.both_keras
@pytest.mark.eager
@every_kind
@pytest.mark.parametrize("dtype", ["float32", "mixed_float16"])
def test_it_is_trained_in_a_plain_keras_model(kind: type[Gates], dtype: str) -> None:
    inputs = keras.Input([N, D])
    layer = DenoisingMultiHeadAttention(2, 3, gates=kind(beta=0.1, initial_keep=0.7), dtype=dtype)
    model = keras.Model(inputs, layer(inputs, inputs, use_causal_mask=True))
    before = [variable.numpy() for variable in layer.gates.trainable_variables]
    assert before
    model.compile(keras.optimizers.Adam(0.01), loss="mse")
    history = model.fit(X, np.zeros([B, N, D]), epochs=3, verbose=0).history
    assert np.isfinite(history["loss"]).all()
    for variable, old in zip(layer.gates.trainable_variables, before, strict=True):
        assert np.any(variable.numpy() != old)


@every_kind
def test_it_is_made_again_from_its_name_or_configuration(kind: type[Gates]) -> None:
    (name,) = (name for name, listed in GATES.items() if listed is kind)
    assert type(get_gates(name)) is kind
    gates = kind(beta=0.25, penalty="edges", initial_keep=0.75, sharpness=3.0, inference="hard")
    again = get_gates(keras.layers.serialize(gates))
    config = gates.get_config()
    assert again is not None and {**again.get_config(), "name": config["name"]} == config
    with pytest.raises(ValueError, match=r"`initial_keep` must .*Received: initial_keep=0\.5"):
        kind(initial_keep=0.5)
    if not kind.any_length:
        with pytest.raises(ValueError, match=r"max_length=50.* Received: .*\(None, None\)"):
            kind().build((None, None, D))


@every_kind
def test_a_model_is_saved_and_loaded(kind: type[Gates], tmp_path: Path) -> None:
    model = toy_model(3, gates=kind(beta=0.1), dropout=0.3, gamma=0.01)
    model.compile(loss=toy_loss, credit=True, seed=1, run_eagerly=True)
    model.train_on_batch(MODEL_X, Y, sample_weight=WEIGHTS)
    model.save(tmp_path / "model.keras")
    loaded = keras.models.load_model(
        tmp_path / "model.keras", custom_objects={"toy_loss": toy_loss}
    )
    loaded.run_eagerly = True
    for further_step in (False, True):
        if further_step:
            for one in (model, loaded):
                one.train_on_batch(MODEL_X, Y, sample_weight=WEIGHTS)
        np.testing.assert_array_equal(
            loaded(MODEL_X, training=False), model(MODEL_X, training=False)
        )
        for one, other in zip(model.variables, loaded.variables, strict=True):
            np.testing.assert_array_equal(one.numpy(), other.numpy())


@pytest.mark.eager
@pytest.mark.parametrize(
    ("kind", "rows"),
    only(
        lambda kind, rows: rows == 1 or kind is PositionalGates,
        itertools.product(GATES.values(), [None, 1]),
    ),
)
def test_the_jacobian_penalty_and_a_part_of_the_batch_go_with_it(
    kind: type[Gates], rows: int | None
) -> None:
    model = toy_model(3, gates=kind(beta=0.1), gamma=0.01, jacobian_batch_size=rows)
    model.compile(
        loss=toy_loss, credit=True, estimator_batch_size=rows, seed=6
    )  # with a Jacobian penalty
    history = model.fit(MODEL_X, Y, sample_weight=WEIGHTS, epochs=2, verbose=0).history
    assert np.isfinite(history["loss"]).all()
    assert history["jacobian"][0] > 0 and history["sparsity"][0] > 0
