"""Noise of the synthetic log is found, corrected and recorded."""

from __future__ import annotations

import shutil
from pathlib import Path

import numpy as np
import pytest
import tensorflow as tf

from tests.params import only
from tests.runs.small import DATASET, plain
from tf_recdenoiser._keras import layers_of
from tf_recdenoiser.layers.noise_mixture import NoiseMixture
from tf_recdenoiser.noise import Cleaning, ContextModel, Detection, noise_probability, roc_auc
from tf_recdenoiser.runs import (
    Observer,
    RunDirectory,
    RunError,
    Settings,
    load_dataset,
    load_run,
    load_split,
    train,
)
from tf_recdenoiser.runs.detect import read_detection
from tf_recdenoiser.training import SampledSoftmax, explain

NOISY = {"log": {"users": 300, "items": 60, "clusters": 5, "noise": 0.25, "seed": 1}}
INJECTED = plain(
    {
        "noise.injection.rate": 0.25,
        "noise.injection.distribution": "uniform",
        "noise.distribution": "uniform",
    }
)


class Reporting(Observer):
    """Keeps what was reported."""

    def __init__(self) -> None:
        self.reported: list[str] = []

    def report(self, text: str) -> None:
        self.reported.append(text)


class Unreported(Observer):
    """Fails the test if anything is reported."""

    def report(self, text: str) -> None:
        pytest.fail(text)


@pytest.fixture(scope="module")
def found() -> tuple[Detection, np.ndarray]:
    given = Settings.of("synthetic", NOISY)
    noisy = load_split(given, load_dataset(given))
    detection = ContextModel(60, max_length=30, hidden_dim=16).cross_fit(
        noisy.split.train, "popularity"
    )
    return detection, noisy.train.items == 1


def test_noise_is_found_in_sequences_that_no_detector_was_trained_on(
    found: tuple[Detection, np.ndarray],
) -> None:
    detection, is_noise = found
    assert roc_auc(-detection.log_ratios, is_noise) > 0.8


@pytest.fixture(scope="module")
def surprised(tmp_path_factory: pytest.TempPathFactory) -> RunDirectory:
    settings = plain(
        {
            **NOISY,
            "noise.detector": "surprisal",
            "noise.distribution": "uniform",
            "fit.epochs": 30,
            "fit.learning_rate": 5e-3,
            "evaluation.validate_every": 10,
        },
    )
    directory = RunDirectory(tmp_path_factory.mktemp("runs") / "surprised")
    train(settings, load_dataset(settings), directory)
    return directory


@pytest.mark.slow
@pytest.mark.graph
def test_noise_surprises_a_recommender_of_other_users(surprised: RunDirectory) -> None:
    noisy = load_split(surprised.settings(), load_run(surprised.path).dataset())
    detection = read_detection(surprised)
    assert len(detection.scorer.detectors) == 2
    assert roc_auc(-detection.log_ratios, noisy.train.items == 1) > 0.75
    assert detection.scorer.rate == pytest.approx(0.25, abs=0.1)
    assert surprised.metrics()["noise"]["roc_auc"] > 0.75


@pytest.mark.slow
def test_surprisal_is_looked_for_with_a_recommender_of_each_half(tmp_path: Path) -> None:
    observer = Reporting()
    settings = INJECTED.replace({"noise.detector": "surprisal", "fit.epochs": 1})
    directory = RunDirectory(tmp_path / "run")
    metrics = train(settings, DATASET, directory, observer=observer)
    assert observer.reported == [
        "round 1 of 1",
        *(f"a recommender for part {n} of the users" for n in (1, 2)),
    ]
    detection = load_run(directory.path).detection
    assert detection is not None and len(detection.scorer.detectors) == 2
    assert metrics["noise"]["rate"] == detection.scorer.rate


def test_the_share_of_noise_is_estimated(found: tuple[Detection, np.ndarray]) -> None:
    detection, is_noise = found
    assert detection.scorer.rate == pytest.approx(is_noise.mean(), abs=0.1)


