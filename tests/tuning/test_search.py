"""A search runs its trials, goes on after an interruption, and tells what failed."""

from __future__ import annotations

import dataclasses
import importlib.util
import json
import os
from pathlib import Path
from typing import Any

import pytest

from tests.runs.small import DATASET, history_of, metrics_of, plain
from tf_recdenoiser._keras import IS_KERAS_3
from tf_recdenoiser.data import prepare, synthetic_log
from tf_recdenoiser.runs import RunDirectory, RunError, load_run, resolve
from tf_recdenoiser.tuning import Search, SearchObserver, Trial, best_trial, run_search, train_best
from tf_recdenoiser.tuning.tuners import sweep_size

BASE = plain({"fit.epochs": 1, "seed": 0})
CHOICES = {"model.hidden_dim": (4, 8), "fit.learning_rate": (1e-3, 1e-2)}
SEARCH = Search(BASE, CHOICES, trials=3, protocol="paper")


class Notes(SearchObserver):
    """What was told; stops as Ctrl-C does before the trial with the number `stop`."""

    def __init__(self, stop: int = 0) -> None:
        self.begun: list[int] = []
        self.ended: list[Trial] = []
        self._stop = stop

    def begin_trial(self, trial: Trial) -> None:
        if trial.number == self._stop:
            raise KeyboardInterrupt
        self.begun.append(trial.number)

    def end_trial(self, trial: Trial) -> None:
        self.ended.append(trial)


def told(trials: list[Trial]) -> list[Any]:
    """What is the same of two searches in different directories."""
    return [(t.number, t.values, t.settings, t.score, t.failure) for t in trials]


@pytest.fixture(scope="module")
def finished(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, list[Trial]]:
    """A whole search. Not to be written to."""
    out = tmp_path_factory.mktemp("tuning") / "search"
    return out, run_search(SEARCH, DATASET, out)


def test_each_trial_is_an_ordinary_run(
    finished: tuple[Path, list[Trial]], capsys: pytest.CaptureFixture[str]
) -> None:
    out, trials = finished
    assert [trial.number for trial in trials] == [1, 2, 3]
    assert len({tuple(trial.values.values()) for trial in trials}) == 3
    for trial in trials:
        assert trial.directory.path == out / "trials" / str(trial.number)
        assert trial.settings == BASE.replace(trial.values)
        assert trial.directory.settings() == resolve(trial.settings)
        assert trial.score == trial.directory.metrics()["valid"]["paper"]["ndcg@10"]
        assert trial.failure is None
    assert capsys.readouterr() == ("", "")  # KerasTuner says nothing


def test_a_search_that_was_stopped_goes_on_to_the_same(
    finished: tuple[Path, list[Trial]], tmp_path: Path
) -> None:
    with pytest.raises(KeyboardInterrupt):
        run_search(SEARCH, DATASET, tmp_path, observer=Notes(stop=2))
    again = Notes()
    trials = run_search(SEARCH, DATASET, tmp_path, resume=True, observer=again)
    assert again.begun == [2, 3]
    assert again.ended == trials
    assert told(trials) == told(finished[1])


def test_the_best_is_trained_again(finished: tuple[Path, list[Trial]], tmp_path: Path) -> None:
    _, trials = finished
    best = best_trial(trials)
    assert best.score == max(trial.score or 0.0 for trial in trials)
    metrics = train_best(SEARCH, trials, DATASET, tmp_path)
    run = load_run(tmp_path / "best")
    assert run.settings == resolve(best.settings)
    assert run.recommender.backbone.get_config()["hidden_dim"] == best.values["model.hidden_dim"]
    assert {**metrics, "seconds": 0} == {**best.directory.metrics(), "seconds": 0}
    # Further trials found a better one: the old best makes room.
    other = next(trial for trial in trials if trial is not best)
    found = [best, dataclasses.replace(other, score=1.0)]
    train_best(SEARCH, found, DATASET, tmp_path)
    assert RunDirectory(tmp_path / "best").settings() == resolve(other.settings)


