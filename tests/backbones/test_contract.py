"""What every backbone keeps to; a new one in `BACKBONES` is tested here without an edit."""

from __future__ import annotations

import functools
import inspect
import itertools
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import tensorflow as tf
from tensorflow_serving.apis import prediction_log_pb2

from tests.layers.reference import randomize
from tests.params import only
from tests.runs.small import DATASET, small
from tests.serving import c_loader
from tf_recdenoiser._keras import keras, layers_of
from tf_recdenoiser.backbones import BACKBONES, EXTRA_INPUTS, Backbone, BERT4Rec, SASRec
from tf_recdenoiser.layers import GATES, Gates, PositionalGates
from tf_recdenoiser.layers.newest import newest_alone
from tf_recdenoiser.layers.sample import Evaluation, Sample
from tf_recdenoiser.retrieval import export_saved_model
from tf_recdenoiser.runs import Run, RunDirectory, load_run, train
from tf_recdenoiser.training import DEFAULT_OBJECTIVE, OBJECTIVES, Recommender, explain

ITEMS, USERS, N, D = 9, 4, 6, 4
K = 7
SIZES = {"item_count": ITEMS, "user_count": USERS, "max_length": N, "hidden_dim": D}
IDS = np.array([[3, 1, 4, 1, 5, 9], [0, 0, 0, 2, 6, 5]], np.int32)
every_backbone = pytest.mark.parametrize("kind", BACKBONES.values(), ids=BACKBONES)
GATED = {name: kind for name, kind in BACKBONES.items() if kind.gated}
every_gated_backbone = pytest.mark.parametrize("kind", GATED.values(), ids=GATED)
# Of the others one way each, by default.
IN_EVERY_WAY = (SASRec, BERT4Rec)
WAYS = [
    *((name, "disarm", 0.01) for name in OBJECTIVES),
    *((next(iter(OBJECTIVES)), *way) for way in (("disarm", 0.0), ("arm", 0.01), ("ar", 0.0))),
]


def with_gates(*names: str) -> Any:
    """Every backbone without gates, and with these where it takes them."""
    return pytest.mark.parametrize(
        ("kind", "options"),
        [
            pytest.param(kind, {"gates": gates} if gates else {}, id=f"{name}-{gates}")
            for name, kind in BACKBONES.items()
            for gates in (None, *(names if kind.gated else ()))
        ],
    )


def taken_by(kind: type[Backbone]) -> set[str]:
    return set(inspect.signature(kind).parameters)


def made(kind: type[Backbone], randomly: bool = True, **options: Any) -> Any:
    """A backbone of these sizes, as far as its constructor takes them."""
    sizes = {name: size for name, size in SIZES.items() if name in taken_by(kind)}
    model = kind(**{**sizes, **options})
    if randomly:
        randomize(model)
    return model


def inputs_of(kind: type[Backbone], ids: np.ndarray) -> dict[str, tf.Tensor]:
    """What a backbone reads of histories: their users are 2, 3, …, a minute is between items."""
    all_of_them = {
        "item_ids": tf.constant(ids),
        "user_ids": tf.range(2, 2 + len(ids)),
        "times": tf.constant((ids > 0) * (1.6e9 + 60 * np.arange(-ids.shape[1], 0))),
    }
    return {name: all_of_them[name] for name in ("item_ids", *kind.extra_inputs)}


def encode(model: Backbone, ids: np.ndarray, training: bool = False) -> np.ndarray:
    return model(inputs_of(type(model), ids), training=training).numpy()


def gates_in(model: Any) -> list[Gates]:
    return [layer for layer in layers_of(model) if isinstance(layer, Gates)]


