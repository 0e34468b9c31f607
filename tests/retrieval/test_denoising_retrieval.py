"""TFRS models under the denoising train step, against NumPy, TFRS' own and `DenoisingModel`."""

from __future__ import annotations

import importlib
import importlib.util
import itertools
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import tensorflow as tf

from tests.params import only
from tf_recdenoiser import retrieval
from tf_recdenoiser._keras import IS_KERAS_3, keras
from tf_recdenoiser.backbones import BERT4Rec, SASRec
from tf_recdenoiser.layers import PairwiseGates, PositionalGates
from tf_recdenoiser.training import DenoisingModel

ITEMS, N, D = 9, 3, 4
HISTORIES = np.array([[4, 1, 3], [0, 2, 5], [0, 0, 7], [6, 8, 2]], np.int32)
NEXT = np.array([5, 1, 5, 9], np.int32)
SEED = tf.constant([1, 2])
BATCH = {"item_ids": tf.constant(HISTORIES), "candidate": tf.constant(NEXT)}

needs_tfrs = pytest.mark.skipif(IS_KERAS_3, reason="TensorFlow Recommenders needs tf_keras")


@pytest.mark.both_keras
@pytest.mark.skipif(not IS_KERAS_3, reason="there is nothing to say under tf_keras")
def test_keras_3_is_told_the_cure() -> None:
    assert retrieval.export_saved_model
    with pytest.raises(ImportError, match=r"set TF_USE_LEGACY_KERAS=1 before TensorFlow is imp"):
        retrieval.DenoisingRetrieval  # noqa: B018


def test_other_names_are_no_attributes() -> None:
    with pytest.raises(AttributeError, match="has no attribute 'Retrieval'"):
        retrieval.Retrieval  # noqa: B018


def encoder(gates: Any = None, kind: type = SASRec, **options: Any) -> Any:
    backbone = kind(ITEMS, N, D, num_layers=2, num_heads=1, gates=gates, **options)
    rng = np.random.default_rng(3)
    for variable in backbone.trainable_variables:
        variable.assign(rng.normal(0.0, 0.7, variable.shape))
    return backbone


def retriever(backbone: Any = None, *args: Any, **compiled: Any) -> Any:
    model = retrieval.DenoisingRetrieval(backbone or encoder(), *args)
    model.compile(keras.optimizers.SGD(0.1), seed=0, run_eagerly=True, **compiled)
    return model


def tfrs() -> Any:
    return importlib.import_module("tensorflow_recommenders")


def task(**options: Any) -> Any:
    return tfrs().tasks.Retrieval(**options)


def log_softmax(scores: np.ndarray) -> np.ndarray:
    shifted = scores - scores.max(1, keepdims=True)
    return shifted - np.log(np.exp(shifted).sum(1, keepdims=True))


def in_batch_scores(model: Any) -> np.ndarray:
    queries = model.backbone({"item_ids": HISTORIES}, training=False)[:, -1].numpy()
    return queries @ model.backbone.item_vectors().numpy()[NEXT].T


@needs_tfrs
def test_the_loss_is_the_in_batch_softmax() -> None:
    """With temperature, the correction for sampling, and an accidental hit left out."""
    probabilities = np.array([0.4, 0.1, 0.4, 0.1], np.float32)
    batch = {
        **BATCH,
        "candidate_ids": tf.constant(NEXT),
        "candidate_sampling_probability": tf.constant(probabilities),
    }
    model = retriever(
        encoder(dropout=0.0), None, task(temperature=0.5, remove_accidental_hits=True)
    )
    scores = in_batch_scores(model) / 0.5 - np.log(probabilities)
    scores[0, 2] = scores[2, 0] = -1e30  # both are item 5
    expected = -np.diag(log_softmax(scores)).sum()
    for training in (False, True):
        np.testing.assert_allclose(model.compute_loss(batch, training), expected, rtol=1e-4)


@needs_tfrs
@pytest.mark.parametrize("training", [False, True])
def test_open_gates_leave_the_loss_as_it_is(training: bool) -> None:
    gated = retriever(encoder(PositionalGates(initial_keep=1.0), dropout=0.0))
    for layer in gated.gate_layers:
        layer.logits.assign(tf.fill([N, N], layer.initial_logit))
    plain = -np.diag(log_softmax(in_batch_scores(gated)))
    np.testing.assert_allclose(gated.compute_loss(BATCH, training), plain, rtol=1e-4)
    summed = retriever(gated.backbone, None, task())
    logs = summed.test_step(BATCH)
    np.testing.assert_allclose(logs["loss"], plain.sum(), rtol=1e-4)
    np.testing.assert_allclose(logs["total_loss"], plain.sum(), rtol=1e-4)


