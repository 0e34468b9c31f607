"""A SavedModel answers as the model does, in a server's loader and in Python."""

from __future__ import annotations

import dataclasses
import json
import os
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import tensorflow as tf
from hypothesis import given, settings
from hypothesis import strategies as st
from tensorflow.core.protobuf import saved_model_pb2
from tensorflow_serving.apis import prediction_log_pb2

from tests.params import only
from tests.retrieval.reference import (
    ITEM_COUNT,
    LOWEST,
    MAX_K,
    MAX_LENGTH,
    UNKNOWN,
    VOCABULARIES,
    Array,
    as_served,
    assert_recommended,
    model_input,
    padded,
    random_recommender,
    recommend,
)
from tests.serving import c_loader
from tests.serving.c_loader import LoadedModel, TensorFlowError
from tf_recdenoiser._files import FolderError, locked
from tf_recdenoiser._keras import keras
from tf_recdenoiser.retrieval import ServingModule, export_saved_model
from tf_recdenoiser.training import Recommender
from tf_recdenoiser.training.explain import explain

needs_c_library = pytest.mark.skipif(
    not c_loader.SUPPORTED, reason="TensorFlow's C library is found on Linux only"
)
KINDS = sorted(VOCABULARIES)
EXTREME_K = [-(2**31), 2**31 - 1]
SERVER_FILES = ["batching.config", "models.config"]


@dataclasses.dataclass(frozen=True)
class Exported:
    """A model, what its SavedModel must know, and where that is."""

    kind: str
    model: Recommender
    path: Path

    @property
    def ids(self) -> Array:
        return VOCABULARIES[self.kind]

    def histories(self) -> list[list[Any]]:
        """Empty, short, exactly n, longer than n; repeated and unknown ids anywhere."""
        ids, unknown = self.ids.tolist(), UNKNOWN[self.kind]
        return [
            [],
            unknown,
            [ids[3]],
            ids[:5],
            ids[1:11],
            ids[::-1],
            [unknown[0], ids[4], unknown[1], ids[4], unknown[2], ids[2], *unknown],
        ]


