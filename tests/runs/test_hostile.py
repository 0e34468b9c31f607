"""A run directory from a stranger is data: nothing in it is run, and none takes much memory."""

from __future__ import annotations

import json
import os
import pickle
import resource
import shutil
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import pytest

from tests.runs.small import DATASET
from tests.runs.wholes import WHOLE, evaluated, whole_run
from tf_recdenoiser._keras import IS_KERAS_3, keras
from tf_recdenoiser.runs import RunDirectory, RunError, load_run, manifest, train
from tf_recdenoiser.runs.checkpoints import sign

pytestmark = pytest.mark.both_keras
MEGABYTES = 400


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> RunDirectory:
    return whole_run(tmp_path_factory.mktemp("hostile") / "run")


@pytest.fixture
def run(whole: RunDirectory, tmp_path: Path) -> RunDirectory:
    """A copy, which a stranger has changed."""
    return RunDirectory(shutil.copytree(whole.path, tmp_path / "run"))


def assert_refused(run: RunDirectory, message: str) -> None:
    """The run is refused though its manifest is right, by whatever reads it."""
    manifest.seal(run.path)
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    with pytest.raises(RunError, match=message):
        load_run(run.path)
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before < MEGABYTES * 1024


def keras_archive(path: Path, marker: Path) -> None:
    """A model whose Lambda layer has a shell make a file."""
    function = {
        "module": "subprocess",
        "class_name": "function",
        "config": "getoutput",
        "registered_name": "function",
    }
    layers = [
        {
            "module": "keras.layers",
            "class_name": "InputLayer",
            "config": {"batch_input_shape": [None, 1], "dtype": "float32", "name": "in"},
            "name": "in",
            "inbound_nodes": [],
        },
        {
            "module": "keras.layers",
            "class_name": "Lambda",
            "config": {
                "name": "l",
                "function": function,
                "function_type": "function",
                "output_shape": None,
                "output_shape_type": "raw",
                "arguments": {},
            },
            "name": "l",
            "inbound_nodes": [[["_CONSTANT_VALUE", -1, f"touch {marker}", {}]]],
        },
    ]
    config = {"name": "m", "layers": layers, "input_layers": [["in", 0, 0]]}
    model = {
        "module": "keras.src.engine.functional",
        "class_name": "Functional",
        "config": {**config, "output_layers": [["l", 0, 0]]},
        "registered_name": "Functional",
    }
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("config.json", json.dumps(model))
        archive.writestr("metadata.json", "{}")
        archive.writestr("model.weights.h5", "")