def in_batch_model(backbone: Any, **compiled: Any) -> DenoisingModel:
    """The same queries, candidates and loss, as a functional model: a mean, not a sum."""
    inputs = {
        "item_ids": keras.Input([N], dtype="int32"),
        "candidate": keras.Input([], dtype="int32"),
    }
    queries = backbone({"item_ids": inputs["item_ids"]})[:, -1]
    candidates = backbone.item_embedding(inputs["candidate"])
    model = DenoisingModel(inputs, tf.matmul(queries, candidates, transpose_b=True))
    loss = keras.losses.CategoricalCrossentropy(from_logits=True)
    model.compile("sgd", loss, run_eagerly=True, **compiled)
    return model


@needs_tfrs
@pytest.mark.parametrize("gates", [PositionalGates(beta=0.3), PairwiseGates(beta=0.3)])
@pytest.mark.parametrize("estimator", ["disarm", "reinforce"])
def test_gradients_are_those_of_a_denoising_model(gates: Any, estimator: str) -> None:
    """Which are proved elsewhere; here of a mean over the batch, and there of a sum."""
    backbone = encoder(gates, dropout=0.2, gamma=0.1)
    ours = retriever(backbone, estimator=estimator, l2=0.01)
    theirs = in_batch_model(backbone, estimator=estimator, l2=0.01)
    found, parts = ours.loss_gradients(BATCH, SEED)
    expected, _, their_parts = theirs.loss_gradients(BATCH, tf.eye(4), None, SEED)
    of_theirs = dict(zip(map(id, theirs.trainable_variables), expected, strict=True))
    assert len(found) == len(expected)
    for variable, gradient in zip(ours.trainable_variables, found, strict=True):
        np.testing.assert_allclose(
            tf.convert_to_tensor(gradient),
            4 * tf.convert_to_tensor(of_theirs[id(variable)]),
            rtol=1e-3,
            atol=1e-4,
        )
    np.testing.assert_allclose(parts["loss"], 4 * their_parts["loss"], rtol=1e-4)


@needs_tfrs
def test_a_sum_has_the_gradients_of_its_terms() -> None:
    backbone = encoder(PositionalGates(), dropout=0.2)
    (found, _), (expected, _) = (
        retriever(backbone, None, chosen).loss_gradients(BATCH, SEED) for chosen in (task(), None)
    )
    for one, other in zip(found, expected, strict=True):
        np.testing.assert_allclose(
            tf.convert_to_tensor(one), tf.convert_to_tensor(other), rtol=1e-3, atol=1e-4
        )


def tutorial_model(**called: Any) -> Any:
    """As TFRS' tutorials write it, but for the base class and the query tower."""

    class Model(retrieval.DenoisingRetrieval):
        def __init__(self) -> None:
            super().__init__()
            self.query_tower = encoder("positional", dropout=0.3)
            self.candidate_tower = keras.Sequential(
                [keras.layers.Embedding(ITEMS + 1, D), keras.layers.Dense(D, "relu")]
            )
            self.candidate_tower.layers[1].activity_regularizer = keras.regularizers.L2(0.1)
            self.task = task(batch_metrics=[keras.metrics.CategoricalAccuracy("right")])

        def compute_loss(self, features: Any, training: bool = False) -> tf.Tensor:
            queries = self.query_tower({"item_ids": features["item_ids"]}, **called)
            return self.task(queries[:, -1], self.candidate_tower(features["candidate"]))

    model = Model()
    model.compile(optimizer=keras.optimizers.Adagrad(0.1), seed=0)
    return model


@needs_tfrs
def test_a_tutorial_model_trains_its_gates_and_counts_its_metrics_once() -> None:
    model = tutorial_model()
    before = [layer.logits.numpy() for layer in model.gate_layers]
    data = tf.data.Dataset.from_tensors(BATCH)
    history = model.fit(data, epochs=3, validation_data=data, verbose=0).history
    assert {"loss", "regularization_loss", "total_loss", "right", "density_1", "keep_2"} <= set(
        history
    )
    assert any(
        np.any(layer.logits != old) for layer, old in zip(model.gate_layers, before, strict=True)
    )
    model.task._batch_metrics[0].reset_state()
    model.train_step(BATCH)
    assert float(model.task._batch_metrics[0].count) == len(NEXT)


@needs_tfrs
def test_losses_that_layers_add_are_of_the_batch_alone() -> None:
    model = tutorial_model()
    # Of the loss's own size, or float32 would round the difference below away.
    model.candidate_tower.layers[1].activity_regularizer = keras.regularizers.L2(100.0)
    for _ in range(2):
        vectors = model.candidate_tower(BATCH["candidate"]).numpy()
        expected = 100.0 * np.square(vectors).sum() / len(NEXT)
        parts = model.loss_gradients(BATCH, SEED)[1]
        np.testing.assert_allclose(parts["loss"] - parts["data"], expected, rtol=1e-3)
    logs = model.test_step(BATCH)
    np.testing.assert_allclose(model.losses, [expected], rtol=1e-5)
    assert logs["total_loss"] > logs["loss"]