@pytest.fixture(scope="module", params=KINDS)
def exported(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Exported:
    model = random_recommender()
    folder = tmp_path_factory.mktemp("saved_models") / "small"
    path = export_saved_model(model, VOCABULARIES[request.param], folder, max_k=MAX_K)
    return Exported(request.param, model, path)


@pytest.fixture(scope="module")
def served(exported: Exported) -> Iterator[LoadedModel]:
    """The SavedModel in TensorFlow's C++ loader, in this process."""
    if not c_loader.SUPPORTED:
        pytest.skip("TensorFlow's C library is found on Linux only")
    with c_loader.load(exported.path) as loaded:
        yield loaded


def requests(
    histories: Array, lengths: Any = (-1,), k: Any = (10,), seen_out: Any = (True,)
) -> Any:
    return {
        "histories": histories,
        "lengths": np.array(lengths, np.int32),
        "k": np.array(k, np.int32),
        "exclude_seen": np.array(seen_out, np.bool_),
    }


# --- Against the model ------------------------------------------------------------------------


@needs_c_library
@pytest.mark.parametrize("seen_out", only(bool, [True, False]))
def test_a_process_without_tensorflow_recommends_as_the_model_does(
    exported: Exported, seen_out: bool
) -> None:
    histories = exported.histories()
    inputs = requests(padded(histories, exported.kind), k=[6], seen_out=[seen_out])
    got = c_loader.run_in_process(exported.path, "serving_default", inputs)
    count = len(histories)
    assert_recommended(
        got, exported.model, exported.kind, histories, [6] * count, [seen_out] * count
    )
    assert np.isfinite(got["scores"][0]).all()  # after no history at all


@needs_c_library
def test_a_process_without_tensorflow_explains_as_the_model_does(exported: Exported) -> None:
    histories = exported.histories()
    inputs = {"histories": padded(histories, exported.kind), "lengths": np.array([-1], np.int32)}
    got = c_loader.run_in_process(exported.path, "explain", inputs)
    assert_explained(got, exported, histories)


def assert_explained(got: dict[str, Array], exported: Exported, histories: list[list[Any]]) -> None:
    """Each entry that the model reads has what Python's `explain` says of its position."""
    ids = exported.ids.tolist()
    rows = [model_input(history, exported.ids) for history in histories]
    expected = explain(exported.model, np.array(rows, np.int32).reshape(-1, MAX_LENGTH))
    columns = max(map(len, histories), default=0)
    assert got["kept"].shape == got["known"].shape == (len(histories), columns)
    assert got["kept_per_layer"].shape == (len(histories), 2, columns)
    for row, history in enumerate(histories):
        known = [column for column, item in enumerate(history) if item in ids]
        assert np.flatnonzero(got["known"][row]).tolist() == known
        read = known[-MAX_LENGTH:]
        slots = range(MAX_LENGTH - len(read), MAX_LENGTH)
        for name in ("kept", "kept_per_layer", "attention_per_layer"):
            wanted = np.zeros(got[name].shape[1:], np.float32)
            wanted[..., read] = getattr(expected, name)[row][..., list(slots)]
            np.testing.assert_allclose(got[name][row], wanted, rtol=1e-4, atol=1e-6, err_msg=name)


@given(data=st.data())
@settings(max_examples=40, deadline=None)
def test_any_request(exported: Exported, served: LoadedModel, data: st.DataObject) -> None:
    entries = st.sampled_from([*exported.ids.tolist(), *UNKNOWN[exported.kind]])
    histories = data.draw(st.lists(st.lists(entries, max_size=9), max_size=4))
    rows, columns = len(histories), max(map(len, histories), default=0)
    each = {"min_size": rows, "max_size": rows}
    lengths = data.draw(st.lists(st.integers(-1, columns + 1), **each))
    k = data.draw(st.lists(st.integers(-2, MAX_K + 2) | st.sampled_from(EXTREME_K), **each))
    seen_out = data.draw(st.lists(st.booleans(), **each))
    # What fills a row up is an item, so that only `lengths` can say where the history ends.
    batch = padded(histories, exported.kind, filler=exported.ids.tolist()[0])
    counted = [
        row[: columns if length < 0 else length]
        for row, length in zip(batch.tolist(), lengths, strict=True)
    ]
    got = served.run("serving_default", requests(batch, lengths, k, seen_out))
    assert_recommended(got, exported.model, exported.kind, counted, k, seen_out)
    inputs = {"histories": batch, "lengths": np.array(lengths, np.int32)}
    got = served.run("explain", inputs)
    for name, values in got.items():
        assert values.shape[0] == rows and values.shape[-1] == columns, name
    if columns:
        # As wide as the batch, which the counted rows alone need not be.
        wide = [row + [UNKNOWN[exported.kind][0]] * (columns - len(row)) for row in counted]
        assert_explained(got, exported, wide)


def test_k_is_the_number_of_columns(exported: Exported, served: LoadedModel) -> None:
    history = [exported.ids.tolist()[:2]]
    for k in range(1, MAX_K + 1):
        got = served.run("serving_default", requests(padded(history, exported.kind), k=[k]))
        assert_recommended(got, exported.model, exported.kind, history, [k], [True])
        assert (got["scores"] > LOWEST).sum() == min(k, ITEM_COUNT - 2)


@pytest.mark.parametrize("size", [1, 512])
def test_a_batch_of_any_size(exported: Exported, served: LoadedModel, size: int) -> None:
    rng = np.random.default_rng(size)
    entries = [*exported.ids.tolist(), *UNKNOWN[exported.kind]]
    histories = [
        [entries[place] for place in rng.integers(len(entries), size=length)]
        for length in rng.integers(1, 10, size)
    ]
    k = rng.integers(1, MAX_K + 1, size).tolist()
    batch = padded(histories, exported.kind)
    got = served.run("serving_default", requests(batch, k=k))
    assert_recommended(got, exported.model, exported.kind, histories, k, [True] * size)
    inputs = {"histories": batch, "lengths": np.array([-1], np.int32)}
    assert_explained(served.run("explain", inputs), exported, histories)


@pytest.mark.parametrize("k", [[0, 3], [-5, 2], [3, MAX_K + 1], EXTREME_K])
def test_a_row_whose_k_cannot_be_is_answered_and_leaves_the_others_alone(
    exported: Exported, served: LoadedModel, k: list[int]
) -> None:
    histories = [exported.ids.tolist()[:2], exported.ids.tolist()[4:7]]
    got = served.run("serving_default", requests(padded(histories, exported.kind), k=k))
    assert_recommended(got, exported.model, exported.kind, histories, k, [True] * 2)


def test_answers_are_json(exported: Exported, served: LoadedModel) -> None:
    """They held -Infinity, which is no JSON."""
    histories = [exported.ids.tolist(), exported.ids.tolist()[:2]]
    got = served.run("serving_default", requests(padded(histories, exported.kind), k=[3, MAX_K]))
    json.dumps(got["scores"].tolist(), allow_nan=False)
    assert (got["scores"] == LOWEST).any()


def test_when_everything_is_seen_nothing_is_left(exported: Exported, served: LoadedModel) -> None:
    everything = padded([exported.ids.tolist()], exported.kind)
    got = served.run("serving_default", requests(everything, k=[3]))
    assert (got["scores"] == LOWEST).all()
    assert got["item_ids"].tolist() == [[-1 if exported.kind == "int" else b""] * 3]


@pytest.mark.parametrize(
    ("changed", "message"),
    [
        ({"k": [2, 2, 2]}, "`k` must have one row, or as many as `histories`. Received: rows ="),
        ({"lengths": [1, 2, 3]}, "`lengths` must have one row, or as many as `histories`."),
        ({"seen_out": [True] * 5}, "`exclude_seen` must have one row, or as many as `histories`."),
    ],
)
def test_a_wrong_request_says_what_is_wrong(
    exported: Exported, served: LoadedModel, changed: dict[str, Any], message: str
) -> None:
    batch = padded([exported.ids.tolist()[:2]] * 2, exported.kind)
    with pytest.raises(TensorFlowError, match=re.escape(message)) as caught:
        served.run("serving_default", requests(batch, **changed))
    assert caught.value.code == 3  # TF_INVALID_ARGUMENT


def only_histories(served: LoadedModel) -> LoadedModel:
    """The model with the inputs that need not be fed left out of its signatures."""
    signatures = {
        name: dataclasses.replace(signature, inputs={"histories": signature.inputs["histories"]})
        for name, signature in served.signatures.items()
    }
    return dataclasses.replace(served, signatures=signatures)


def test_inputs_beside_the_histories_have_defaults(exported: Exported, served: LoadedModel) -> None:
    histories = exported.histories()
    inputs = {"histories": padded(histories, exported.kind)}
    got = only_histories(served).run("serving_default", inputs)
    explained = only_histories(served).run("explain", inputs)
    count = len(histories)
    assert_recommended(got, exported.model, exported.kind, histories, [10] * count, [True] * count)
    assert_explained(explained, exported, histories)


def test_a_server_finds_the_defaults_in_the_signatures(exported: Exported) -> None:
    saved = saved_model_pb2.SavedModel()
    saved.ParseFromString((exported.path / "saved_model.pb").read_bytes())
    definitions = saved.meta_graphs[0].signature_def
    found = {
        signature: {
            name: tf.make_ndarray(value).tolist()
            for name, value in definitions[signature].defaults.items()
        }
        for signature in ("serving_default", "explain")
    }
    assert found == {
        "serving_default": {"lengths": [-1], "k": [10], "exclude_seen": [True]},
        "explain": {"lengths": [-1]},
    }


def test_the_signatures(exported: Exported, served: LoadedModel) -> None:
    ids = "int64" if exported.kind == "int" else "object"
    described = {
        name: tuple(
            {tensor: (info.dtype, info.shape) for tensor, info in side.items()}
            for side in (signature.inputs, signature.outputs)
        )
        for name, signature in served.signatures.items()
    }
    assert described == {
        "serving_default": (
            {
                "histories": (ids, (None, None)),
                "lengths": ("int32", (None,)),
                "k": ("int32", (None,)),
                "exclude_seen": ("bool", (None,)),
            },
            {
                "item_ids": (ids, (None, None)),
                "scores": ("float32", (None, None)),
                "k": ("int32", (None,)),
            },
        ),
        "explain": (
            {"histories": (ids, (None, None)), "lengths": ("int32", (None,))},
            {
                "kept": ("float32", (None, None)),
                "kept_per_layer": ("float32", (None, 2, None)),
                "attention_per_layer": ("float32", (None, 2, None)),
                "known": ("bool", (None, None)),
            },
        ),
    }


def test_python_loads_it_too(exported: Exported) -> None:
    loaded = tf.saved_model.load(str(exported.path))
    histories = exported.histories()
    batch = tf.constant(padded(histories, exported.kind))
    got = {name: value.numpy() for name, value in loaded.recommend(batch).items()}
    count = len(histories)
    assert_recommended(got, exported.model, exported.kind, histories, [10] * count, [True] * count)
    signature = loaded.signatures["explain"]
    explained = signature(histories=batch, lengths=tf.constant([-1]))
    assert_explained({k: v.numpy() for k, v in explained.items()}, exported, histories)


@needs_c_library
@pytest.mark.parametrize(
    "options",
    only(
        lambda options: "gamma" in options,
        [
            {"gates": None},
            {"norm": "post", "gamma": 0.1},
            {"num_layers": 1, "num_heads": 1, "dropout": 0.0},
        ],
    ),
)
def test_every_form_of_the_backbone(options: dict[str, Any], tmp_path: Path) -> None:
    model = random_recommender(1, **options)
    path = export_saved_model(model, VOCABULARIES["int"], tmp_path)
    history = [VOCABULARIES["int"].tolist()[2:6]]
    with c_loader.load(path) as served:
        got = served.run("serving_default", requests(padded(history, "int"), k=[4]))
        inputs = {"histories": padded(history, "int")}
        layers = only_histories(served).run("explain", inputs)
    assert_recommended(got, model, "int", history, [4], [True])
    assert layers["kept_per_layer"].shape[1] == options.get("blocks", 2)


@needs_c_library
def test_a_model_of_mixed_precision(tmp_path: Path) -> None:
    keras.mixed_precision.set_global_policy("mixed_float16")
    try:
        model = random_recommender(2)
    finally:
        keras.mixed_precision.set_global_policy("float32")
    path = export_saved_model(model, VOCABULARIES["int"], tmp_path)
    history = VOCABULARIES["int"].tolist()[:4]
    with c_loader.load(path) as served:
        inputs = requests(padded([history], "int"), k=[ITEM_COUNT], seen_out=[False])
        got = served.run("serving_default", inputs)
    ids, scores = recommend(model, VOCABULARIES["int"], history, ITEM_COUNT, False)
    found = dict(zip(got["item_ids"][0].tolist(), got["scores"][0].tolist(), strict=True))
    np.testing.assert_allclose([found[i] for i in ids], scores, rtol=2e-2, atol=2e-2)


# --- The directory ----------------------------------------------------------------------------


def export(folder: Path, version: int | None = None, **options: Any) -> Path:
    return export_saved_model(
        random_recommender(num_layers=1), VOCABULARIES["str"], folder, version, **options
    )


def listed(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir() if path.name != ".lock")


def test_versions_are_counted(tmp_path: Path) -> None:
    folder = tmp_path / "deep" / "model"
    assert export(folder) == folder / "1"
    (folder / "007").mkdir()
    (folder / "notes.txt").write_text("not a version")
    assert export(folder) == folder / "8"
    assert export(folder, version=3) == folder / "3"
    assert export(folder) == folder / "9"
    assert listed(folder) == ["007", "1", "3", "8", "9", *SERVER_FILES, "notes.txt"]


@pytest.mark.parametrize("taken", ["4", "004"])
def test_a_version_is_never_overwritten(taken: str, tmp_path: Path) -> None:
    (tmp_path / taken).mkdir()
    with pytest.raises(
        FileExistsError, match=r"must be free in .* next one, 5. Received: version=4"
    ):
        export(tmp_path, version=4)
    assert listed(tmp_path) == [taken]


def test_other_users_may_read_a_version(exported: Exported) -> None:
    """A server is seldom run by the user who trained the model."""
    path = exported.path
    umask = os.umask(0)
    os.umask(umask)
    for entry in [path, *path.rglob("*")]:
        wanted = (0o755 if entry.is_dir() else 0o644) & ~umask
        assert entry.stat().st_mode & wanted == wanted, entry


@pytest.mark.parametrize("step", ["save", "warm-up", "rename"])
def test_a_failure_leaves_nothing_that_looks_like_a_version(
    step: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    seen: list[str] = []

    def fail(*arguments: Any, **_: Any) -> None:
        if step == "save":  # midway: something is written already
            (Path(arguments[1]) / "variables").mkdir(parents=True)
        seen.extend(listed(tmp_path))
        raise OSError("no space left on device")

    target = {
        "save": "tensorflow.saved_model.save",
        "warm-up": "tf_recdenoiser.retrieval.export.write_warmup_requests",
        "rename": "os.replace",
    }[step]
    with monkeypatch.context() as patch:
        patch.setattr(target, fail)
        with pytest.raises(OSError, match="no space left"):
            export(tmp_path)
    assert len(seen) == 1  # while it was written, too:
    assert seen[0].startswith(".")  # a name that never parses as a number
    assert listed(tmp_path) == []


def test_what_a_killed_export_left_is_deleted_by_the_next(tmp_path: Path) -> None:
    (tmp_path / ".1.0123abcd.unfinished" / "variables").mkdir(parents=True)
    (tmp_path / ".models.config.0123abcd.unfinished").write_text("half")
    (tmp_path / ".mine").mkdir()
    assert export(tmp_path) == tmp_path / "1"
    assert listed(tmp_path) == [".mine", "1", *SERVER_FILES]


def test_of_two_exports_into_one_folder_one_wins(tmp_path: Path) -> None:
    with locked(tmp_path), pytest.raises(FolderError, match=f"by another.*process {os.getpid()} "):
        export(tmp_path)
    assert listed(tmp_path) == []
    assert export(tmp_path).name == "1"


def test_what_a_version_holds(exported: Exported) -> None:
    path = exported.path
    assert sorted(p.relative_to(path).as_posix() for p in path.rglob("*") if p.is_file()) == [
        "assets.extra/tf_serving_warmup_requests",
        "fingerprint.pb",
        "saved_model.pb",
        "variables/variables.data-00000-of-00001",
        "variables/variables.index",
    ]


# --- Warm-up ----------------------------------------------------------------------------------


def test_warm_up_requests_can_be_played(exported: Exported, served: LoadedModel) -> None:
    file = exported.path / "assets.extra" / "tf_serving_warmup_requests"
    played = []
    for record in tf.data.TFRecordDataset(str(file)).as_numpy_iterator():
        log = prediction_log_pb2.PredictionLog.FromString(record)
        request = log.predict_log.request
        assert request.model_spec.name == "small"
        inputs = {name: tf.make_ndarray(value) for name, value in request.inputs.items()}
        outputs = served.run(request.model_spec.signature_name, inputs)
        rows = len(inputs["histories"])
        assert {len(value) for value in outputs.values()} == {rows}
        assert set(inputs["histories"].ravel()) <= {*as_served(exported.ids.tolist())}
        played.append((request.model_spec.signature_name, rows))
    assert sorted(played) == [
        ("explain", 1),
        ("explain", 32),
        ("serving_default", 1),
        ("serving_default", 32),
    ]


# --- What cannot be exported ------------------------------------------------------------------


@pytest.mark.parametrize(
    ("ids", "error", "message"),
    [
        (np.arange(3), ValueError, r"each of the model's 12 items. Received: shape \(3,\)"),
        (np.zeros([12, 1], int), ValueError, r"Received: shape \(12, 1\)"),
        (np.arange(12) // 2, ValueError, "differ from one another. Received: 6 repeated"),
        (np.arange(12, dtype=np.uint64) + 2**63, ValueError, "at most .* Received: 922.*819$"),
        (np.arange(12.0), TypeError, "integers or strings. Received: float64"),
        (np.array([*"abcdefghijk", ""]), ValueError, "that are not empty.* Received: ''"),
        (np.array([*"abcdefghijk", 5], object), ValueError, "must be strings.* Received: 5"),
    ],
)
def test_a_wrong_vocabulary_is_refused(
    ids: Array, error: type[Exception], message: str, tmp_path: Path
) -> None:
    with pytest.raises(error, match=message):
        export_saved_model(random_recommender(), ids, tmp_path / "model")
    assert listed(tmp_path) == []


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"version": 0}, "`version` must be None or at least 1. Received: version=0"),
        ({"max_k": 0}, "`max_k` must be at least 1. Received: max_k=0"),
    ],
)
def test_a_wrong_number_is_refused(options: dict[str, int], message: str, tmp_path: Path) -> None:
    with pytest.raises(ValueError, match=message):
        export(tmp_path, **options)
    assert listed(tmp_path) == []


