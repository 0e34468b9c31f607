"""Dislikes are looked for where the log says of some, and what it says is known."""

from __future__ import annotations

import dataclasses
from pathlib import Path

import numpy as np
import pytest

from tests.cli.shell import SIZES, SYNTHETIC, tf_recdenoiser
from tests.noise.rated import mostly_hidden
from tests.runs.small import DATASET, history_of, metrics_of, plain
from tf_recdenoiser.data import Dataset, Histories, prepare, read_log
from tf_recdenoiser.noise import DETECTORS, Detection, FeedbackModel, roc_auc
from tf_recdenoiser.runs import RunDirectory, load_run, load_split, train
from tf_recdenoiser.runs.detect import read_detection, with_detector
from tf_recdenoiser.runs.noise_known import NoiseKnown
from tf_recdenoiser.runs.resolve import idle_settings, resolve

RNG = np.random.default_rng(5)
OF_ITEM = RNG.random(len(DATASET.item_ids) + 1)
FEEDBACK = np.where(
    RNG.random(len(DATASET.items)) < 0.5,
    (RNG.random(len(DATASET.items)) < 0.6 * OF_ITEM[DATASET.items]).astype(np.float32),
    np.nan,
).astype(np.float32)
"""Half of what is said of items, of which some are disliked more often than others."""


# The quickest to train of those that take items out.
SETTINGS = plain({"model": "fpmc", "noise.detector": None, "fit.epochs": 3})


def rated(disliked: np.ndarray = FEEDBACK) -> Dataset:
    return dataclasses.replace(DATASET, disliked=disliked)


@pytest.fixture(scope="module")
def unbroken(tmp_path_factory: pytest.TempPathFactory) -> RunDirectory:
    """Three epochs, with the detector that the log decides."""
    directory = RunDirectory(tmp_path_factory.mktemp("runs") / "unbroken")
    train(SETTINGS, rated(), directory)
    return directory


def found_anew(train_rows: Histories) -> Detection:
    width = SETTINGS.model.hidden_dim
    return FeedbackModel(DATASET.item_count, hidden_dim=width).cross_fit(train_rows)


def known_of(directory: RunDirectory, dataset: Dataset) -> NoiseKnown:
    settings = directory.settings()
    noisy = load_split(settings, dataset)
    return NoiseKnown(settings, dataset, noisy, read_detection(directory))


def test_dislikes_are_looked_for_by_default_and_known_ones_are_certain(
    unbroken: RunDirectory,
) -> None:
    assert unbroken.settings().detector == "feedback"
    known = known_of(unbroken, rated())
    train_rows, probability = known.noisy.split.train, known.probability
    assert probability is not None and train_rows.disliked is not None
    said = ~np.isnan(train_rows.disliked)
    np.testing.assert_array_equal(probability[said], train_rows.disliked[said] == 1)
    assert ((probability[~said] > 0) & (probability[~said] < 1)).all()
    again = found_anew(train_rows)
    np.testing.assert_array_equal(probability[~said], again.probability[~said])
    metrics = unbroken.metrics()["noise"]
    assert metrics["rate"] == again.scorer.rate
    assert metrics["cross_fit_roc_auc"] == again.roc_auc


def test_a_detector_of_dislikes_is_read_back_as_it_was_written(unbroken: RunDirectory) -> None:
    train_rows = known_of(unbroken, rated()).noisy.split.train
    again = found_anew(train_rows)
    read = read_detection(unbroken)
    np.testing.assert_array_equal(read.log_ratios, again.log_ratios)
    assert (read.scorer.rate, read.roc_auc) == (again.scorer.rate, again.roc_auc)
    ids, disliked = train_rows.last(12), train_rows.last_disliked(12)
    for given in ((ids,), (ids, disliked)):
        np.testing.assert_array_equal(read.scorer(*given), again.scorer(*given))
    scores = load_run(unbroken.path).noise_scores(ids)
    np.testing.assert_array_equal(scores, again.scorer(ids))