@every_backbone
def test_its_shapes_are_what_it_says(kind: type[Backbone]) -> None:
    model = made(kind)
    assert isinstance(model, Backbone) and isinstance(model.causal, bool)
    assert model.gated == ({"gates", "gamma", "jacobian_batch_size"} <= taken_by(kind))
    assert set(model.extra_inputs) <= set(EXTRA_INPUTS)
    assert set(model.input) == {"item_ids", *model.extra_inputs}
    for name in model.extra_inputs:
        axes, dtype = EXTRA_INPUTS[name]
        assert tuple(model.input[name].shape) == (None, N)[: 1 + axes]
        assert model.input[name].dtype == dtype
    assert (model.item_count, model.max_length) == (ITEMS, N)
    width = model.output.shape[-1]
    assert tuple(model.output.shape) == (None, N, width)
    assert tuple(model.item_embedding.embeddings.shape) == (ITEMS + 1, width)
    assert tuple(model.item_embedding(tf.constant([[[1, 2, 3]]])).shape) == (1, 1, 3, width)
    np.testing.assert_array_equal(
        model.item_embedding(tf.range(ITEMS + 1)), model.item_vectors().numpy()
    )
    asked = model.prediction_inputs(inputs_of(kind, IDS))
    assert {name: tuple(values.shape) for name, values in asked.items()} == {
        name: tuple(values.shape) for name, values in inputs_of(kind, IDS).items()
    }


@every_backbone
@pytest.mark.parametrize("items", [[7], [2, 3], [4, 4, 8, 1]])
def test_padding_before_the_first_item_changes_nothing(
    kind: type[Backbone], items: list[int]
) -> None:
    """Positions count from the newest item: a longer model with the same last positions agrees."""
    short, long = _twins(kind)
    ids = np.array([[0] * (4 - len(items)) + items], np.int32)
    found = encode(long, np.pad(ids, [(0, 0), (N - 4, 0)]))[0, -len(items) :]
    np.testing.assert_allclose(found, encode(short, ids)[0, -len(items) :], rtol=1e-4, atol=1e-5)


@functools.cache
def _twins(kind: type[Backbone]) -> tuple[Backbone, Backbone]:
    """Models of lengths 4 and N that share everything but the first positions."""
    short, long = made(kind, max_length=4), made(kind)
    for one, other in zip(short.trainable_variables, long.trainable_variables, strict=True):
        added = len(other.numpy()) - len(one.numpy())
        other.assign(np.concatenate([other.numpy()[:added], one.numpy()]))
    return short, long


@every_backbone
def test_the_newest_position_alone_is_the_last_of_all(kind: type[Backbone]) -> None:
    model = made(kind)
    ids = np.concatenate([IDS, np.zeros([1, N], np.int32)])
    inputs = inputs_of(kind, ids)
    whole = model(model.prediction_inputs(inputs), training=False)
    np.testing.assert_allclose(model.newest(inputs), whole[:, -1], rtol=1e-5, atol=1e-5)
    if kind.gated:
        with newest_alone():
            assert model(inputs, training=False).shape[1] == 1
            assert model(inputs, training=True).shape[1] == N


@with_gates(*GATES)
def test_a_later_item_changes_no_earlier_output_if_it_is_causal(
    kind: type[Backbone], options: dict[str, str]
) -> None:
    model = made(kind, **options)
    reads = bool(model.trainable_variables)  # else it says the same of every history
    before = encode(model, IDS)
    for position in range(1, N):
        changed = IDS.copy()
        changed[0, position] = 7
        after = encode(model, changed)
        same = np.allclose(after[0, :position], before[0, :position], rtol=1e-5, atol=1e-6)
        assert same == kind.causal
        assert np.allclose(after[0, position], before[0, position]) != reads
        np.testing.assert_allclose(after[1, 3:], before[1, 3:], rtol=1e-5, atol=1e-6)


@every_backbone
def test_its_configuration_makes_it_again(kind: type[Backbone]) -> None:
    denoiser = {"gates": PositionalGates(beta=0.2), "gamma": 0.01} if kind.gated else {}
    model = made(kind, **denoiser, name="mine")
    config = model.get_config()
    assert set(config) == taken_by(kind)
    again = kind.from_config(config)
    assert again.get_config() == config
    again.set_weights(model.get_weights())
    np.testing.assert_array_equal(encode(again, IDS), encode(model, IDS))
    assert [layer.beta for layer in gates_in(again)] == [0.2, 0.2] * kind.gated


