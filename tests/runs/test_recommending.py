"""Recommendations to many at once are those to each alone, ranked in plain Python."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pytest
import tensorflow as tf

import tf_recdenoiser
from tests.runs.small import DATASET, plain
from tf_recdenoiser._keras import keras
from tf_recdenoiser.data import Dataset
from tf_recdenoiser.runs import Run, RunError, load_dataset, load_run, recommending, train
from tf_recdenoiser.runs.recommending import Wanted, as_table, best_items, known_histories

LENGTH = 12


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Run:
    """A run that looked for noise, so that histories are cleaned before they are read."""
    settings = plain({"noise.detector": "surprisal", "fit.epochs": 1})
    train(settings, DATASET, tmp_path_factory.mktemp("recommending") / "run")
    return tf_recdenoiser.load(tmp_path_factory.getbasetemp() / "recommending0" / "run")


def ranked(run: Run, codes: list[int], banned: set[int]) -> list[tuple[int, float]]:
    """Items and scores after one history, the best first."""
    ids = np.array([([0] * LENGTH + codes)[-LENGTH:]], np.int32)
    scores = run.recommender.score(**run.cleaned({"item_ids": ids}))[0]
    found = [(item, float(scores[item])) for item in range(1, len(scores)) if item not in banned]
    return sorted(found, key=lambda pair: -pair[1])


@pytest.mark.parametrize("batch", [7, 256])
@pytest.mark.parametrize("exclude_seen", [True, False])
def test_each_user_gets_the_best_of_what_is_left(
    run: Run, monkeypatch: pytest.MonkeyPatch, batch: int, exclude_seen: bool
) -> None:
    monkeypatch.setattr(recommending, "_BATCH", batch)
    histories, users = known_histories(run, DATASET)
    some = np.arange(0, 60, 4)
    histories, users = histories.prefixes(some, histories.lengths[some]), users[some]
    done: list[int] = []
    codes, scores = best_items(run, histories, None, Wanted(5, exclude_seen), done.append)
    assert codes.shape == scores.shape == (15, 5)
    assert done == ([7, 7, 1] if batch == 7 else [15])
    for row, user in enumerate(users):
        sequence = DATASET.sequence(user).tolist()
        best = ranked(run, sequence, set(sequence) if exclude_seen else set())[:5]
        assert codes[row].tolist() == [item for item, _ in best]
        np.testing.assert_allclose(scores[row], [score for _, score in best], atol=1e-5)


def test_items_are_allowed_and_denied(run: Run) -> None:
    ids = run.item_ids.tolist()
    history, allow, deny = ids[:3], [*ids[2:9], "no-such-item"], [ids[4], ids[30]]
    found = run.recommend(history, k=30, allow=allow, deny=deny)
    left = set(range(1, 41)) - ({4, 5, 6, 7, 8, 9} - {5})
    assert [(one.item, pytest.approx(one.score, abs=1e-5)) for one in found] == [
        (ids[item - 1], score) for item, score in ranked(run, [1, 2, 3], left)
    ]
    assert len(found) == 5
    denied = run.recommend(history, k=40, deny=ids[:38], exclude_seen=False)
    assert {one.item for one in denied} == set(ids[38:])


def test_a_table_has_a_row_for_each_recommendation() -> None:
    codes = np.array([[2, 1], [3, 0]], np.int32)
    scores = np.array([[0.5, 0.25], [1.0, -np.inf]], np.float32)
    table = as_table(np.array(["ann", "bo"], object), np.array([10, 20, 30]), codes, scores)
    assert table.rows() == [("ann", 1, 20, 0.5), ("ann", 2, 10, 0.25), ("bo", 1, 30, 1.0)]
    assert table.schema["user"] == pl.String and table.schema["item"] == pl.Int64


def test_all_users_of_the_log_are_served(run: Run) -> None:
    table = run.recommend_all(wanted=run.wanted(k=3))
    assert table.columns == ["user", "rank", "item", "score"]
    assert table["user"].to_list() == np.repeat(DATASET.user_ids, 3).tolist()
    assert table["rank"].to_list() == [1, 2, 3] * 60
    first = table.filter(pl.col("user") == DATASET.user_ids[0])
    history = run.item_ids[DATASET.sequence(0) - 1]
    alone = run.recommend(history, k=3)
    assert [one.item for one in alone] == first["item"].to_list()


def test_other_histories_may_hold_what_is_not_known(run: Run) -> None:
    known = run.item_ids[[4, 7]].tolist()
    other = Dataset(
        user_ids=np.array(["new", "only-unknown"], object),
        item_ids=np.array([*known, "zz"], object),
        items=np.array([2, 3, 1, 3], np.int32),
        times=None,
        offsets=np.array([0, 3, 4]),
    )
    table = run.recommend_all(other, run.wanted(k=2))
    assert table["user"].to_list() == ["new", "new"]
    expected = run.recommend([known[1], "zz", known[0]], k=2)
    assert table["item"].to_list() == [one.item for one in expected]


def test_likeness_is_the_cosine_of_vectors(run: Run) -> None:
    item = run.item_ids[5]
    table = run.recommender.item_vectors().astype(np.float64)
    unit = table[1:] / np.linalg.norm(table[1:], axis=1, keepdims=True)
    expected = sorted(
        ((float(unit[5] @ unit[j]), run.item_ids[j]) for j in range(40) if j != 5), reverse=True
    )
    for k in (3, 100):
        found = run.similar(item, k)
        assert [(pytest.approx(one.score, abs=1e-5), one.item) for one in found] == expected[:k]
    assert len(run.similar(item)) == 10


def test_likeness_needs_an_item_that_is_known_and_vectors(run: Run, tmp_path: Path) -> None:
    with pytest.raises(RunError, match=r"one of the log, such as c00-i000, .* Received: 'tea'"):
        run.similar("tea")
    train(plain({"model": {"name": "popularity", "max_length": 12}}), DATASET, tmp_path / "run")
    with pytest.raises(RunError, match=r"must have vectors.*Received: popularity"):
        load_run(tmp_path / "run").similar(run.item_ids[0])


@pytest.mark.parametrize("k", [0, -3])
def test_at_least_one_item_must_be_wanted(run: Run, k: int) -> None:
    with pytest.raises(ValueError, match=f"`k` must be at least 1. Received: k={k}"):
        run.recommend(run.item_ids[:2], k)


def test_a_run_is_saved_and_exported_by_one_call_each(run: Run, tmp_path: Path) -> None:
    run.save(tmp_path / "model.keras")
    loaded: Any = keras.models.load_model(tmp_path / "model.keras")
    ids = np.array([[0] * 9 + [3, 1, 2]], np.int32)
    np.testing.assert_array_equal(loaded.score(ids), run.recommender.score(ids))
    version = run.export(tmp_path / "served")
    assert version == tmp_path / "served" / "1"
    answer = tf.saved_model.load(str(version)).signatures["serving_default"](
        histories=tf.constant([run.item_ids[[2, 0, 1]].tolist()]),
        lengths=tf.constant([-1]),
        k=tf.constant([10]),
        exclude_seen=tf.constant([True]),
        clean_history=tf.constant([True]),
    )
    ours = run.recommend(run.item_ids[[2, 0, 1]])
    assert answer["item_ids"].numpy()[0].astype(str).tolist() == [one.item for one in ours]
    assert load_dataset(run.settings).fingerprint() == DATASET.fingerprint()