def test_a_keras_archive_is_not_loaded(
    run: RunDirectory, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def load_model(*_: Any, **__: Any) -> None:
        raise AssertionError("a model of a run is never Keras' to load")

    monkeypatch.setattr(keras.models, "load_model", load_model)
    marker = tmp_path / "marker"
    for name in ("best.h5", "last.h5", "detector_1.h5"):
        keras_archive(run.checkpoints / name, marker)
    keras_archive(run.checkpoints / "best.keras", marker)
    assert_refused(run, r"best\.h5 is damaged")
    with pytest.raises(RunError, match=r"detector_1\.h5 is damaged"):
        train(WHOLE, DATASET, run, resume=True)
    assert not marker.exists()


def test_an_archive_beside_the_checkpoints_is_nothing(
    whole: RunDirectory, run: RunDirectory, tmp_path: Path
) -> None:
    keras_archive(run.checkpoints / "best.keras", tmp_path / "marker")
    assert evaluated(run.path) == evaluated(whole.path)
    assert not (tmp_path / "marker").exists()


class Shell:
    """What makes a file when it is unpickled."""

    def __init__(self, marker: Path) -> None:
        self.marker = marker

    def __reduce__(self) -> tuple[Callable[..., Any], tuple[str]]:
        return os.system, (f"touch {self.marker}",)


@pytest.mark.parametrize("kind", ["pickle", "array"])
def test_nothing_is_unpickled(run: RunDirectory, tmp_path: Path, kind: str) -> None:
    marker = tmp_path / "marker"
    shell = Shell(marker)
    if kind == "pickle":
        run.noise_file.write_bytes(pickle.dumps(shell))
    else:
        np.save(run.noise_file, np.array([shell], object), allow_pickle=True)
    assert_refused(run, r"noise\.npy is damaged")
    assert not marker.exists()
    np.load(run.noise_file, allow_pickle=True)
    assert marker.exists()  # it would have been


def test_a_header_that_asks_for_much_is_refused(run: RunDirectory) -> None:
    with run.noise_file.open("wb") as file:
        header = {"descr": "<f4", "fortran_order": False, "shape": (10**12,)}
        np.lib.format.write_array_header_1_0(file, header)
    assert_refused(run, r"noise\.npy is damaged.*numbers of float32")


def elsewhere(path: Path, size: int = 12) -> Path:
    with h5py.File(path, "w") as file:
        file.create_dataset("x", data=np.zeros(size, np.float32))
    return path


def external_link(file: h5py.File, name: str, old: Any, folder: Path) -> None:
    file[name] = h5py.ExternalLink(elsewhere(folder / "other.h5"), "x")


def soft_link(file: h5py.File, name: str, old: Any, folder: Path) -> None:
    file[name] = h5py.SoftLink("/" + max(file))


def external_storage(file: h5py.File, name: str, old: Any, folder: Path) -> None:
    raw = folder / "raw"
    raw.write_bytes(old.tobytes())
    file.create_dataset(name, old.shape, old.dtype, external=[(str(raw), 0, old.nbytes)])


def virtual(file: h5py.File, name: str, old: Any, folder: Path) -> None:
    layout = h5py.VirtualLayout(old.shape, old.dtype)
    source = elsewhere(folder / "other.h5", old.size)
    layout[:] = h5py.VirtualSource(source, "x", (old.size,))[: old.shape[0]]
    file.create_virtual_dataset(name, layout)


def vast(file: h5py.File, name: str, old: Any, folder: Path) -> None:
    file.create_dataset(name, (10**12,), old.dtype)


def vast_chunks(file: h5py.File, name: str, old: Any, folder: Path) -> None:
    file.create_dataset(name, (2**29, 2), old.dtype, chunks=(2**28, 1), compression="gzip")


def compressed(file: h5py.File, name: str, old: Any, folder: Path) -> None:
    file.create_dataset(name, data=old, compression="gzip")


def group(file: h5py.File, name: str, old: Any, folder: Path) -> None:
    file.create_group(name)


def texts(file: h5py.File, name: str, old: Any, folder: Path) -> None:
    file.create_dataset(name, old.shape, h5py.string_dtype())


def doubles(file: h5py.File, name: str, old: Any, folder: Path) -> None:
    file.create_dataset(name, data=old.astype(np.float64))


def not_a_number(file: h5py.File, name: str, old: Any, folder: Path) -> None:
    file.create_dataset(name, data=np.full_like(old, np.nan))


def endless(file: h5py.File, name: str, old: Any, folder: Path) -> None:
    file.create_dataset(name, data=np.full_like(old, -np.inf))


def absent(file: h5py.File, name: str, old: Any, folder: Path) -> None:
    pass


def one_more(file: h5py.File, name: str, old: Any, folder: Path) -> None:
    file.create_dataset(name, data=old)
    file.create_dataset("9999.more", data=old)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (external_link, "must be in the file itself"),
        (soft_link, "must be in the file itself"),
        (external_storage, "in one piece, without filters"),
        (virtual, "in one piece, without filters"),
        (vast, r"not float32 \[1000000000000\]"),
        (vast_chunks, r"not float32 \[536870912, 2\]"),
        (compressed, "in one piece, without filters"),
        (group, "must be a dataset"),
        (texts, "not object"),
        (doubles, "not float64"),
        (not_a_number, "must hold finite numbers"),
        (endless, "must hold finite numbers"),
        (absent, "a dataset for each of"),
        (one_more, "a dataset for each of"),
    ],
)
def test_a_dataset_that_is_not_the_models_is_refused(
    run: RunDirectory, tmp_path: Path, change: Callable[..., None], message: str
) -> None:
    with h5py.File(run.best, "r+") as file:
        name = next(name for name in sorted(file) if file[name].ndim == 1)
        old = file[name][()]
        del file[name]
        change(file, name, old, tmp_path)
    sign(run.best, run.model_record().run)
    assert_refused(run, rf"best\.h5 is damaged: put back.*{message}")


@pytest.mark.parametrize(
    ("name", "what"), [("best.h5", r"(Scores|Vectors of \w+)"), ("detector_1.h5", r"P\(noise\)")]
)
def test_weights_too_large_to_compute_with_are_refused(
    run: RunDirectory, name: str, what: str
) -> None:
    path = run.checkpoints / name
    with h5py.File(path, "r+") as file:
        for dataset in file.values():
            if dataset.dtype == np.float32:
                dataset[...] = np.float32(3e38)
    sign(path, run.model_record().run)
    manifest.seal(run.path)
    loaded = load_run(run.path)
    history = loaded.item_ids[:3]
    for use in (lambda: evaluated(run.path), lambda: loaded.recommend(history)):
        with pytest.raises(RunError, match=rf"^{what} must be finite.*put back.*Received: "):
            use()


def test_settings_that_ask_for_more_than_the_checkpoint_holds_are_refused(
    run: RunDirectory,
) -> None:
    settings = run.path / "settings.toml"
    text = settings.read_text()
    for size, message in ((16000, "are too few for the model"), (10**9, "from 0 to 16384")):
        settings.write_text(text.replace("hidden_dim = 8", f"hidden_dim = {size}"))
        assert_refused(run, message)


@pytest.mark.skipif(IS_KERAS_3, reason="Keras 3 refuses such a model itself")
def test_the_archive_of_these_tests_would_be_run(tmp_path: Path) -> None:
    keras_archive(tmp_path / "model.keras", tmp_path / "marker")
    with pytest.raises(AttributeError):  # after the call
        keras.models.load_model(tmp_path / "model.keras")
    assert (tmp_path / "marker").exists()
