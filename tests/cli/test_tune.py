"""`tf-recdenoiser tune`: from a log to the run with the best settings."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from tests.cli.shell import PLAIN, SYNTHETIC, Outcome, rows, tf_recdenoiser
from tf_recdenoiser.cli.tune import as_text
from tf_recdenoiser.runs import RunDirectory, Settings, as_toml
from tf_recdenoiser.tuning import best_trial, load_search
from tf_recdenoiser.tuning.trial import Trial

ENTRY = "from tf_recdenoiser.cli import main; main()"
SEARCHED = ("--search", "model.dropout=[0.0, 0.3]")
FEW = ("--objective", "bce", "--learning-rate", 0.01, *SEARCHED)


def trial(out: Path, number: int) -> Trial:
    directory = RunDirectory(out / "trials" / str(number))
    settings = directory.settings()
    values = {path: settings.paths()[path] for path in ("model.num_heads", "model.dropout")}
    return Trial(number, values, settings, directory).ended("full")


@pytest.fixture(scope="module")
def tuned(tmp_path_factory: pytest.TempPathFactory) -> tuple[Outcome, Path]:
    """A search of two trials. Not to be written to."""
    folder = tmp_path_factory.mktemp("tune")
    config, out = folder / "some.toml", folder / "my search"
    config.write_text('objective = "bce"\n[fit]\nlearning_rate = 0.01\n')
    options = (*PLAIN, "--config", config, *SEARCHED, "--trials", 2)
    return tf_recdenoiser("tune", *SYNTHETIC, "--out", out, *options), out


def test_what_is_fixed_is_not_searched(tuned: tuple[Outcome, Path]) -> None:
    outcome, out = tuned
    assert outcome.status == 0, outcome.err
    search = load_search(out)
    assert search is not None
    assert search.choices == {"model.num_heads": (1, 2, 4), "model.dropout": (0.0, 0.3)}
    assert (
        search.base.model.hidden_dim,
        search.base.gates.name,
        search.base.fit.learning_rate,
    ) == (
        8,
        "none",
        0.01,
    )


def test_trials_are_shown_and_the_best_is_an_ordinary_run(tuned: tuple[Outcome, Path]) -> None:
    outcome, out = tuned
    trials = [trial(out, number) for number in (1, 2)]
    best = best_trial(trials)
    ranked = sorted(trials, key=lambda one: one is not best)
    assert rows(outcome.out)[:2] == [
        [str(one.number), f"{one.score:.4f}", "1", as_text(one.values)] for one in ranked
    ]
    assert outcome.out.splitlines()[-1] == (
        f"The best: {as_text(best.values)}. The run lies in {out / 'best'}."
    )
    for one in trials:
        assert f"Trial {one.number} of at most 2, 1 epoch: {as_text(one.values)}\n" in outcome.err
        assert f"Trial {one.number}: validation NDCG@10 {one.score:.4f}; " in outcome.err
    assert "Search: Running" not in outcome.out + outcome.err  # KerasTuner's own words
    assert RunDirectory(out / "best").settings() == best.settings
    shown = tf_recdenoiser("evaluate", out / "best", "--protocol", "full")
    assert shown.status == 0
    assert f"{best.directory.metrics()['test']['full']['ndcg@10']:.4f}" in shown.out
    history = ("--history", "c00-i000")
    assert tf_recdenoiser("recommend", out / "best", *history).status == 0


def test_more_trials_may_be_asked_for_and_nothing_else(tuned: tuple[Outcome, Path]) -> None:
    _, out = tuned
    again = tf_recdenoiser("tune", *SYNTHETIC, "--out", out, *PLAIN)
    assert again.status == 1
    assert f"{out} already holds a search. Go on with it by --resume" in again.err
    other = tf_recdenoiser("tune", "synthetic", "--out", out, "--resume", "--hidden-dim", 4)
    assert other.status == 1
    assert "Received: model.hidden_dim: 4, was 8\n" in other.err
    more = tf_recdenoiser("tune", "synthetic", "--out", out, "--resume", "--trials", 3)
    assert more.status == 0, more.err
    assert sorted(row[0] for row in rows(more.out)[:3]) == ["1", "2", "3"]
    assert "Trial 1 of" not in more.err
    assert "Trial 3 of at most 3" in more.err


def test_failing_trials_are_listed_and_none_completed_is_an_error(tmp_path: Path) -> None:
    bad = (*PLAIN, "--learning-rate", 0.01, "--dropout", 0, "--objective", "bce")
    bad += ("--search", "model.num_heads=[3, 5]")
    outcome = tf_recdenoiser("tune", *SYNTHETIC, "--out", tmp_path, *bad, "--trials", 3)
    assert outcome.status == 1
    assert outcome.out.count("failed") == 2
    assert "Trial 2 failed: ValueError: " in outcome.err
    assert "Error: None of 2 trials completed" in outcome.err
    assert "Traceback" not in outcome.err


def test_an_option_has_an_effect_beside_what_is_searched(tmp_path: Path) -> None:
    options = (*PLAIN, *FEW, "--trials", 1, "--set", "model.jacobian_batch_size=8")
    alone = tf_recdenoiser("tune", *SYNTHETIC, "--out", tmp_path, *options)
    assert "`model.jacobian_batch_size` has no effect with model.gamma=0" in alone.err
    beside = tf_recdenoiser(
        "tune", *SYNTHETIC, "--out", tmp_path, *options, "--search", "model.gamma=[0.1]"
    )
    assert beside.status == 0, beside.err
    best = RunDirectory(tmp_path / "best").settings()
    assert (best.model.gamma, best.model.jacobian_batch_size) == (0.1, 8)


@pytest.mark.parametrize(
    ("search", "message"),
    [
        ("speed=[1, 2]", "There is no setting `speed` to search."),
        ("hidden_dim=[8, 16]", "Did you mean model.hidden_dim?"),
        ('model.hidden_dim=["wide"]', "`model.hidden_dim` must be a whole number"),
        ("model.hidden_dim", "A setting is written PATH=VALUE"),
        ("fit.epochs=[1, 2]", "`fit.epochs` cannot be searched"),
    ],
)
def test_what_cannot_be_searched_is_said(search: str, message: str, tmp_path: Path) -> None:
    outcome = tf_recdenoiser("tune", *SYNTHETIC, "--out", tmp_path / "new", "--search", search)
    assert outcome.status == 1
    assert message in outcome.err
    assert not (tmp_path / "new").exists()


def test_something_is_left_to_search(tmp_path: Path) -> None:
    config = tmp_path / "settings.toml"
    config.write_text(as_toml(Settings.of("synthetic")))
    outcome = tf_recdenoiser("tune", *SYNTHETIC, "--out", tmp_path / "new", "--config", config)
    assert outcome.status == 1
    assert "Something must be left to search: say what by `--search" in outcome.err
    assert not (tmp_path / "new").exists()


@pytest.mark.slow
@pytest.mark.skipif(os.name == "nt", reason="there is no SIGINT for a process on Windows")
def test_ctrl_c_leaves_a_search_that_goes_on(tmp_path: Path) -> None:
    out = tmp_path / "my search"
    command = ["tune", *SYNTHETIC, "--out", str(out), *PLAIN, *map(str, FEW), "--trials", "6"]
    with subprocess.Popen(
        [sys.executable, "-c", ENTRY, *command],
        env={**os.environ, "PYTHONUNBUFFERED": "1"},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    ) as process:
        assert process.stderr is not None
        for line in process.stderr:
            if line.startswith("Trial 2 of"):
                break
        process.send_signal(signal.SIGINT)
        printed, told = process.communicate()
    assert process.returncode == 130
    assert printed == ""
    assert told.splitlines()[-1] == (
        f"Stopped in trial 2. Go on with: tf-recdenoiser tune synthetic --out '{out}' --resume"
    )
    assert "Traceback" not in told
    first = trial(out, 1).directory.metrics_file.stat().st_mtime_ns
    resumed = tf_recdenoiser("tune", "synthetic", "--out", out, "--resume", "--trials", 2)
    assert resumed.status == 0, resumed.err
    assert trial(out, 1).directory.metrics_file.stat().st_mtime_ns == first
    assert trial(out, 2).score is not None