def test_probabilities_mean_what_they_say(found: tuple[Detection, np.ndarray]) -> None:
    detection, is_noise = found
    probability = detection.probability
    np.testing.assert_array_equal(
        probability, noise_probability(detection.log_ratios, detection.scorer.rate)
    )
    bins = np.minimum((5 * probability).astype(int), 4)
    gaps = [is_noise[bins == one].mean() - probability[bins == one].mean() for one in range(5)]
    expected_calibration_error = np.abs(gaps) @ np.bincount(bins) / len(bins)
    assert expected_calibration_error < 0.1
    assert abs(gaps[4]) < 0.05


def test_an_oracle_trains_and_recommends_without_the_noise(tmp_path: Path) -> None:
    oracle = INJECTED.replace({"noise.detector": "oracle"})
    train(oracle, DATASET, RunDirectory(tmp_path / "oracle"))
    scorer = load_run(tmp_path / "oracle").scorer("test")
    noisy = load_split(oracle, DATASET)
    n = oracle.model.max_length
    histories = {"item_ids": noisy.split.test.histories.last(n)}
    expected = Cleaning()(histories, noisy.test.last(n))["item_ids"]
    np.testing.assert_array_equal(scorer.some_inputs(1000)["item_ids"], expected)


def test_an_oracle_needs_noise_that_is_known(tmp_path: Path) -> None:
    settings = plain({"log.noise": 0.0, "noise.detector": "oracle"})
    with pytest.raises(ValueError, match=r"`noise.injection.rate`\. Received: synthetic, "):
        train(settings, load_dataset(settings), RunDirectory(tmp_path / "run"))
    assert not (tmp_path / "run").exists()


@pytest.mark.parametrize("places", ["train", "test"])
def test_an_oracle_knows_how_many_targets_are_noise(places: str, tmp_path: Path) -> None:
    settings = plain(
        {
            "fit.epochs": 1,
            "noise.injection.rate": 0.3,
            "noise.injection.places": places,
            "noise.detector": "oracle",
            "noise.correction": "likelihood",
        },
    )
    train(settings, DATASET, RunDirectory(tmp_path / "run"))
    share = load_split(settings, DATASET).train.items.mean()
    objective = load_run(tmp_path / "run").recommender.objective
    assert objective.noise_rate == pytest.approx(share)
    assert (share > 0) == (places == "train")


def test_a_run_that_is_killed_while_it_begins_begins_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    settings = plain({"fit.epochs": 1, "noise.detector": "context", "model": "fpmc"})
    directory = RunDirectory(tmp_path / "run")

    def killed(*_: object) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as patched:
        patched.setattr(RunDirectory, "_write_settings", killed)
        with pytest.raises(KeyboardInterrupt):
            train(settings, DATASET, directory)
    assert not directory.exists()
    metrics = train(settings, DATASET, directory, resume=True)
    run = load_run(directory.path)
    assert run.user_ids is not None
    assert run.detection is not None and metrics["noise"]["rate"] == run.detection.scorer.rate


def test_what_cannot_be_built_is_refused_before_noise_is_looked_for(tmp_path: Path) -> None:
    settings = INJECTED.replace(
        {"noise.detector": "context", "model.attention": "linear", "gates": "positional"}
    )
    with pytest.raises(ValueError, match="where attention is linear"):
        train(settings, DATASET, RunDirectory(tmp_path / "run"), observer=Unreported())
    assert not (tmp_path / "run").exists()


@pytest.mark.parametrize("correction", ["input", "attention", "everywhere"])
def test_an_oracle_softens_what_is_noise(correction: str, tmp_path: Path) -> None:
    oracle = INJECTED.replace(
        {"noise.detector": "oracle", "noise.correction": correction, "fit.epochs": 1}
    )
    train(oracle, DATASET, RunDirectory(tmp_path / "oracle"))
    run = load_run(tmp_path / "oracle")
    assert run.recommender.backbone.get_config()["soften"] == correction
    noisy, inputs = load_split(oracle, DATASET), run.scorer("test").some_inputs(1000)
    n = oracle.model.max_length
    item_ids = noisy.split.test.histories.last(n)
    np.testing.assert_array_equal(inputs["item_ids"], item_ids)
    np.testing.assert_array_equal(
        inputs["clean_probability"], (item_ids > 0) & (noisy.test.last(n) == 0)
    )


