"""The experiment with feedback, small: what is judged, and by what."""

from __future__ import annotations

import dataclasses
import itertools
import json
from pathlib import Path

import numpy as np
import pytest

from tests.runs.small import DATASET, plain
from tf_recdenoiser.cli.app import run
from tf_recdenoiser.data import DataError, Histories
from tf_recdenoiser.data.histories import offsets_of
from tf_recdenoiser.experiments import run_paired
from tf_recdenoiser.experiments.declared.feedback import DISLIKING
from tf_recdenoiser.experiments.measures.dislikes import (
    SHARES,
    area_on_hidden,
    dislikes,
    doubts,
    finders_with_labels,
    hidden,
    losses,
)
from tf_recdenoiser.runs import Run, load_run, load_split

ANSWERS = np.random.default_rng(0).choice([0.0, 0.5, 1.0], len(DATASET.items)).astype(np.float32)
JUDGED = dataclasses.replace(DATASET, disliked=ANSWERS)
BASE = plain({"fit.epochs": 1, "evaluation.targets": "liked"})


@pytest.fixture(scope="module")
def runs(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Run]:
    out = tmp_path_factory.mktemp("feedback")
    methods = {name: DISLIKING[name] for name in ("t_ce", "feedback mark")}
    run_paired(BASE, JUDGED, out, methods, seeds=[1])
    return {name: load_run(out / f"{name}-1") for name in ("plain", "t_ce")}


def test_what_is_hidden_is_drawn_by_the_seed_and_the_rest_is_as_it_was() -> None:
    truth = np.tile([0.0, 0.5, 1.0, np.nan], 5_000).astype(np.float32)
    found = hidden(truth, labelled=0.1, seed=3)
    np.testing.assert_array_equal(found, hidden(truth, labelled=0.1, seed=3))
    assert not np.array_equal(found, hidden(truth, labelled=0.1, seed=4), equal_nan=True)
    told = ~np.isnan(found)
    np.testing.assert_array_equal(found[told], truth[told])
    # Three quarters of the rows say something; four standard deviations of a binomial.
    assert abs(told.sum() - 1_500) < 4 * np.sqrt(20_000 * 0.075 * 0.925)


def test_the_area_is_of_hidden_items_that_were_liked_or_disliked() -> None:
    truth = np.array([1, 0, 1, 0, 0.5, 1, 0])
    known = np.array([np.nan, np.nan, np.nan, np.nan, np.nan, 1, 0])
    scores = np.array([3.0, 1.0, 2.0, 2.5, 9.0, -9.0, 9.0])
    pairs = itertools.product(scores[[0, 2]], scores[[1, 3]])
    expected = np.mean([one > other for one, other in pairs])
    assert area_on_hidden({"a": scores}, truth, known) == {"a": pytest.approx(expected)}


def test_rates_are_the_means_of_what_others_said_mixed_with_five_usual_answers(
    runs: dict[str, Run],
) -> None:
    train = load_split(BASE, JUDGED).split.train
    assert train.disliked is not None
    known = hidden(train.disliked, labelled=0.5, seed=1)
    found = finders_with_labels(runs["plain"], dataclasses.replace(train, disliked=known))
    mean = np.nanmean(known)
    user = np.repeat(np.arange(train.row_count), train.lengths)
    told = ~np.isnan(known)
    of_item = np.zeros(DATASET.item_count + 1)
    for item in range(1, len(of_item)):
        said = known[told & (train.items == item)]
        of_item[item] = (said - mean).sum() / (len(said) + 5)
    expected = of_item[train.items]
    np.testing.assert_allclose(found["item rate"], expected, atol=1e-6)
    left = known - mean - expected
    for row in range(train.row_count):
        said = left[told & (user == row)]
        expected[user == row] += said.sum() / (len(said) + 5)
    np.testing.assert_allclose(found["user and item rates"], expected, atol=1e-6)


