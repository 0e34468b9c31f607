"""A run may begin with what another has learned: known vectors stay, new ones start beside them."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from tests.runs.small import plain
from tf_recdenoiser._keras import raw_variable
from tf_recdenoiser.backbones import BACKBONES
from tf_recdenoiser.data import Dataset, Histories
from tf_recdenoiser.data.histories import offsets_of
from tf_recdenoiser.runs import (
    RunDirectory,
    RunError,
    Settings,
    build_recommender,
    load_dataset,
    load_run,
    train,
)
from tf_recdenoiser.runs.checkpoints import model_variables
from tf_recdenoiser.runs.warm_start import _neighbours, warm_start


def log(path: Path, days: int, users: int = 12) -> Path:
    """A CSV in which each day brings new items, and the last day a new user."""
    rows = [
        f"{user},{10 * day + (user * 7 + step * 3) % 10},{100 * day + step}"
        for day in range(days)
        for user in range(users + (day == 2))
        for step in range(4)
    ]
    rows = [
        f"{user},{10 * day + (user * 7 + step * 3) % 10},{100 * day + step}"
        for day in range(days)
        for user in range(users + (day == 2))
        for step in range(4)
    ]
    path.write_text("\n".join(["user,item,time", *rows]))
    return path


def settings_of(path: Path, **changes: Any) -> Settings:
    return plain({"fit.epochs": 1, **changes}, log=str(path))


@pytest.fixture(scope="module")
def first(tmp_path_factory: pytest.TempPathFactory) -> RunDirectory:
    folder = tmp_path_factory.mktemp("warm")
    settings = settings_of(log(folder / "two.csv", days=2))
    run = RunDirectory(folder / "first")
    train(settings, load_dataset(settings), run)
    return run


def second(first: RunDirectory, path: Path, out: Path, **changes: Any) -> RunDirectory:
    settings = settings_of(path, **{"fit.warm_start": str(first.path), **changes})
    train(settings, load_dataset(settings), out)
    return RunDirectory(out)


def test_the_vocabulary_grows_and_its_codes_stay(first: RunDirectory, tmp_path: Path) -> None:
    tomorrow = log(tmp_path / "three.csv", days=3)
    run = second(first, tomorrow, tmp_path / "second")
    assert run.item_ids().tolist() == [*range(20), *range(20, 30)]
    assert first.item_ids().tolist() == [*range(20)]
    loaded = load_run(run.path)
    assert loaded.settings.fit.warm_start == str(first.path)
    assert {one.item for one in loaded.recommend([3, 25], k=50)} == {*range(30)} - {3, 25}
    first.path.rename(tmp_path / "gone")
    try:
        assert loaded.scorer("test").result(loaded.recommender, "full").summary()
    finally:
        (tmp_path / "gone").rename(first.path)


def test_items_that_the_new_log_lacks_stay(first: RunDirectory, tmp_path: Path) -> None:
    path = tmp_path / "new.csv"
    rows = "".join(f"{user},{item},{item}\n" for user in "ab" for item in (5, 99, 7, 6))
    path.write_text(f"user,item,time\n{rows}")
    run = second(first, path, tmp_path / "second")
    assert run.item_ids().tolist() == [*range(20), 99]
    texts = tmp_path / "texts.csv"
    texts.write_text(path.read_text().replace(",99,", ",tea,"))
    as_texts = second(first, texts, tmp_path / "third")
    assert as_texts.item_ids().tolist() == [*map(str, range(20)), "tea"]


def test_training_begins_with_what_was_learned(first: RunDirectory, tmp_path: Path) -> None:
    """Without a step of any size the new run is the old one, where items are known."""
    run = second(
        first, log(tmp_path / "three.csv", days=3), tmp_path / "run", **{"fit.learning_rate": 1e-30}
    )
    ours, theirs = load_run(run.path).recommender, load_run(first.path).recommender
    ids = np.array([[0] * 8 + [3, 1, 2, 20]], np.int32)
    np.testing.assert_allclose(ours.score(ids)[:, :21], theirs.score(ids), atol=1e-6)


@pytest.mark.both_keras
@pytest.mark.parametrize("name", BACKBONES)
def test_weights_of_every_backbone_are_kept(name: str) -> None:
    settings = plain({"model": name, "model.max_length": 12})
    old = build_recommender(settings, 6, user_count=3)
    new = build_recommender(settings.replace({"seed": 1}), 8, user_count=4)
    # Item 7 stands beside 2, 3 and 3; item 8 beside nothing that is known.
    train = Histories(offsets_of([4, 2, 2]), np.array([3, 2, 7, 3, 1, 4, 8, 7], np.int32))
    drawn = [raw_variable(one).numpy() for one in model_variables(new)]
    users = np.array(["a", "new", "c", "b"], object), np.array(["a", "b", "c"], object)
    warm_start(new, old, users, train)
    pairs = zip(model_variables(old), model_variables(new), drawn, strict=True)
    seen = set()
    for before, after, at_first in pairs:
        learned, found = (raw_variable(one).numpy() for one in (before, after))
        if learned.shape == found.shape:
            np.testing.assert_array_equal(found, learned)
        elif len(found) == 9:
            seen.add("items")
            np.testing.assert_array_equal(found[:7], learned)
            beside = learned[[2, 3, 3]].mean(axis=0)
            np.testing.assert_allclose(found[7], beside, rtol=1e-6)
            np.testing.assert_array_equal(found[8], at_first[8])
        else:
            seen.add("users")
            mean = learned.mean(axis=0)
            expected = [learned[0], mean, learned[2], learned[1]]
            np.testing.assert_allclose(found, expected, rtol=1e-6)
    knows_users = "user_ids" in old.backbone.extra_inputs
    assert seen == {"items", *(["users"] if knows_users else [])}


def test_neighbours_stand_within_two_places() -> None:
    train = Histories(offsets_of([6, 1, 2]), np.array([1, 2, 9, 3, 4, 1, 9, 10, 2], np.int32))
    found = _neighbours(train, known=8, item_count=11)
    assert {item: sorted(near.tolist()) for item, near in found.items()} == {
        9: [1, 2, 3, 4],
        10: [2],
    }


def test_another_model_is_refused(first: RunDirectory, tmp_path: Path) -> None:
    path = log(tmp_path / "three.csv", days=3)
    with pytest.raises(RunError, match="must have the model of the run that it begins with"):
        second(first, path, tmp_path / "run", **{"model.hidden_dim": 16})
    assert not (tmp_path / "run").exists()


def test_data_with_other_codes_are_refused(first: RunDirectory, tmp_path: Path) -> None:
    settings = settings_of(log(tmp_path / "three.csv", days=3))
    data: Dataset = load_dataset(settings)
    other = data.with_items(data.item_ids[::-1])
    with pytest.raises(RunError, match=r"must be those of `load_dataset\(settings\)`"):
        train(settings.replace({"fit.warm_start": str(first.path)}), other, tmp_path / "run")


def test_every_item_needs_an_id(first: RunDirectory) -> None:
    data = load_dataset(first.settings())
    with pytest.raises(ValueError, match=r"must hold every item's id. Received: no '0'"):
        data.with_items(np.arange(1, 40))