@needs_tfrs
def test_training_that_is_turned_off_is_an_error() -> None:
    model = tutorial_model(training=False)
    with pytest.raises(ValueError, match=r"`compute_loss` must call .* not with `training=False`"):
        model.loss_gradients(BATCH, SEED)


@needs_tfrs
def test_a_model_of_nothing_says_what_it_needs() -> None:
    with pytest.raises(NotImplementedError, match=r"must define `compute_loss`, .* a backbone"):
        retrieval.DenoisingRetrieval().compute_loss(BATCH)
    with pytest.raises(ValueError, match=r"`backbone` must be given .*Received: backbone=None"):
        retrieval.DenoisingRetrieval(task=task())


@needs_tfrs
def test_rows_cannot_be_left_out_of_a_batch_of_negatives() -> None:
    with pytest.raises(ValueError, match=r"`estimator_batch_size` must be None .*Received: 2"):
        retriever(estimator_batch_size=2)


class FeatureTower(keras.Model):
    """Items by their category and price, so that one that was never sold has a vector too."""

    def __init__(self) -> None:
        super().__init__()
        self.category = keras.layers.Embedding(4, D)
        self.price = keras.layers.Dense(D)

    def call(self, items: dict[str, tf.Tensor], training: bool | None = None) -> tf.Tensor:
        return self.category(items["category"]) + self.price(items["price"][:, tf.newaxis])


def features(ids: np.ndarray) -> dict[str, tf.Tensor]:
    return {"category": tf.constant(ids % 4), "price": tf.constant(ids / 10, tf.float32)}


def catalogue(ids: np.ndarray, of_features: bool) -> tf.data.Dataset:
    items = features(ids) if of_features else ids
    return tf.data.Dataset.from_tensor_slices((ids, items)).batch(4)


@needs_tfrs
@pytest.mark.parametrize(
    ("kind", "of_features"),
    only(
        lambda kind, of_features: of_features == (kind == "streaming"),
        itertools.product(["brute_force", "streaming"], [False, True]),
    ),
)
def test_top_k_equals_numpy(kind: str, of_features: bool) -> None:
    model = retriever(encoder("positional"), FeatureTower() if of_features else None)
    batch = {**BATCH, "candidate": features(NEXT)} if of_features else BATCH
    model.train_step(batch)
    queries = model.backbone({"item_ids": HISTORIES}, training=False)[:, -1].numpy()
    sold, more = np.arange(1, 7, dtype=np.int32), np.arange(1, 10, dtype=np.int32)
    for ids in (sold, more):  # new items come in without training
        items = features(ids) if of_features else tf.constant(ids)
        scores = queries @ model.candidates(items).numpy().T
        index = model.index(catalogue(ids, of_features), kind, k=3)
        best, found = index({"item_ids": tf.constant(HISTORIES)})
        order = np.argsort(-scores, axis=1)
        np.testing.assert_array_equal(found, ids[order[:, :3]])
        np.testing.assert_allclose(best, np.sort(scores)[:, ::-1][:, :3], rtol=1e-4, atol=1e-5)

        scores[(ids == HISTORIES[..., np.newaxis]).any(1)] = -np.inf
        _, found = index.query_with_exclusions(
            {"item_ids": tf.constant(HISTORIES)}, tf.constant(HISTORIES)
        )
        np.testing.assert_array_equal(found, ids[np.argsort(-scores, axis=1)[:, :3]])


@needs_tfrs
def test_the_index_is_of_the_whole_table_and_can_be_served(tmp_path: Path) -> None:
    model = retriever(encoder("positional"))
    asked = {"item_ids": tf.constant(HISTORIES)}
    index = model.index(k=4)
    best, found = index(asked)
    scores = model(asked).numpy() @ model.backbone.item_vectors().numpy()[1:].T
    np.testing.assert_array_equal(found, 1 + np.argsort(-scores, axis=1)[:, :4])
    tf.saved_model.save(index, str(tmp_path))
    served, same = tf.saved_model.load(str(tmp_path))(asked)
    np.testing.assert_array_equal(same, found)
    np.testing.assert_allclose(served, best, rtol=1e-5)


@needs_tfrs
def test_a_tower_of_ones_own_has_no_table() -> None:
    with pytest.raises(ValueError, match=r"`candidates` must be given .*Received: candidates=None"):
        retriever(encoder(), FeatureTower()).index()


