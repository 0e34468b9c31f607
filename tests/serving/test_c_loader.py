"""The C++ loader gives what NumPy gives, for every dtype, shape and string that is served."""

from __future__ import annotations

import os
import re
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import tensorflow as tf
from hypothesis import given, settings
from hypothesis import strategies as st
from tensorflow.core.framework import types_pb2
from tensorflow.core.protobuf import meta_graph_pb2

from tests.serving import c_loader
from tests.serving.c_loader import LoadedModel, Signature, TensorFlowError, TensorInfo

pytestmark = pytest.mark.skipif(
    not c_loader.SUPPORTED, reason="TensorFlow's C library is found on Linux only"
)

WEIGHTS = np.array([0.5, -2.0, 3.25], np.float32)
KEYS = ["plain", "", "smörgåsbord 🍣", "x" * 22, "y" * 23, "z" * 1000]
NAMES = {7: "seven", 2**40: "ünïcode " * 10, -1: ""}


def scorer() -> Any:
    """A module with two variables, two look-up tables, and a signature with every dtype."""
    module = tf.Module()
    # Not the values they end with: a loader that restored nothing would show these.
    module.weights = tf.Variable(tf.zeros(3))
    module.offset = tf.Variable(tf.constant(0, tf.int64))
    module.index_of = tf.lookup.StaticHashTable(
        tf.lookup.KeyValueTensorInitializer(tf.constant(KEYS), tf.range(len(KEYS), dtype=tf.int64)),
        default_value=-100,
    )
    module.name_of = tf.lookup.StaticHashTable(
        tf.lookup.KeyValueTensorInitializer(
            tf.constant(list(NAMES), tf.int64), tf.constant(list(NAMES.values()))
        ),
        default_value="unknown",
    )

    def score(features: Any, keys: Any, ids: Any, keep: Any, times: Any) -> dict[str, Any]:
        return {
            "scores": tf.where(keep, tf.linalg.matvec(features, module.weights), 0.0),
            "indices": module.index_of.lookup(keys) + module.offset,
            "names": module.name_of.lookup(ids),
            "dropped": tf.logical_not(keep),
            "squared": times * times,
            "echo": keys,
        }

    module.score = tf.function(
        score,
        input_signature=[
            tf.TensorSpec([None, 3], tf.float32, "features"),
            tf.TensorSpec([None], tf.string, "keys"),
            tf.TensorSpec([None], tf.int64, "ids"),
            tf.TensorSpec([None], tf.bool, "keep"),
            tf.TensorSpec([], tf.int32, "times"),
        ],
    )
    return module


def lengths(words: Any) -> dict[str, Any]:
    return {"bytes": tf.strings.length(words), "reversed": words[:, ::-1]}


def half(x: Any) -> dict[str, Any]:
    return {"y": tf.cast(x, tf.float16)}


def positive(x: Any) -> dict[str, Any]:
    with tf.control_dependencies([tf.debugging.assert_positive(x, "x is not positive")]):
        return {"y": tf.identity(x)}


def signature(function: Callable[..., Any], spec: Any) -> Any:
    return tf.function(function, input_signature=[spec])


@pytest.fixture(scope="module")
def exported(tmp_path_factory: pytest.TempPathFactory) -> Path:
    module = scorer()
    module.weights.assign(WEIGHTS)
    module.offset.assign(1000)
    folder = tmp_path_factory.mktemp("scorer") / "1"
    signatures = {
        "serving_default": module.score,
        "lengths": signature(lengths, tf.TensorSpec([None, None], tf.string, "words")),
        "half": signature(half, tf.TensorSpec(None, tf.float32, "x")),
        "positive": signature(positive, tf.TensorSpec([None], tf.int32, "x")),
    }
    tf.saved_model.save(module, str(folder), signatures=signatures)
    return folder


@pytest.fixture(scope="module")
def model(exported: Path) -> Iterator[LoadedModel]:
    """The model in this process, for tests that need no process of their own."""
    with c_loader.load(exported) as loaded:
        yield loaded


def expected_scores(inputs: dict[str, Any]) -> dict[str, np.ndarray[Any, Any]]:
    """The signature ``serving_default``, in NumPy and dictionaries."""
    index_of = {key: 1000 + index for index, key in enumerate(KEYS)}
    return {
        "scores": np.where(inputs["keep"], inputs["features"] @ WEIGHTS, np.float32(0)),
        "indices": np.array([index_of.get(k, 900) for k in inputs["keys"]], np.int64),
        "names": as_bytes([NAMES.get(int(i), "unknown") for i in inputs["ids"]]),
        "dropped": ~inputs["keep"],
        "squared": np.array(inputs["times"] ** 2),
        "echo": as_bytes(inputs["keys"]),
    }


def as_bytes(texts: list[str]) -> np.ndarray[Any, Any]:
    result = np.empty(len(texts), object)
    result[:] = [text.encode() for text in texts]
    return result


