"""A run directory says what a run was, and says so when it cannot."""

from __future__ import annotations

import dataclasses
import json
import platform
from collections.abc import Callable
from importlib.metadata import version
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st

from tests.runs.small import DATASET, small
from tf_recdenoiser._keras import IS_KERAS_3
from tf_recdenoiser.data import Dataset
from tf_recdenoiser.runs import RunDirectory, RunError, load_run, manifest, train

Copy = Callable[[RunDirectory], RunDirectory]


def with_items(item_ids: np.ndarray) -> Dataset:
    return dataclasses.replace(DATASET, item_ids=item_ids)


# --- What is in it ----------------------------------------------------------------------------


def test_settings_fingerprint_and_vocabulary_are_read_as_written(tmp_path: Path) -> None:
    directory = RunDirectory(tmp_path / "a" / "run")
    assert not directory.exists()
    directory.create(small({"gates.credit": False, "model.hidden_dim": 16}), DATASET)
    assert directory.exists()
    assert directory.settings() == small({"gates.credit": False, "model.hidden_dim": 16})
    assert directory.fingerprint() == DATASET.fingerprint()
    assert directory.item_ids().tolist() == DATASET.item_ids.tolist()
    assert directory.history() == []


def test_versions_are_recorded(unbroken: RunDirectory) -> None:
    recorded = json.loads((unbroken.path / "environment.json").read_text())
    assert recorded["python"] == platform.python_version()
    assert recorded["tensorflow"] == version("tensorflow")
    assert recorded["tf_recdenoiser"] == version("tf_recdenoiser")
    assert recorded["keras_in_use"] == ("keras" if IS_KERAS_3 else "tf_keras")


@pytest.mark.parametrize(
    "ids",
    [
        np.array([0, -3, 7, 2**62]),
        np.array(["tea", "Ünïcode 🍣", "a\nb", '"', "007", "[/b]", " "]),
    ],
    ids=["integers", "strings"],
)
def test_item_ids_keep_their_kind(tmp_path: Path, ids: np.ndarray) -> None:
    directory = RunDirectory(tmp_path)
    directory.create(small(), with_items(ids))
    found = directory.item_ids()
    assert found.dtype == (object if ids.dtype.kind == "U" else ids.dtype)
    assert found.tolist() == ids.tolist()


def test_a_long_id_costs_its_own_length(tmp_path: Path) -> None:
    ids = ["x" * 5000, *(str(number) for number in range(10_000))]
    directory = RunDirectory(tmp_path)
    directory.create(small(), with_items(np.array(ids, object)))
    assert directory.item_ids().tolist() == ids
    assert directory.item_ids().nbytes < 100_000


# Those of validation, by their names, are from 0 to 1.
names = st.text(max_size=5).filter(lambda name: not name.startswith("val_"))
rows = st.dictionaries(names, st.floats(allow_nan=False) | st.integers())


@hypothesis_settings(max_examples=25, deadline=None)
@given(history=st.lists(rows, max_size=4))
def test_the_training_log_is_read_as_written(
    tmp_path_factory: pytest.TempPathFactory, history: list[dict[str, float]]
) -> None:
    directory = RunDirectory(tmp_path_factory.mktemp("run"))
    directory.write_history(history)
    assert directory.history() == history
    assert [path.name for path in directory.path.iterdir()] == ["history.jsonl"]


def test_a_path_may_be_text() -> None:
    assert RunDirectory("runs/first").path == Path("runs/first")  # type: ignore[arg-type]


# --- What is wrong with it --------------------------------------------------------------------


@pytest.mark.parametrize("name", ["settings.toml", "environment.json", "vocabulary.json"])
def test_a_missing_file_is_named(halfway: RunDirectory, copy: Copy, name: str) -> None:
    run = copy(halfway)
    (run.path / name).unlink()
    with pytest.raises(RunError) as error:
        load_run(run.path)
    assert str(run.path) in str(error.value)
    assert f"has no {name}" in str(error.value)
    assert f"tf-recdenoiser train DATA --out {run.path}" in str(error.value)


@pytest.mark.parametrize("content", ["{", "[]", "3", "width = 8", "log = 3", "[log]\nno = 1"])
def test_damaged_settings_are_named(halfway: RunDirectory, copy: Copy, content: str) -> None:
    run = copy(halfway)
    (run.path / "settings.toml").write_text(content)
    for use in (lambda: load_run(run.path), lambda: train(small(), DATASET, run, resume=True)):
        with pytest.raises(RunError, match=r"settings\.toml is damaged.*Received: "):
            use()


