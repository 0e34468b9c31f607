"""A run that learned what users dislike, and what it makes of dislikes that are known."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import polars as pl
import pytest
import tensorflow as tf
from tensorflow.core.protobuf import saved_model_pb2
from tensorflow_serving.apis import prediction_log_pb2

from tests.retrieval.reference import random_noise_scorer
from tests.runs.small import DATASET, plain
from tests.runs.test_metrics import scores_after
from tests.serving import c_loader
from tf_recdenoiser.data import Dataset
from tf_recdenoiser.noise import Detection
from tf_recdenoiser.runs import Run, RunDirectory, RunError, load_run, load_split, train
from tf_recdenoiser.runs.evaluate import evaluate
from tf_recdenoiser.runs.noise_known import NoiseKnown

UNKNOWN = np.nan
LENGTH = 12
# Of even items three in four are disliked, of odd ones one in four; of two in five nothing is said.
RNG = np.random.default_rng(7)
CHANCE = np.where(DATASET.items % 2 == 0, 0.75, 0.25)
FEEDBACK = np.where(RNG.random(len(CHANCE)) < CHANCE, 1.0, 0.0).astype(np.float32)
FEEDBACK[RNG.random(len(CHANCE)) < 0.4] = UNKNOWN
RATED = dataclasses.replace(DATASET, disliked=FEEDBACK)
SETTINGS = plain({"noise.detector": "feedback", "fit.epochs": 1})


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Run:
    directory = RunDirectory(tmp_path_factory.mktemp("rated") / "run")
    train(SETTINGS, RATED, directory)
    return load_run(directory.path)


@pytest.fixture(scope="module")
def by_context(run: Run) -> Run:
    """The same run with a detector that does not read feedback."""
    scorer = random_noise_scorer(item_count=40, length=LENGTH)
    return dataclasses.replace(run, detection=Detection(scorer, np.zeros(1), 0.5))


def ids_of(run: Run, codes: list[int]) -> list[str]:
    return run.item_ids[np.array(codes) - 1].tolist()


def best_after(run: Run, read: list[int], seen: list[int], k: int = 5) -> list[str]:
    scores = scores_after(run.recommender, read)
    left = [item for item in range(1, 41) if item not in seen]
    return ids_of(run, sorted(left, key=lambda item: -scores[item])[:k])


# --- In Python --------------------------------------------------------------------------------


@pytest.mark.parametrize("looks", ["run", "by_context"])
def test_it_recommends_from_what_was_not_disliked(
    looks: str, request: pytest.FixtureRequest
) -> None:
    """Where everything is known nothing is estimated."""
    run: Run = request.getfixturevalue(looks)
    history, said = [3, 9, 20, 31, 8], [0.0, 1.0, 0.5, 0.0, 1.0]
    found = run.recommend(ids_of(run, history), k=5, disliked=np.array(said))
    assert [one.item for one in found] == best_after(run, [3, 20, 31], history)


def test_what_is_said_goes_with_the_known_items(run: Run) -> None:
    row = run.history(["no such item", *ids_of(run, [5, 6])], disliked=np.array([1, 0, 1]))
    assert (row.items.tolist(), row.disliked.tolist()) == ([5, 6], [0.0, 1.0])
    raw = [ids_of(run, [5])[0], "no such item", ids_of(run, [6])[0]]
    found = run.recommend(raw, k=5, disliked=np.array([0.0, 0.0, 1.0]))
    assert [one.item for one in found] == best_after(run, [5], [5, 6])


def test_what_is_known_is_certain_and_tells_of_the_rest(run: Run) -> None:
    ids = np.array([[0] * 8 + [4, 7, 10, 13]], np.int32)
    said = np.full([1, LENGTH], UNKNOWN, np.float32)
    before = run.noise_scores(ids, said)
    np.testing.assert_array_equal(before, run.noise_scores(ids))
    assert ((before[0, -4:] > 0) & (before[0, -4:] < 1)).all()
    said[0, -3:] = 1.0, 0.5, UNKNOWN
    after = run.noise_scores(ids, said)
    assert after[0, -3:-1].tolist() == [1.0, 0.0]
    assert (after[0, [-4, -1]] != before[0, [-4, -1]]).all()
    assert (after[0, :8] == 0).all()
    inputs = {"item_ids": ids}
    assert run.cleaned(inputs, said)["item_ids"][0].tolist().count(7) == 0
    kept = run.explain(inputs, said).kept[0, -4:]
    assert kept[1] == 0 and kept[2] > 0


def test_everybody_is_served_by_what_they_said(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("tf_recdenoiser.runs.loading.load_dataset", lambda *_, **__: RATED)
    everybody = run.recommend_all(wanted=run.wanted(k=3))
    untold = run.recommend_all(DATASET, run.wanted(k=3))
    assert not everybody.equals(untold)
    for user in range(0, 60, 20):
        begin, end = RATED.offsets[user : user + 2]
        raw = ids_of(run, RATED.items[begin:end].tolist())
        alone = run.recommend(raw, k=3, disliked=FEEDBACK[begin:end])
        row = everybody.filter(pl.col("user") == RATED.user_ids[user])
        assert [one.item for one in alone] == row["item"].to_list()


@pytest.mark.parametrize("said", [[1.0], [[1.0, 0.0]], [1.0, 2.0], [-1.0, 0.0], []])
def test_what_says_nothing_of_the_items_is_refused(run: Run, said: list[float]) -> None:
    with pytest.raises(RunError, match=r"`disliked` must have a number for each item.* Received"):
        run.recommend(ids_of(run, [1, 2]), disliked=np.array(said))


def test_a_run_that_did_not_look_for_noise_takes_none(run: Run) -> None:
    plain_run = dataclasses.replace(run, detection=None)
    with pytest.raises(RunError, match=r"`disliked` must be left out: the run did not look for"):
        plain_run.recommend(ids_of(run, [1, 2]), disliked=np.array([1.0, 0.0]))


# --- Exported ---------------------------------------------------------------------------------


@pytest.mark.skipif(not c_loader.SUPPORTED, reason="TensorFlow's C library is found on Linux only")
def test_an_export_answers_as_the_run_does(run: Run, tmp_path: Path) -> None:
    rng = np.random.default_rng(3)
    histories = rng.integers(1, 41, [20, 16])
    said = rng.choice([0.0, 0.5, 1.0, UNKNOWN, UNKNOWN], histories.shape).astype(np.float32)
    one = {"lengths": np.array([-1], np.int32), "k": np.array([5], np.int32)}
    one |= {name: np.array([True]) for name in ("exclude_seen", "clean_history")}
    raw = run.item_ids[histories - 1].astype(object)
    version = run.export(tmp_path / "shop")
    assert default_of(version, "serving_default") == default_of(version, "explain") == [[-1.0]]
    with c_loader.load(version) as served:

        def ask(disliked: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
            inputs = {"histories": raw, "disliked": disliked.astype(np.float32), **one}
            answer = served.run("serving_default", inputs)
            return answer["item_ids"].astype(str), answer["scores"]

        found = ask(said)
        of_json = ask(np.where(np.isnan(said), -1.0, said))
        untold = ask(np.array([[-1.0]]))
        for signature, inputs in warm_up_requests(version):
            assert inputs["disliked"].shape == inputs["histories"].shape
            served.run(signature, inputs)
    np.testing.assert_array_equal(found[1], of_json[1])
    for (ids, scores), given in ((found, said), (untold, [None] * len(raw))):
        for row, own in enumerate(given):
            expected = run.recommend(raw[row], k=5, disliked=own)
            assert ids[row].tolist() == [item.item for item in expected]
            np.testing.assert_allclose(scores[row], [item.score for item in expected], rtol=1e-4)
    assert (found[0] != untold[0]).any()


def default_of(version: Path, signature: str) -> list[list[float]]:
    """What stands for `disliked` where a server is not given it."""
    saved = saved_model_pb2.SavedModel.FromString((version / "saved_model.pb").read_bytes())
    value = saved.meta_graphs[0].signature_def[signature].defaults["disliked"]
    return tf.make_ndarray(value).tolist()


def warm_up_requests(version: Path) -> Iterator[tuple[str, dict[str, np.ndarray]]]:
    file = version / "assets.extra" / "tf_serving_warmup_requests"
    for record in tf.data.TFRecordDataset(str(file)).as_numpy_iterator():
        request = prediction_log_pb2.PredictionLog.FromString(record).predict_log.request
        inputs = {name: tf.make_ndarray(value) for name, value in request.inputs.items()}
        yield request.model_spec.signature_name, inputs


def test_only_what_reads_feedback_is_served_with_it(run: Run, by_context: Run) -> None:
    for one, takes in ((run, True), (by_context, False)):
        for function in one.serving_module().signatures.values():
            names = [spec.name for spec in function.input_signature]
            assert ("disliked" in names) == takes


# --- Recorded ---------------------------------------------------------------------------------


def test_the_metrics_say_what_was_looked_for(run: Run) -> None:
    recorded = run.directory.metrics()["noise"]
    disliked = load_split(SETTINGS, RATED).split.train.disliked
    assert recorded["detector"] == "feedback"
    assert recorded["rate"] == pytest.approx((disliked == 1).sum() / (~np.isnan(disliked)).sum())
    assert 0.6 < recorded["cross_fit_roc_auc"] < 0.9


def test_noise_is_measured_where_nobody_said_what_it_is(run: Run) -> None:
    settings = SETTINGS.replace({"noise.injection.rate": 0.3})
    noisy = load_split(settings, RATED)
    known = NoiseKnown(settings, RATED, noisy, run.detection)
    scorers = {"test": known.scorer("test")}
    found = evaluate(run.recommender, known, scorers, run.directory.history())["noise"]
    histories = noisy.split.test.histories
    ids, said = histories.last(LENGTH), histories.last_disliked(LENGTH)
    is_noise, scores = noisy.test.last(LENGTH) > 0, run.noise_scores(ids, said)
    judged = (ids > 0) & np.isnan(said)
    noise, meant = scores[judged & is_noise], scores[judged & ~is_noise]
    assert len(noise) > 20
    above = (noise[:, np.newaxis] > meant) + 0.5 * (noise[:, np.newaxis] == meant)
    assert found["roc_auc"] == pytest.approx(above.mean())


@pytest.mark.slow
@pytest.mark.parametrize("said", ["other", "nothing"])
def test_a_run_goes_on_with_a_log_in_which_others_say_other_things(
    run: Run, tmp_path: Path, said: str
) -> None:
    disliked = 1 - FEEDBACK if said == "other" else None
    grown = Dataset(
        user_ids=RATED.user_ids,
        item_ids=np.array([*RATED.item_ids, "zz"], object),
        items=np.where(np.arange(len(RATED.items)) % 50 == 0, 41, RATED.items).astype(np.int32),
        times=RATED.times,
        offsets=RATED.offsets,
        disliked=disliked,
    )
    changes = {"fit.warm_start": str(run.directory.path)}
    if disliked is None:
        changes["noise.detector"] = "context"
    metrics = train(SETTINGS.replace(changes), grown, RunDirectory(tmp_path / "run"))
    assert metrics["noise"]["detector"] == ("feedback" if said == "other" else "context")
    found = load_run(tmp_path / "run")
    raw = ids_of(found, [3, 41, 5])
    told = found.recommend(raw, k=5, disliked=np.array([0.0, 1.0, 0.0]))
    assert [one.item for one in told] == best_after(found, [3, 5], [3, 41, 5])