def test_a_history_is_softened_by_what_was_found(tmp_path: Path) -> None:
    settings = INJECTED.replace(
        {"noise.detector": "context", "noise.correction": "input", "fit.epochs": 1}
    )
    train(settings, DATASET, RunDirectory(tmp_path / "run"))
    run = load_run(tmp_path / "run")
    inputs = run.inputs(np.array([3, 7, 5]))
    probability = run.noise_scores(inputs["item_ids"])
    assert probability is not None and (probability > 0).any()
    np.testing.assert_allclose(
        run.cleaned(inputs)["clean_probability"],
        (1 - probability) * (inputs["item_ids"] > 0),
        rtol=1e-6,
    )


@pytest.mark.parametrize("backbone", ["bert4rec", "gru4rec"])
def test_a_backbone_that_cannot_soften_is_refused_before_noise_is_looked_for(
    backbone: str, tmp_path: Path
) -> None:
    settings = INJECTED.replace(
        {
            "noise.detector": "context",
            "noise.correction": "input",
            "model": backbone,
        }
    )
    with pytest.raises(ValueError, match=r"models sasrec, tisasrec, sse_pt, which soften"):
        train(settings, DATASET, RunDirectory(tmp_path / "run"), observer=Unreported())
    assert not (tmp_path / "run").exists()


@pytest.mark.parametrize("backbone", ["bert4rec", "sse_pt"])
def test_surprisal_needs_a_backbone_that_predicts_items_by_earlier_ones(
    backbone: str, tmp_path: Path
) -> None:
    settings = INJECTED.replace({"noise.detector": "surprisal", "model": backbone})
    with pytest.raises(ValueError, match=r"models sasrec, .*, which predict an item by"):
        train(settings, DATASET, RunDirectory(tmp_path / "run"), observer=Unreported())
    assert not (tmp_path / "run").exists()


@pytest.mark.parametrize(
    ("users", "finder"),
    only(lambda users, finder: finder == "none", [(12, "context"), (7, "none")]),
)
def test_noise_is_looked_for_by_default_where_there_is_enough_to_learn_from(
    users: int, finder: str, tmp_path: Path
) -> None:
    lines = [
        f"{user} {1 + (5 * user + 3 * step) % 20}" for user in range(users) for step in range(6)
    ]
    (tmp_path / "log.txt").write_text("\n".join(lines))
    settings = plain({"noise.detector": None, "fit.epochs": 1}, str(tmp_path / "log.txt"))
    directory = RunDirectory(tmp_path / "run")
    metrics = train(settings, load_dataset(settings), directory)
    assert directory.settings().detector == finder
    assert directory.has_detection() == ("noise" in metrics) == (finder == "context")
    assert train(settings, load_dataset(settings), directory, resume=True) == metrics


@pytest.fixture(scope="module")
def looked(tmp_path_factory: pytest.TempPathFactory) -> RunDirectory:
    directory = RunDirectory(tmp_path_factory.mktemp("runs") / "looked")
    train(INJECTED.replace({"noise.detector": "context", "fit.epochs": 3}), DATASET, directory)
    return directory


def test_the_likelihood_takes_the_share_and_the_distribution_of_the_noise(tmp_path: Path) -> None:
    settings = INJECTED.replace(
        {
            "noise.detector": "oracle",
            "noise.correction": "likelihood",
            "noise.distribution": "popularity",
            "fit.epochs": 1,
        }
    )
    train(settings, DATASET, RunDirectory(tmp_path / "run"))
    model = load_run(tmp_path / "run").recommender
    share = float(load_split(settings, DATASET).train.items.astype(np.float32).mean())
    assert share == pytest.approx(0.25, abs=0.03)
    assert model.objective == SampledSoftmax(noise_rate=share)
    (mixture,) = (layer for layer in layers_of(model) if isinstance(layer, NoiseMixture))
    counts = np.bincount(load_split(settings, DATASET).split.train.items)
    np.testing.assert_allclose(
        np.exp(mixture.log_distribution)[1:],
        counts[1:] / counts.sum() * DATASET.item_count,
        rtol=1e-5,
    )


