"""A trained run, loaded to be used."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable

import h5py
import numpy as np
import pytest

from tests.runs.small import DATASET
from tf_recdenoiser._keras import raw_variable
from tf_recdenoiser.data import leave_one_out
from tf_recdenoiser.runs import Run, RunDirectory, RunError, load_run, manifest
from tf_recdenoiser.runs.checkpoints import model_variables
from tf_recdenoiser.runs.scoring import Scorer

Copy = Callable[[RunDirectory], RunDirectory]


@pytest.fixture(scope="module")
def run(unbroken: RunDirectory) -> Run:
    return load_run(unbroken.path)


def test_the_model_is_that_of_the_best_epoch(run: Run, unbroken: RunDirectory) -> None:
    best = unbroken.history()[unbroken.metrics()["best_epoch"] - 1]
    found = run.scorer("valid").result(run.recommender, "full").summary(ks=(10,))
    assert {f"val_{name}": value for name, value in found.items()}.items() <= best.items()
    values = [variable.numpy() for variable in map(raw_variable, model_variables(run.recommender))]
    with h5py.File(unbroken.best) as file:
        for name, value in zip(sorted(file), values, strict=True):
            np.testing.assert_array_equal(file[name], value)


def test_codes_are_places_in_the_vocabulary(run: Run) -> None:
    ids = DATASET.item_ids.tolist()
    assert run.codes([ids[4], "unknown", ids[0], "", ids[39]]).tolist() == [5, 0, 1, 0, 40]
    assert run.codes([]).tolist() == []


@pytest.mark.parametrize("numbers", [True, False])
def test_ids_are_known_by_what_they_say_and_not_by_their_type(run: Run, numbers: bool) -> None:
    ids = np.arange(100, 140) if numbers else np.arange(100, 140).astype(str).astype(object)
    other = dataclasses.replace(run, item_ids=ids)
    for given in ([101, 139], ["101", "139"], ids[[1, 39]], np.array([101, 139], np.int32)):
        assert other.codes(given).tolist() == [2, 40]


@pytest.mark.parametrize("wrong", [1.0, None, True, b"101"])
def test_what_is_no_id_is_refused(run: Run, wrong: object) -> None:
    with pytest.raises(TypeError, match="must be texts or whole numbers"):
        run.codes([wrong])


@pytest.mark.parametrize("count", [0, 1, 11, 12, 13, 30])
def test_a_history_is_its_newest_known_items(run: Run, count: int) -> None:
    codes = np.arange(1, count + 1)
    with_unknown = np.stack([np.zeros(count, int), codes], axis=1).reshape(-1)
    newest = codes.tolist()[-12:]
    expected = [[0] * (12 - len(newest)) + newest]
    for given in (codes, with_unknown):
        matrix = run.inputs(given)["item_ids"]
        assert matrix.dtype == np.int32
        assert matrix.tolist() == expected


def test_the_data_are_read_again_and_must_be_the_same(run: Run, copy: Copy) -> None:
    assert run.dataset().fingerprint() == DATASET.fingerprint()
    changed = copy(run.directory)
    data = changed.path / "data.json"
    data.write_text(data.read_text().replace(DATASET.fingerprint().sha256, "0" * 64))
    manifest.seal(changed.path)
    with pytest.raises(RunError, match="content has changed"):
        load_run(changed.path).scorer("test")


def test_a_scorer_ranks_one_part(run: Run) -> None:
    for part, held_out in (("valid", 2), ("test", 1)):
        scorer = run.scorer(part)
        expected = [DATASET.sequence(user)[-held_out] for user in range(60)]
        assert scorer.problem.targets.tolist() == expected
        histories = scorer.some_inputs(count=3)["item_ids"]
        for user in range(3):
            read = [0] * 12 + DATASET.sequence(user)[:-held_out].tolist()
            assert histories[user].tolist() == read[-12:]


def test_a_part_that_is_not_there_is_refused() -> None:
    with pytest.raises(ValueError, match=r"`split` must be one of valid, test.*'train'"):
        Scorer(DATASET, leave_one_out(DATASET), "train", 12)