def test_a_stopped_run_goes_on_to_the_same_numbers(unbroken: RunDirectory, tmp_path: Path) -> None:
    directory = RunDirectory(tmp_path / "run")
    for epochs in (1, 3):
        settings = SETTINGS.replace({"fit.epochs": epochs})
        train(settings, rated(), directory, resume=epochs > 1)
    assert metrics_of(directory) == metrics_of(unbroken)
    assert history_of(directory) == history_of(unbroken)


def test_where_only_dislikes_are_known_others_are_looked_for_by_context() -> None:
    only_returned = np.where(FEEDBACK == 1, FEEDBACK, np.nan).astype(np.float32)
    dataset, settings = rated(only_returned), resolve(SETTINGS)
    noisy = load_split(settings, dataset)
    decided = with_detector(settings, noisy)
    assert decided.detector == "context"
    found = found_anew(load_split(settings, rated()).split.train)
    known = NoiseKnown(decided, dataset, noisy, found)
    disliked = noisy.split.train.disliked
    assert known.probability is not None and disliked is not None and (disliked == 1).any()
    expected = np.where(disliked == 1, 1.0, found.probability)
    np.testing.assert_array_equal(known.probability, expected.astype(np.float32))


@pytest.mark.parametrize("detector", DETECTORS)
def test_a_detector_that_has_too_little_to_learn_from_is_refused_before_anything_is_written(
    detector: str, tmp_path: Path
) -> None:
    lines = [f"{user} {item}" for user in range(3) for item in range(1, 7)]
    (tmp_path / "log.txt").write_text("\n".join(lines))
    options = (*SIZES, "--gamma", 0, "--epochs", 1, "--detector", detector)
    outcome = tf_recdenoiser("train", tmp_path / "log.txt", "--out", tmp_path / "run", *options)
    assert (outcome.status, outcome.out) == (1, "")
    other = "context" if detector == "feedback" else "none"
    assert f"`--detector {other}`" in " ".join(outcome.err.split())
    assert not (tmp_path / "run").exists()


def test_the_distribution_of_drawn_noise_is_idle_where_dislikes_are_learned(
    tmp_path: Path,
) -> None:
    options = ("--detector", "feedback", "--set", "noise.distribution=uniform")
    outcome = tf_recdenoiser("train", *SYNTHETIC, "--out", tmp_path / "run", *SIZES, *options)
    assert outcome.status == 1
    words = " ".join(outcome.err.split())
    assert "`noise.distribution` has no effect with noise.detector='feedback'" in words
    # By the likelihood it is the distribution of the targets that are noise.
    mixing = plain({"noise.detector": "feedback", "noise.correction": "likelihood"})
    assert "noise.distribution" not in idle_settings(mixing)


@pytest.mark.slow
@pytest.mark.parametrize(
    ("name", "least"), [("ml-100k.inter", 0.82), ("ml-latest-small/ratings.csv", 0.86)]
)
def test_dislikes_of_films_are_found_by_a_tenth_of_the_ratings(
    shared_data: Path, name: str, least: float
) -> None:
    stars = {"feedback_column": "rating", "disliked_below": 3, "liked_from": 4}
    dataset = prepare(read_log(shared_data / name, **stars))
    train_rows, hidden = mostly_hidden(dataset.histories, 0.1)
    detection = FeedbackModel(dataset.item_count).cross_fit(train_rows)
    assert dataset.disliked is not None
    is_disliked = dataset.disliked == 1
    user = np.repeat(np.arange(dataset.user_count), train_rows.lengths)

    def means(of: np.ndarray) -> np.ndarray:
        """The share of dislikes of an item or a user, over what is known, with five of all."""
        said, size = ~hidden, of.max() + 1
        mean = is_disliked[said].mean()
        sums, counts = (
            np.bincount(of[said], weights, size) for weights in (is_disliked[said], None)
        )
        return ((sums + 5 * mean) / (counts + 5))[of]

    asked = hidden & (dataset.disliked != 0.5)
    simple = means(dataset.items) + means(user)
    found, by_means = (
        roc_auc(scores[asked], is_disliked[asked]) for scores in (detection.probability, simple)
    )
    assert found > max(least, by_means)
    probability = detection.probability[hidden]
    bins = np.array_split(np.argsort(probability), 10)
    gaps = [abs(probability[b].mean() - is_disliked[hidden][b].mean()) for b in bins]
    assert np.mean(gaps) < 0.02