def test_an_objective_without_probabilities_is_refused_before_noise_is_looked_for(
    tmp_path: Path,
) -> None:
    settings = INJECTED.replace(
        {"noise.detector": "context", "noise.correction": "likelihood", "objective": "bpr"}
    )
    with pytest.raises(ValueError, match="objectives bce, cross_entropy, sampled_softmax, gbce"):
        train(settings, DATASET, RunDirectory(tmp_path / "run"), observer=Unreported())
    assert not (tmp_path / "run").exists()


def test_noise_is_found_again_by_the_same_seed() -> None:
    train = load_split(plain(), DATASET).split.train
    first, again, other = (
        ContextModel(DATASET.item_count, 12, 8).cross_fit(train, rounds=1, seed=seed)
        for seed in (1, 1, 2)
    )
    np.testing.assert_array_equal(first.log_ratios, again.log_ratios)
    assert first.scorer.rate == again.scorer.rate
    assert (first.log_ratios != other.log_ratios).any()


def test_a_detector_that_is_missing_is_named(looked: RunDirectory, tmp_path: Path) -> None:
    damaged = shutil.copytree(looked.path, tmp_path / "damaged")
    (damaged / "checkpoints/detector_2.h5").unlink()
    with pytest.raises(RunError, match=r"detector_2.h5 must be there.*: put back"):
        load_run(damaged)


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("noise.correction.name", "targets"),
        ("noise.correction.clean_above", 0.5),
        ("noise.correction.clean_newest_above", 0.5),
    ],
)
def test_a_resumed_run_keeps_what_it_does_about_noise(
    looked: RunDirectory, name: str, value: object
) -> None:
    changed = looked.settings().replace({name: value})
    with pytest.raises(RunError, match=rf"keeps its settings.*Received: {name}: {value!r}, was "):
        train(changed, DATASET, looked, resume=True)


def test_a_run_that_looks_for_noise_records_what_it_found(looked: RunDirectory) -> None:
    run, metrics = load_run(looked.path), looked.metrics()
    assert run.detection is not None
    assert metrics["noise"]["rate"] == run.detection.scorer.rate
    noisy = load_split(run.settings, DATASET)
    n = run.settings.model.max_length
    histories, is_noise = noisy.split.test.histories.last(n), noisy.test.last(n) > 0
    scores = run.noise_scores(histories)
    expected = roc_auc(scores[histories > 0], is_noise[histories > 0])
    assert expected == pytest.approx(metrics["noise"]["roc_auc"])
    result = run.scorer("test").result(run.recommender, "full")
    assert result.mean("ndcg@10") == pytest.approx(metrics["test"]["full"]["ndcg@10"])


def test_what_is_left_out_as_noise_is_not_kept(looked: RunDirectory) -> None:
    run = load_run(looked.path)
    item_ids = load_split(run.settings, DATASET).split.test.histories.last(
        run.settings.model.max_length
    )
    scores = run.noise_scores(item_ids)
    stays = run.settings.treatment.stays(tf.constant(item_ids), scores).numpy()
    assert (stays != (item_ids > 0)).any()
    found = run.explain({"item_ids": item_ids})
    np.testing.assert_array_equal(found.kept_per_layer[:, 0] > 0, stays)
    weights = found.attention_per_layer[:, 0]
    np.testing.assert_array_equal(weights > 0, stays)
    read = explain(run.recommender, **run.cleaned({"item_ids": item_ids})).attention_per_layer
    np.testing.assert_allclose(weights.sum(-1), read[:, 0].sum(-1), rtol=1e-5)


def test_a_stopped_run_goes_on_with_the_noise_it_found(
    looked: RunDirectory, tmp_path: Path
) -> None:
    given, directory = looked.settings(), RunDirectory(tmp_path / "broken")
    first = given.replace({"fit.epochs": 1})
    train(first, DATASET, directory, detection=read_detection(looked))
    resumed = train(given, DATASET, directory, resume=True)
    for name in ("test", "noise"):
        assert resumed[name] == looked.metrics()[name]