def test_a_search_keeps_to_what_it_was(finished: tuple[Path, list[Trial]]) -> None:
    out, trials = finished
    with pytest.raises(RunError, match="already holds a search"):
        run_search(SEARCH, DATASET, out)
    changed = dataclasses.replace(SEARCH, base=BASE.replace({"seed": 3}))
    with pytest.raises(RunError, match=r"Received: seed: 3, was 0$"):
        run_search(changed, DATASET, out, resume=True)
    with pytest.raises(RunError, match=r"Received: data: "):
        other = prepare(synthetic_log(users=50, items=40, clusters=5).log)
        run_search(SEARCH, other, out, resume=True)
    fewer = dataclasses.replace(SEARCH, trials=2)
    hyperband = dataclasses.replace(fewer, tuner="hyperband")
    with pytest.raises(RunError, match=r"tuner: 'hyperband', was 'random'; trials: 2, was 3$"):
        run_search(hyperband, DATASET, out, resume=True)
    record = (out / "search.json").read_text()
    assert run_search(fewer, DATASET, out, resume=True) == trials[:2]
    (out / "search.json").write_text(record)
    assert json.loads(record)["keras"] == ("keras" if IS_KERAS_3 else "tf_keras")


def test_a_failing_trial_is_told_and_the_rest_goes_on(tmp_path: Path) -> None:
    search = Search(BASE, {"model.num_heads": (2, 3)}, trials=5)
    notes = Notes()
    trials = run_search(search, DATASET, tmp_path, observer=notes)
    assert len(trials) == 2  # there is no third combination
    assert notes.ended == trials
    (failed,) = [trial for trial in trials if trial.score is None]
    assert failed.failure is not None
    assert failed.failure.startswith("ValueError: `num_heads` must divide")
    assert best_trial(trials).values == {"model.num_heads": 2}
    again = Notes()
    assert run_search(search, DATASET, tmp_path, resume=True, observer=again) == trials
    assert again.begun == []


def test_a_search_in_which_nothing_completed_is_an_error(tmp_path: Path) -> None:
    search = Search(BASE, {"model.num_heads": (3, 5, 6, 7)}, trials=4)
    trials = run_search(search, DATASET, tmp_path)
    assert [trial.score for trial in trials] == [None] * 4
    with pytest.raises(RunError, match=r"None of 4 trials completed.*Received: ValueError: "):
        train_best(search, trials, DATASET, tmp_path)
    assert not (tmp_path / "best").exists()


@pytest.mark.slow
def test_hyperband_gives_the_best_more_epochs(tmp_path: Path) -> None:
    base = BASE.replace({"fit.epochs": 4, "model.hidden_dim": 4})
    search = Search(
        base,
        {"fit.learning_rate": (1e-3, 1e-2), "model.dropout": (0.0, 0.1, 0.2)},
        "hyperband",
        trials=sweep_size(2),
    )
    trials = run_search(search, DATASET, tmp_path)
    # A third of 4 epochs, rounded up, for three; the best goes on; two get all from the start.
    assert [trial.settings.fit.epochs for trial in trials] == [2, 2, 2, 4, 4, 4]
    first = max(trials[:3], key=lambda trial: trial.score or 0.0)
    assert trials[3].values == first.values
    ours, theirs = history_of(trials[3].directory), history_of(first.directory)
    assert len(ours) == 4
    assert ours[:2] == theirs
    best = best_trial(trials)
    train_best(search, trials, DATASET, tmp_path)
    run = RunDirectory(tmp_path / "best")
    assert run.settings() == best.settings.replace({"fit.epochs": 4})
    if best.settings.fit.epochs == 4:
        assert metrics_of(run) == metrics_of(best.directory)


@pytest.mark.skipif(importlib.util.find_spec("sklearn") is not None, reason="it is installed")
def test_without_scikit_learn_bayesian_says_what_to_install(tmp_path: Path) -> None:
    with pytest.raises(RunError, match=r"install tf_recdenoiser\[bayesian\].*Received: .*sklearn"):
        run_search(dataclasses.replace(SEARCH, tuner="bayesian"), DATASET, tmp_path)
    assert os.listdir(tmp_path) == []


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"tuner": "grid"}, "`tuner` must be one of .* Received: tuner='grid'"),
        ({"protocol": "all"}, "`protocol` must be one of .* Received: protocol='all'"),
        ({"trials": 0}, "`trials` must be at least 1. Received: trials=0"),
        ({"choices": {}}, "`choices` must leave something"),
        ({"choices": {"objective": ("bce", "no")}}, "`objective` must be one of .* Received: "),
        ({"choices": {"gates.samples": (2,)}}, "Did you mean gates.estimator.samples"),
        ({"choices": {"fit.epochs": (1, 2)}}, "cannot be searched: .*Received: fit.epochs"),
    ],
)
def test_a_search_that_cannot_be_is_refused(changes: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        dataclasses.replace(SEARCH, **changes)