def test_a_setting_out_of_range_is_named_with_its_file(halfway: RunDirectory, copy: Copy) -> None:
    run = copy(halfway)
    path = run.path / "settings.toml"
    path.write_text(path.read_text().replace("epochs = 2", "epochs = 0"))
    with pytest.raises(RunError, match=r"settings\.toml is damaged.*`epochs` must be at least 1"):
        load_run(run.path)


@pytest.mark.parametrize("name", ["data.json", "environment.json", "metrics.json"])
@pytest.mark.parametrize("content", ["", "3", "[1]", b"\xff"])
def test_other_damaged_files_are_named(
    halfway: RunDirectory, copy: Copy, name: str, content: str | bytes
) -> None:
    run = copy(halfway)
    (run.path / name).write_bytes(content.encode() if isinstance(content, str) else content)
    read = {
        "data.json": run.fingerprint,
        "environment.json": run.check_keras,
        "metrics.json": run.metrics,
    }[name]
    with pytest.raises(RunError, match=rf"{name} is damaged.*Received: "):
        read()


@pytest.mark.parametrize("content", ["[]", '["c00-i000"]'])
def test_a_vocabulary_of_another_size_is_refused(
    halfway: RunDirectory, copy: Copy, content: str
) -> None:
    run = copy(halfway)
    (run.path / "vocabulary.json").write_text(content)
    with pytest.raises(RunError, match=r"vocabulary\.json must have an id for each.* 40 items"):
        load_run(run.path)


@pytest.mark.parametrize("lines", [[], [0], [0, 0], [1, 0]])
def test_a_training_log_that_lacks_epochs_is_refused(
    halfway: RunDirectory, copy: Copy, lines: list[int]
) -> None:
    run = copy(halfway)
    rows = halfway.history()
    run.write_history([rows[line] for line in lines])
    manifest.seal(run.path)
    with pytest.raises(RunError, match="a line for each of the 2 epochs"):
        train(small(), DATASET, run, resume=True)


@pytest.mark.parametrize("content", ["{", "3\n4\n"])
def test_a_damaged_training_log_is_named(halfway: RunDirectory, copy: Copy, content: str) -> None:
    run = copy(halfway)
    run.history_file.write_text(content)
    manifest.seal(run.path)
    with pytest.raises(RunError, match=r"history\.jsonl is damaged"):
        train(small(), DATASET, run, resume=True)


def test_a_damaged_checkpoint_is_named(halfway: RunDirectory, copy: Copy) -> None:
    run = copy(halfway)
    run.best.write_bytes(run.best.read_bytes()[:1000])
    run.last.write_text("no model")
    manifest.seal(run.path)
    with pytest.raises(RunError, match=r"best\.h5 is damaged.*Received: "):
        load_run(run.path)
    with pytest.raises(RunError, match=r"last\.h5 is damaged.*Received: "):
        train(small(), DATASET, run, resume=True)


def test_a_finished_run_without_its_best_model_says_so(halfway: RunDirectory, copy: Copy) -> None:
    run = copy(halfway)
    run.best.unlink()
    with pytest.raises(RunError, match=r"best\.h5 must be there.*no such file"):
        train(small(), DATASET, run, resume=True)


def test_a_run_without_a_validated_epoch_says_how_to_go_on(tmp_path: Path) -> None:
    directory = RunDirectory(tmp_path / "run")
    directory.create(small(), DATASET)
    with pytest.raises(RunError, match="no validated epoch") as error:
        load_run(directory.path)
    assert f"train {small().source} --out {directory.path} --resume" in str(error.value)


def test_a_run_of_the_other_keras_says_how_to_use_it(halfway: RunDirectory, copy: Copy) -> None:
    run = copy(halfway)
    path = run.path / "environment.json"
    other, value = ("tf_keras", "1") if IS_KERAS_3 else ("keras", "0")
    path.write_text(json.dumps({**json.loads(path.read_text()), "keras_in_use": other}))
    for use in (lambda: load_run(run.path), lambda: train(small(), DATASET, run, resume=True)):
        with pytest.raises(RunError, match=f"trained with {other}") as error:
            use()
        assert f"set TF_USE_LEGACY_KERAS={value}" in str(error.value)