@with_gates("positional", "item")
def test_it_is_saved_and_loaded(
    kind: type[Backbone], options: dict[str, str], tmp_path: Path
) -> None:
    model = made(kind, **options, **{"gamma": 0.1} if kind.gated else {})
    model.adapt(np.arange(ITEMS + 1))
    model.save(tmp_path / "encoder.keras")
    loaded = keras.models.load_model(tmp_path / "encoder.keras")
    assert type(loaded) is kind and loaded.item_count == ITEMS
    np.testing.assert_array_equal(encode(loaded, IDS), encode(model, IDS))
    np.testing.assert_array_equal(loaded.item_vectors(), model.item_vectors())


@pytest.mark.parametrize("training", [False, True])
@pytest.mark.parametrize(
    ("kind", "gates"),
    only(
        lambda kind, gates: kind in IN_EVERY_WAY or gates is PositionalGates,
        itertools.product(GATED.values(), GATES.values()),
    ),
)
def test_open_gates_are_no_gates(kind: type[Backbone], gates: type[Gates], training: bool) -> None:
    gated = made(kind, gates=gates(initial_keep=1.0), randomly=False, dropout=0.3)
    plain = made(kind, randomly=False, dropout=0.3)
    layers = 1 if gates.shared else 2
    assert [type(layer) for layer in gates_in(gated)] == [gates] * layers and not gates_in(plain)
    of_gates = {id(v) for layer in gates_in(gated) for v in layer.trainable_variables}
    others = [v for v in gated.trainable_variables if id(v) not in of_gates]
    for one, other in zip(plain.trainable_variables, others, strict=True):
        one.assign(other.numpy())
    found = []
    for model in (gated, plain):
        with Evaluation(Sample(tf.constant([1, 2]))):
            found.append(encode(model, IDS, training=training))
    np.testing.assert_array_equal(found[0], found[1])


@pytest.mark.parametrize(
    ("kind", "way"),
    only(
        lambda kind, way: kind in IN_EVERY_WAY or way == WAYS[0],
        itertools.product(GATED.values(), WAYS),
    ),
)
def test_a_step_of_every_denoiser_and_objective_reaches_every_weight(
    kind: type[Backbone], way: tuple[str, str, float]
) -> None:
    objective, estimator, gamma = way
    backbone = made(kind, gates=PositionalGates(beta=0.1), gamma=gamma, jacobian_batch_size=1)
    model = Recommender(backbone, OBJECTIVES[objective]())
    model.compile(estimator=estimator, estimator_batch_size=1, seed=6)  # with a Jacobian penalty
    assert model.credit is kind.causal and len(model.gate_layers) == 2
    parts = a_step_reaches_every_weight(model)
    assert (float(parts["jacobian"]) > 0) == (gamma > 0)


@pytest.mark.parametrize(
    ("kind", "objective"),
    only(
        lambda kind, objective: kind in IN_EVERY_WAY or objective is OBJECTIVES[DEFAULT_OBJECTIVE],
        itertools.product(BACKBONES.values(), OBJECTIVES.values()),
    ),
)
def test_a_step_without_a_denoiser_reaches_every_weight(
    kind: type[Backbone], objective: Any
) -> None:
    model = Recommender(made(kind), objective())
    model.compile(seed=1)
    a_step_reaches_every_weight(model)