@needs_tfrs
@pytest.mark.skipif(importlib.util.find_spec("scann") is not None, reason="scann is installed")
def test_scann_is_asked_for_where_it_is_missing() -> None:
    with pytest.raises(ImportError, match=r"`kind=\"scann\"` needs .*tf_recdenoiser\[scann\]"):
        retriever().index(kind="scann")


@needs_tfrs
def test_a_scann_that_cannot_be_loaded_is_told_the_cure(tmp_path: Path) -> None:
    (tmp_path / "scann.py").write_text(
        "import tensorflow as tf\nraise tf.errors.NotFoundError(None, None, 'undefined symbol')\n"
    )
    found = subprocess.run(
        [sys.executable, "-c", "from tf_recdenoiser.retrieval import DenoisingRetrieval"],
        env={**os.environ, "PYTHONPATH": os.pathsep.join([str(tmp_path), *sys.path])},
        capture_output=True,
        text=True,
    )
    assert found.returncode == 1
    assert "ImportError: TensorFlow Recommenders cannot be imported beside" in found.stderr
    assert "pip uninstall scann" in found.stderr


@needs_tfrs
def test_top_k_of_the_whole_catalogue_is_measured_in_evaluation() -> None:
    backbone = encoder("positional")
    pairs = tf.data.Dataset.range(1, ITEMS + 1, output_type=tf.int32).batch(4)
    metric = tfrs().metrics.FactorizedTopK(
        pairs.map(lambda ids: (ids, backbone.item_embedding(ids))), ks=(2,)
    )
    model = retriever(backbone, None, task(metrics=metric))
    batch = {**BATCH, "candidate_ids": BATCH["candidate"]}
    model.train_step(batch)
    found = model.evaluate(tf.data.Dataset.from_tensors(batch), return_dict=True, verbose=0)
    scores = model(BATCH).numpy() @ backbone.item_vectors().numpy()[1:].T
    best = 1 + np.argsort(-scores, axis=1)[:, :2]
    expected = np.mean((best == NEXT[:, np.newaxis]).any(1))
    assert found["factorized_top_k/top_2_categorical_accuracy"] == pytest.approx(expected)


@needs_tfrs
def test_an_index_of_no_known_kind_is_an_error() -> None:
    with pytest.raises(ValueError, match=r"`kind` must be one of .*Received: kind='tree'"):
        retriever().index(catalogue(np.arange(1, 4), False), kind="tree")


@needs_tfrs
def test_a_backbone_that_is_asked_a_question_is_asked_it() -> None:
    backbone = encoder(kind=BERT4Rec)
    asked = backbone.prediction_inputs({"item_ids": tf.constant(HISTORIES)})
    np.testing.assert_allclose(
        retriever(backbone)(BATCH, training=False), backbone(asked, training=False)[:, -1]
    )


@needs_tfrs
def test_an_index_lives_through_one_expression() -> None:
    model = retriever()
    asked = {"item_ids": BATCH["item_ids"]}
    excluded = tf.constant(NEXT)[:, tf.newaxis]
    _, found = model.index(k=3).query_with_exclusions(asked, excluded)
    assert not np.any(found.numpy() == NEXT[:, np.newaxis])


@needs_tfrs
@pytest.mark.parametrize("name", ["model.keras", "model.h5"])
def test_what_could_not_be_loaded_is_not_saved(name: str, tmp_path: Path) -> None:
    model = retriever()
    model(BATCH)
    with pytest.raises(ValueError, match=r"save its weights by `save_weights`.*Received: .*model"):
        model.save(tmp_path / name)
    assert not (tmp_path / name).exists()
    model.save_weights(tmp_path / "weights")
    other = retriever()
    other.load_weights(tmp_path / "weights").expect_partial()
    np.testing.assert_array_equal(other(BATCH), model(BATCH))


@needs_tfrs
def test_losses_are_means_of_the_batches_sums() -> None:
    """A sum has counted its queries: over the batches each counts once."""
    model = retriever(encoder(dropout=0.0))
    data = tf.data.Dataset.from_tensor_slices(BATCH)
    sums = [float(model.test_step(batch)["loss"]) for batch in data.batch(4)]
    model.reset_metrics()
    parts = []
    for batch in data.batch(3):
        model.reset_metrics()
        parts.append(float(model.test_step(batch)["loss"]))
    found = model.evaluate(data.batch(3), verbose=0, return_dict=True)
    assert found["loss"] == pytest.approx(np.mean(parts), rel=1e-5)
    found = model.evaluate(data.batch(4), verbose=0, return_dict=True)
    assert found["loss"] == pytest.approx(sums[0], rel=1e-5)