@pytest.mark.parametrize("name", ["plain", "t_ce"])
def test_the_loss_of_an_item_is_that_of_predicting_it_from_those_before(
    name: str, runs: dict[str, Run]
) -> None:
    items = np.array([3, 9, 4, 7, 2], np.int32)
    recommender = runs[name].recommender
    found = losses(runs[name], Histories(offsets_of([5]), items))
    before = np.zeros([1, BASE.model.max_length], np.int32)
    before[0, -len(items) + 1 :] = items[:-1]
    hidden = recommender.backbone({"item_ids": before}, training=False).numpy()[0, -4:]
    scores = hidden.astype(float) @ recommender.item_vectors()[1:].T
    if not recommender.objective.log_ratios:
        scores -= np.log(np.exp(scores).sum(axis=1, keepdims=True))
    expected = -scores[np.arange(4), items[1:] - 1]
    np.testing.assert_allclose(np.diff(found[1:]), np.diff(expected), rtol=1e-4, atol=1e-5)
    assert found[0] == pytest.approx(np.median(found[1:]))


def test_every_means_is_judged_at_every_share(runs: dict[str, Run]) -> None:
    found = [*dislikes(runs["plain"], JUDGED)]
    means = {
        *("popularity", "surprisal", "context detector"),
        *("item rate", "user and item rates", "feedback detector"),
    }
    judged = {(one.factors["known"], one.factors["means"]): one.values for one in found}
    # Of a hundredth of these 700 answers nothing can be learned.
    assert {share for share, _ in judged} < set(SHARES)
    assert set(judged) == set(itertools.product({share for share, _ in judged}, means))
    assert all(0 < one["ROC AUC"] < 1 for one in judged.values())
    for (share, _), values in judged.items():
        rates = judged[share, "user and item rates"]["ROC AUC"]
        assert values["more than by rates"] == values["ROC AUC"] - rates


def test_what_doubts_is_judged_by_its_loss(runs: dict[str, Run]) -> None:
    found = {one.factors["means"]: one.values for one in doubts(runs["t_ce"], JUDGED)}
    assert {"t_ce loss", "user and item rates"} == set(found)


def test_a_log_without_feedback_has_no_dislikes_to_find(runs: dict[str, Run]) -> None:
    with pytest.raises(DataError, match=r"--feedback-column. Received: a log without feedback$"):
        next(dislikes(runs["plain"], DATASET))


def test_methods_that_do_without_feedback_are_not_told(runs: dict[str, Run]) -> None:
    settings = BASE.replace(DISLIKING["context"])
    split = load_split(settings, JUDGED).split
    assert split.train.disliked is None and split.test.histories.disliked is None
    told = load_split(BASE, JUDGED).split
    np.testing.assert_array_equal(split.test.targets, told.test.targets)
    assert told.train.disliked is not None


@pytest.mark.slow
def test_the_command_shows_areas_and_metrics(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    random = np.random.default_rng(0)
    rows = [
        f"{user},{item},{rank},{random.integers(1, 6)}"
        for user in range(40)
        for rank, item in enumerate(random.permutation(30)[:12])
    ]
    log = tmp_path / "log.csv"
    log.write_text("\n".join(["user,item,time,rating", *rows]))
    command = ["experiment", "feedback", str(log), "--feedback-column", "rating"]
    command += ["--disliked-below", "3", "--liked-from", "4", "--out", str(tmp_path / "out")]
    command += ["--epochs", "1", "--max-length", "8", "--hidden-dim", "8", "--seeds", "0"]
    command += ["--methods", "t_ce,context,feedback mark"]
    assert run(command) == 0
    shown = capsys.readouterr().out
    assert "ROC AUC" in shown and "plain, known 0.5, means" in " ".join(shown.split())
    assert "full disliked@10" in shown
    assert run([*command, "--json"]) == 0
    found = json.loads(capsys.readouterr().out)["log"]
    assert {"plain", "t_ce", "context", "feedback mark"} <= set(found)
    assert "t_ce, known 0.01, means t_ce loss" in found