def a_step_reaches_every_weight(model: Recommender) -> dict[str, tf.Tensor]:
    """The parts of its loss."""
    objective = model.objective
    drawn = [len(IDS)] if objective.share_negatives else IDS.shape
    targets = {
        "positives": tf.constant(np.where(IDS > 0, np.roll(IDS, 1), 0)),
        "negatives": tf.fill([*drawn, objective.negatives], 8),
        "unseen_counts": tf.fill([len(IDS)], 5),
        "weights": tf.constant((IDS > 0).astype(np.float32)),
        "epoch": tf.fill([len(IDS)], 20.0),
    }
    inputs = inputs_of(type(model.backbone), IDS)
    x, y, weights = model.objective.example(inputs, targets)
    gradients, _, parts = model.loss_gradients(x, y, weights, tf.constant([1, 2]))
    assert all(np.isfinite(part) for part in parts.values())
    for variable, gradient in zip(model.trainable_variables, gradients, strict=True):
        assert gradient is not None, variable.name
        assert np.isfinite(tf.convert_to_tensor(gradient)).all()
    return parts


@pytest.fixture(scope="module", params=BACKBONES)
def run(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Run:
    """A run on a synthetic log, gated and under the Jacobian penalty where that can be."""
    directory = RunDirectory(tmp_path_factory.mktemp("backbones") / request.param)
    # Masks that are drawn anew make a loss that falls later.
    epochs = 12 if request.param == "bert4rec" else 6
    changes = {"model": request.param, "fit.epochs": epochs, "fit.learning_rate": 0.01}
    if not BACKBONES[request.param].gated:
        changes["gates"] = "none"
    train(small(changes), DATASET, directory)
    return load_run(directory.path)


@pytest.mark.eager
def test_training_lowers_the_loss(run: Run) -> None:
    losses = [row["data"] for row in run.directory.history()]
    if run.recommender.trainable_variables:
        assert losses[-1] < losses[0] - 0.01
    metrics = run.directory.metrics()
    assert len(metrics["density"]) == run.recommender.backbone.gated
    assert (
        run.scorer("test").result(run.recommender, "full").summary((10,))["ndcg@10"]
        == (metrics["test"]["full"]["ndcg@10"])
    )


def histories(run: Run, lengths: tuple[int, ...] = (1, 5, 12, 17)) -> dict[str, Any]:
    """The newest items of some users, as a server is asked about them, and as the model reads."""
    whole = DATASET.histories
    users = np.arange(len(lengths))
    n = run.settings.model.max_length
    width = max(n, *lengths)
    recent = whole.last(width)[: len(lengths)]
    times = whole.last_times(width)[: len(lengths)]
    kept = np.arange(width) >= width - np.array(lengths)[:, np.newaxis]
    codes = recent * kept
    raw = np.concatenate([[""], run.item_ids])[codes].astype(object)
    names = DATASET.user_ids[users].astype(object)
    names[-1] = "nobody" if names.dtype == object and isinstance(names[0], str) else -1
    further = {"times": ("times", times), "user_ids": ("users", names)}
    wanted = [further[name] for name in run.recommender.backbone.extra_inputs]
    read = {
        "item_ids": codes[:, -n:],
        "times": (times * kept)[:, -n:],
        "user_ids": np.array([*range(1, len(lengths)), 0], np.int32),
    }
    return {
        "asked": {"histories": raw, "lengths": np.array([-1], np.int32), **dict(wanted)},
        "read": {name: read[name] for name in ("item_ids", *run.recommender.backbone.extra_inputs)},
    }


Answers = Callable[[str, dict[str, Any]], dict[str, Any]]


def by_python(version: Path) -> AbstractContextManager[Answers]:
    """The signatures of a SavedModel that Python has loaded again."""
    signatures = tf.saved_model.load(str(version)).signatures

    def answer(signature: str, inputs: dict[str, Any]) -> dict[str, Any]:
        outputs = signatures[signature](**{name: tf.constant(v) for name, v in inputs.items()})
        return {name: values.numpy() for name, values in outputs.items()}

    return nullcontext(answer)


@contextmanager
def by_the_c_loader(version: Path) -> Iterator[Answers]:
    """The signatures of a SavedModel in TensorFlow Serving's loader."""
    with c_loader.load(version) as model:
        yield model.run


@pytest.fixture(scope="module")
def version(run: Run, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The run, exported."""
    return export_saved_model(
        run.recommender,
        run.item_ids,
        tmp_path_factory.mktemp("exported") / "model",
        max_k=K,
        user_ids=run.user_ids,
    )


every_loader = pytest.mark.parametrize(
    "loaded",
    [
        by_python,
        pytest.param(
            by_the_c_loader,
            marks=pytest.mark.skipif(
                not c_loader.SUPPORTED, reason="TensorFlow's C library is found on Linux only"
            ),
        ),
    ],
)


@pytest.mark.eager
@every_loader
def test_what_is_served_is_what_the_model_says(
    run: Run, version: Path, loaded: Callable[[Path], AbstractContextManager[Answers]]
) -> None:
    both = histories(run)
    choices = {"k": np.array([K], np.int32), "exclude_seen": np.array([False])}
    with loaded(version) as answers:
        answer = answers("serving_default", {**both["asked"], **choices})
        explained = answers("explain", both["asked"])
    scores = run.recommender.score(**both["read"])
    scores[:, 0] = -np.inf
    best = np.argsort(-scores, axis=1, kind="stable")[:, :K]
    np.testing.assert_allclose(
        answer["scores"], np.take_along_axis(scores, best, 1), rtol=1e-5, atol=1e-5
    )
    assert answer["item_ids"].tolist() == [
        [item.encode() for item in row] for row in run.item_ids[best - 1].tolist()
    ]
    expected = explain(run.recommender, **both["read"])
    n = run.settings.model.max_length
    for name in ("kept", "kept_per_layer", "attention_per_layer"):
        found = explained[name]
        np.testing.assert_allclose(found[..., -n:], getattr(expected, name), rtol=1e-5, atol=1e-6)
        assert (found[..., :-n] == 0).all()


@pytest.mark.eager
@every_loader
def test_its_warm_up_requests_can_be_played(
    version: Path, loaded: Callable[[Path], AbstractContextManager[Answers]]
) -> None:
    file = version / "assets.extra" / "tf_serving_warmup_requests"
    played = []
    with loaded(version) as answers:
        for record in tf.data.TFRecordDataset(str(file)).as_numpy_iterator():
            request = prediction_log_pb2.PredictionLog.FromString(record).predict_log.request
            inputs = {name: tf.make_ndarray(value) for name, value in request.inputs.items()}
            outputs = answers(request.model_spec.signature_name, inputs)
            rows = len(inputs["histories"])
            # One row of each, so that a server that runs requests together takes them too.
            assert {len(values) for values in (*inputs.values(), *outputs.values())} == {rows}
            played.append((request.model_spec.signature_name, rows))
    assert sorted(played) == [
        *(("explain", size) for size in (1, 32)),
        *(("serving_default", size) for size in (1, 32)),
    ]


@pytest.mark.eager
def test_it_says_what_it_kept_of_each_item(run: Run) -> None:
    read = histories(run, (1, 5, 11))["read"]
    is_item = read["item_ids"] > 0
    found = explain(run.recommender, **read)
    np.testing.assert_array_equal(found.kept > 0, is_item)
    if not run.recommender.backbone.gated:
        np.testing.assert_array_equal(found.kept, is_item)
        assert found.attention_per_layer.shape == (len(is_item), 0, is_item.shape[1])
        return
    attention = found.attention_per_layer[:, 0]
    np.testing.assert_array_equal(attention > 0, is_item)
    (layer,) = run.recommender.gate_layers
    # The newest item stands in the last column, though a question may follow it in the model.
    row = layer.logits.numpy()[-1]
    places = np.arange(len(row)) - run.recommender.backbone.shift
    keep = np.where(places >= 0, 1 / (1 + np.exp(-row[places])), 0)
    np.testing.assert_allclose(found.kept, keep * is_item, rtol=1e-5)