def assert_same_arrays(got: dict[str, Any], expected: dict[str, Any]) -> None:
    assert got.keys() == expected.keys()
    for name, value in expected.items():
        assert got[name].dtype == value.dtype, name
        np.testing.assert_array_equal(got[name], value, err_msg=name, strict=True)


def batch(size: int) -> dict[str, Any]:
    """Inputs with every key, an unknown key and an unknown id; features exact in float32."""
    keys = [*KEYS, "not a key"]
    ids = [*NAMES, 123]
    return {
        "features": np.arange(size * 3, dtype=np.float32).reshape(size, 3) / 4 - 5,
        "keys": [keys[i % len(keys)] for i in range(size)],
        "ids": np.array([ids[i % len(ids)] for i in range(size)], np.int64),
        "keep": np.arange(size) % 3 != 0,
        "times": np.int32(12),
    }


def in_arrays(inputs: dict[str, Any]) -> dict[str, Any]:
    return inputs | {"keys": np.array(inputs["keys"], dtype=np.str_)}


# --- In a process of its own ------------------------------------------------------------------


@pytest.mark.parametrize("size", [0, 17])
def test_a_process_without_tensorflow_gives_what_numpy_gives(exported: Path, size: int) -> None:
    """An empty batch too, though NumPy then has no string to take a width from."""
    inputs = batch(size)
    got = c_loader.run_in_process(exported, "serving_default", in_arrays(inputs))
    assert_same_arrays(got, expected_scores(inputs))


def test_a_process_prints_the_signatures(exported: Path) -> None:
    signatures = c_loader.signatures_in_process(exported)
    assert signatures.keys() == {"serving_default", "lengths", "half", "positive"}
    inputs = signatures["serving_default"].inputs
    assert {name: (info.dtype, info.shape) for name, info in inputs.items()} == {
        "features": ("float32", (None, 3)),
        "keys": ("object", (None,)),
        "ids": ("int64", (None,)),
        "keep": ("bool", (None,)),
        "times": ("int32", ()),
    }
    assert signatures["half"].inputs["x"].shape is None
    assert signatures["half"].outputs["y"].dtype == "TF_DataType 19"


def test_a_process_that_fails_raises_its_standard_error(exported: Path) -> None:
    missing = exported.parent / "2"
    with pytest.raises(RuntimeError, match=f"Could not find SavedModel.*{re.escape(str(missing))}"):
        c_loader.run_in_process(missing, "serving_default", {})


