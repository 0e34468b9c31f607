"""A run whose targets are what users liked, from training to every place where it is measured."""

from __future__ import annotations

import dataclasses
import json
from pathlib import Path

import numpy as np
import pytest

from tests.cli.shell import rows, tf_recdenoiser
from tests.runs.small import DATASET, history_of, metrics_of, plain
from tests.runs.test_metrics import scores_after
from tf_recdenoiser.data import DataError
from tf_recdenoiser.experiments import Comparison, closed_gap, run_paired
from tf_recdenoiser.runs import RunDirectory, load_run, train

CUTOFFS = (1, 5, 10, 20)
FEEDBACK = np.random.default_rng(5).choice([0.0, 0.0, 0.5, 1.0, np.nan], len(DATASET.items))
RATED = dataclasses.replace(DATASET, disliked=FEEDBACK.astype(np.float32))
SETTINGS = plain({"evaluation.targets": "liked", "fit.epochs": 1})

Case = tuple[list[int], int, set[int]]
"""A history, the target after it, and the items that the user disliked later."""


@pytest.fixture(scope="module")
def out(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("liked")


@pytest.fixture(scope="module")
def found(out: Path) -> dict[str, Comparison]:
    """What an experiment says of the plain run, which it trains."""
    return run_paired(SETTINGS, RATED, out, {}, [0])["plain"]


@pytest.fixture
def liked(out: Path, found: dict[str, Comparison]) -> RunDirectory:
    return RunDirectory(out / "plain-0")


def cases(which: int) -> list[Case]:
    """Of each evaluated user, by a loop."""
    found: list[Case] = []
    for begin, end in zip(RATED.offsets[:-1], RATED.offsets[1:], strict=True):
        row, feedback = RATED.items[begin:end].tolist(), FEEDBACK[begin:end]
        liked = np.flatnonzero(feedback == 0)
        if len(liked) < 2 or liked[-2] == 0:
            continue
        trained, at = liked[-2], liked[which]
        history = [item for i, item in enumerate(row[:at]) if i < trained or feedback[i] != 1]
        later = {item for i, item in enumerate(row) if i >= trained and feedback[i] == 1}
        found.append((history, row[at], later - {*history, row[at]}))
    return found


@pytest.mark.parametrize(("part", "which"), [("valid", -2), ("test", -1)])
def test_hits_and_dislikes_are_those_of_a_sorted_list(
    liked: RunDirectory, part: str, which: int
) -> None:
    recommender = load_run(liked.path).recommender
    ranks, disliked = [], []
    for history, target, later in cases(which):
        scores = scores_after(recommender, history)
        able = [item for item in range(1, 41) if item not in history or item == target]
        best_first = sorted(able, key=lambda item: -scores[item])
        ranks.append(best_first.index(target))
        disliked.append([item in later for item in best_first])
    recorded = liked.metrics()[part]
    assert len(ranks) > 40
    for k in CUTOFFS:
        assert recorded["full"][f"hit@{k}"] == pytest.approx(np.mean([r < k for r in ranks]))
        share = np.mean([sum(flags[:k]) / k for flags in disliked])
        assert recorded["full"][f"disliked@{k}"] == pytest.approx(share)
    assert share > 0
    assert all("disliked" not in name for name in [*recorded["paper"], *recorded["sasrec"]])


def test_the_training_log_has_the_share_of_every_epoch(liked: RunDirectory) -> None:
    (epoch,) = liked.history()
    assert epoch["val_disliked@10"] == liked.metrics()["valid"]["full"]["disliked@10"]


def test_experiments_compare_the_share(liked: RunDirectory, found: dict[str, Comparison]) -> None:
    recorded = liked.metrics()["test"]["full"]["disliked@10"]
    assert found["full disliked@10"].mean == pytest.approx(recorded)
    assert found["full disliked@10"].user_error == 0
    assert "paper disliked@10" not in found


@pytest.mark.slow
def test_it_goes_on_to_the_same_numbers(liked: RunDirectory, tmp_path: Path) -> None:
    directory, two = RunDirectory(tmp_path / "run"), SETTINGS.replace({"fit.epochs": 2})
    train(SETTINGS, RATED, directory)
    assert metrics_of(directory) == metrics_of(liked)
    train(two, RATED, directory, resume=True)
    unbroken = RunDirectory(tmp_path / "unbroken")
    train(two, RATED, unbroken)
    assert metrics_of(directory) == metrics_of(unbroken)
    assert history_of(directory) == history_of(unbroken)


def test_evaluate_shows_the_share(liked: RunDirectory, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("tf_recdenoiser.runs.loading.load_dataset", lambda *_, **__: RATED)
    monkeypatch.setenv("COLUMNS", "80")
    recorded = liked.metrics()["test"]
    found = tf_recdenoiser("evaluate", liked.path, "--json")
    assert json.loads(found.out)["metrics"] == recorded
    shown = tf_recdenoiser("evaluate", liked.path).out
    last = [line[-1] for line in rows(shown)]
    assert last == [f"{recorded['full']['disliked@10']:.4f}", "-", "-"]
    headers = [line for line in shown.splitlines() if line.startswith("┃")]
    assert [line.strip("┃").split("┃")[-1].strip() for line in headers] == ["Disliked", "@10"]
    assert "disliked@10: the share of disliked items among the first 10" in shown


def test_a_log_without_feedback_is_refused_before_anything_is_written(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="--feedback-column"):
        train(SETTINGS, DATASET, RunDirectory(tmp_path / "run"))
    assert not (tmp_path / "run" / "settings.toml").exists()


def test_fewer_dislikes_close_a_gap() -> None:
    def of(difference: float) -> dict[str, Comparison]:
        return {"full disliked@10": Comparison(0.1, difference, 0.0, 0.01, 0.1, 0.1, seeds=2)}

    methods = {"plain": of(0.0), "oracle": of(-0.02), "better": of(-0.01), "worse": of(0.01)}
    gaps = {name: gap for name, (gap, _) in closed_gap(methods, "full disliked@10").items()}
    assert gaps == pytest.approx({"plain": 0.0, "oracle": 1.0, "better": 0.5, "worse": -0.5})
    assert str(gaps["plain"]) == "0.0"


@pytest.mark.slow
def test_noise_injected_into_a_rated_log_leaves_what_is_held_out(tmp_path: Path) -> None:
    noisy = SETTINGS.replace({"noise.injection.rate": 0.3})
    metrics = train(noisy, RATED, RunDirectory(tmp_path / "run"))
    assert metrics["test"]["full"]["disliked@20"] > 0