def test_users_are_named_for_a_backbone_that_reads_them_and_for_no_other(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    model = random_recommender()
    with pytest.raises(ValueError, match=r"`user_ids` must be .*Received: 3 for SASRec"):
        export_saved_model(model, VOCABULARIES["int"], tmp_path, user_ids=np.arange(3))
    monkeypatch.setattr(type(model.backbone), "extra_inputs", ("user_ids",))
    with pytest.raises(ValueError, match=r"`user_ids` must be .*Received: none for SASRec"):
        export_saved_model(model, VOCABULARIES["int"], tmp_path)


def test_the_usual_k_is_no_more_than_the_largest() -> None:
    module = ServingModule(random_recommender(), VOCABULARIES["int"], max_k=3)
    assert module.recommend(tf.constant([[7, 40]], tf.int64))["item_ids"].shape == (1, 3)


@pytest.mark.graph
def test_what_stands_for_no_item_is_no_item_of_the_log() -> None:
    ids = VOCABULARIES["int"].copy()
    ids[:2] = [-1, -70]
    module = ServingModule(random_recommender(), ids, max_k=len(ids))
    assert module.no_id == -71
    every = tf.constant([len(ids)])
    answer = module.recommend(tf.constant([[-1, -70, -71, -71]], tf.int64), k=every)
    same = module.recommend(tf.constant([[-1, -70]], tf.int64), k=every)
    np.testing.assert_array_equal(answer["item_ids"], same["item_ids"])
    # Two have been seen, so two columns hold none.
    assert answer["item_ids"].numpy()[0, -2:].tolist() == [-71, -71]
    other = module.recommend(tf.constant([[-70, -1]], tf.int64), k=every)
    assert (other["scores"].numpy()[0, 0] != same["scores"].numpy()[0, 0]).all()