def test_main_refuses_a_process_with_python_tensorflow(
    exported: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("sys.argv", ["c_loader.py", os.fspath(exported)])
    with pytest.raises(RuntimeError, match=r"Received: \[.*'tensorflow'.*\] imported"):
        c_loader.main()


def test_main_takes_all_of_a_call_or_nothing(
    exported: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr("sys.argv", ["c_loader.py", os.fspath(exported), "serving_default"])
    with pytest.raises(SystemExit):
        c_loader.main()
    assert "go together" in capsys.readouterr().err


# --- In this process --------------------------------------------------------------------------


@given(
    words=st.lists(st.lists(st.binary(max_size=60), min_size=3, max_size=3), max_size=4),
    kind=st.sampled_from(["object", "S"]),
)
@settings(max_examples=50, deadline=None)
def test_strings_of_any_length_and_content(
    model: LoadedModel, words: list[list[bytes]], kind: str
) -> None:
    if kind == "S":  # which cannot hold a NUL at the end
        words = [[word.rstrip(b"\0") for word in row] for row in words]
    array = np.array(words, dtype=kind).reshape(-1, 3)
    got = model.run("lengths", {"words": array})
    assert got["bytes"].tolist() == [[len(word) for word in row] for row in words]
    assert got["reversed"].tolist() == [row[::-1] for row in words]
    assert got["bytes"].shape == got["reversed"].shape == (len(words), 3)


def test_an_array_that_is_not_contiguous(model: LoadedModel) -> None:
    inputs = batch(5)
    inputs["features"] = np.asfortranarray(inputs["features"])[::-1]
    got = model.run("serving_default", in_arrays(inputs))
    assert_same_arrays(got, expected_scores(inputs))


def test_a_model_that_fails_raises_its_message(model: LoadedModel) -> None:
    with pytest.raises(TensorFlowError, match="x is not positive") as caught:
        model.run("positive", {"x": np.array([1, 0], np.int32)})
    assert caught.value.code == 3  # TF_INVALID_ARGUMENT
    assert model.run("positive", {"x": np.array([1], np.int32)})["y"].tolist() == [1]


@pytest.mark.parametrize(
    ("signature", "inputs", "error", "message"),
    [
        ("serve", {}, ValueError, r"signature must be one of \[.*'lengths'.*Received: 'serve'"),
        ("lengths", {"word": [["a"]]}, ValueError, r"must be \['words'\]. Received: \['word'\]"),
        ("lengths", {}, ValueError, r"inputs must be \['words'\]. Received: \[\]"),
        (
            "positive",
            {"x": np.array([1], np.int64)},
            TypeError,
            r"inputs\['x'\] must be int32. Received: int64",
        ),
        ("lengths", {"words": [[1]]}, TypeError, r"inputs\['words'\] must be object"),
        ("lengths", {"words": np.array([[None]])}, TypeError, "must be str or bytes. .* None"),
        ("half", {"x": np.float32(1)}, TypeError, "dtype of .* Received: TF_DataType 19"),
    ],
)
def test_a_wrong_call_says_what_is_wrong(
    model: LoadedModel,
    signature: str,
    inputs: dict[str, Any],
    error: type[Exception],
    message: str,
) -> None:
    with pytest.raises(error, match=message):
        model.run(signature, inputs)


def test_a_missing_tag_is_an_error(exported: Path) -> None:
    with (
        pytest.raises(TensorFlowError, match="no such tag"),
        c_loader.load(exported, "no such tag"),
    ):
        pass


def test_strings_that_a_file_would_change_are_refused() -> None:
    with pytest.raises(ValueError, match=r"must not end in a NUL byte. Received: b'a\\x00'"):
        c_loader.to_fixed_width(np.array([b"a\0"], object))


def test_runs_free_their_memory(model: LoadedModel) -> None:
    words = np.array([[b"w" * 2**20] * 8], object)
    small = batch(1)
    large = in_arrays(small) | {"features": np.ones((2**20, 3), np.float32)}
    large |= {"keep": np.ones(2**20, np.bool_)}

    def resident_mib() -> float:
        pages = int(Path("/proc/self/statm").read_text().split()[1])
        return pages * os.sysconf("SC_PAGE_SIZE") / 2**20

    def run_all() -> None:
        model.run("lengths", {"words": words})  # 8 MiB of strings in, 8 out
        model.run("serving_default", large)  # 13 MiB of numbers in, 5 out

    for _ in range(3):
        run_all()
    before = resident_mib()
    for _ in range(30):
        run_all()
    assert resident_mib() - before < 60  # the least of the four would be 150


# --- Signatures against TensorFlow's own protocol buffers -------------------------------------

DATATYPES = {"float32": types_pb2.DT_FLOAT, "object": types_pb2.DT_STRING}
TEXTS = st.text(max_size=12)
SHAPES = st.none() | st.lists(st.none() | st.integers(0, 2**62), max_size=4).map(tuple)
TENSORS = st.builds(TensorInfo, TEXTS, st.sampled_from(sorted(DATATYPES)), SHAPES)
SIGNATURES = st.builds(
    Signature,
    st.dictionaries(TEXTS, TENSORS, max_size=3),
    st.dictionaries(TEXTS, TENSORS, max_size=3),
)


def serialize(signatures: dict[str, Signature]) -> bytes:
    """The same signatures as a ``MetaGraphDef``, with other fields around them."""
    message = meta_graph_pb2.MetaGraphDef()
    message.meta_info_def.tags.append("serve")
    message.graph_def.versions.producer = 1234
    message.saver_def.keep_checkpoint_every_n_hours = 1.5  # a fixed-width field
    message.signature_def["__saved_model_init_op"].outputs["init"].name = "NoOp"
    for name, signature in signatures.items():
        definition = message.signature_def[name]
        definition.method_name = "tensorflow/serving/predict"
        for side, tensors in [
            (definition.inputs, signature.inputs),
            (definition.outputs, signature.outputs),
        ]:
            for key, info in tensors.items():
                side[key].name = info.tensor
                side[key].dtype = DATATYPES[info.dtype]
                shape = tf.TensorShape(info.shape).as_proto()
                side[key].tensor_shape.CopyFrom(shape)
    return bytes(message.SerializeToString())


@given(st.dictionaries(TEXTS, SIGNATURES, max_size=3))
@settings(max_examples=100, deadline=None)
def test_signatures_are_read_as_protocol_buffers_wrote_them(
    signatures: dict[str, Signature],
) -> None:
    assert c_loader.parse_signatures(serialize(signatures)) == signatures


def test_fields_are_read_over_every_wire_type() -> None:
    message = meta_graph_pb2.MetaGraphDef()
    message.saver_def.keep_checkpoint_every_n_hours = 1.5
    message.saver_def.max_to_keep = 300
    message.saver_def.save_tensor_name = "save"
    assert list(c_loader.read_fields(message.saver_def.SerializeToString())) == [
        (2, b"save"),
        (4, 300),
        (6, np.float32(1.5).tobytes()),
    ]
    assert list(c_loader.read_fields(b"\x09" + np.float64(2.5).tobytes())) == [
        (1, np.float64(2.5).tobytes())
    ]


@pytest.mark.parametrize(
    ("message", "error", "text"),
    [
        (b"\x0b", ValueError, "wire types 0, 1, 2 and 5. Received: 3"),
        (b"\x0a\x05abc", ValueError, "7 bytes. Received: 5 bytes"),
        (b"\x08\x80", IndexError, "out of range"),
    ],
)
def test_a_damaged_message_is_an_error(message: bytes, error: type[Exception], text: str) -> None:
    with pytest.raises(error, match=text):
        list(c_loader.read_fields(message))
