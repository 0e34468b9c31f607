"""Runs can be repeated, broken and resumed, and stop when nothing improves any more."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pytest

from tests.params import only
from tests.runs.small import DATASET, SYNTHETIC, history_of, metrics_of, plain, small
from tf_recdenoiser._keras import keras
from tf_recdenoiser.data import DataError, Dataset, checked_log, prepare
from tf_recdenoiser.estimators import ESTIMATORS
from tf_recdenoiser.runs import (
    Observer,
    RunDirectory,
    RunError,
    Settings,
    build_recommender,
    checkpoints,
    load_dataset,
    load_run,
    manifest,
    recording,
    resolve,
    train,
)
from tf_recdenoiser.runs.checkpoints import model_variables, write_checkpoint
from tf_recdenoiser.runs.runner import EXTENDABLE
from tf_recdenoiser.runs.scoring import PARTS

Copy = Callable[[RunDirectory], RunDirectory]


def files(directory: RunDirectory) -> set[str]:
    """All files of a run, relative to it."""
    paths = directory.path.rglob("*")
    names = {str(path.relative_to(directory.path)) for path in paths if path.is_file()}
    return names - {".lock"}


def as_unbroken(directory: RunDirectory, unbroken: RunDirectory) -> None:
    """A resumed run has come to the very numbers, and left nothing behind."""
    assert history_of(directory) == history_of(unbroken)
    assert metrics_of(directory) == metrics_of(unbroken)
    assert files(directory) == files(unbroken)
    ours, theirs = (load_run(run.path).recommender for run in (directory, unbroken))
    for variable, expected in zip(ours.variables, theirs.variables, strict=True):
        np.testing.assert_array_equal(variable, expected)


def observed_by(callback: Any) -> Observer:
    """An observer that does nothing but hand on a callback."""
    observer = Observer()
    observer.callbacks = [callback]
    return observer


class Interrupt(keras.callbacks.Callback):
    """Ctrl-C in the middle of an epoch, counted from 1."""

    def __init__(self, epoch: int) -> None:
        super().__init__()
        self._epoch = epoch
        self._current = 0

    def on_epoch_begin(self, epoch: int, logs: dict[str, Any] | None = None) -> None:
        self._current = epoch + 1

    def on_train_batch_end(self, batch: int, logs: dict[str, Any] | None = None) -> None:
        if (self._current, batch) == (self._epoch, 0):
            raise KeyboardInterrupt


# --- What a run leaves behind -----------------------------------------------------------------


def test_a_run_directory_holds_the_run_and_nothing_temporary(unbroken: RunDirectory) -> None:
    assert files(unbroken) == {
        "settings.toml",
        "data.json",
        "environment.json",
        "vocabulary.json",
        "history.jsonl",
        "metrics.json",
        "manifest.json",
        "model.json",
        "checkpoints/last.h5",
        "checkpoints/best.h5",
    }


def test_the_log_has_the_loss_and_its_parts(unbroken: RunDirectory) -> None:
    for number, row in enumerate(unbroken.history(), 1):
        assert row["epoch"] == number
        assert set(row) == {
            "epoch",
            *("loss", "data", "sparsity", "jacobian", "density_1", "keep_1", "seconds"),
            *("val_hit@10", "val_ndcg@10"),
        }
        # The means over batches of a sum are the sum of the means.
        parts = row["data"] + row["sparsity"] + row["jacobian"]
        assert row["loss"] == pytest.approx(parts, rel=1e-5)
        assert min(row["data"], row["sparsity"]) > 0 <= row["jacobian"]
    # Few steps have a penalty on the Jacobian, and so not every short epoch.
    assert any(row["jacobian"] > 0 for row in unbroken.history())


def test_not_every_epoch_need_be_validated_but_the_last_one_is(tmp_path: Path) -> None:
    seen = []

    class Look(keras.callbacks.Callback):
        def on_epoch_end(self, epoch: int, logs: dict[str, Any] | None = None) -> None:
            seen.append(dict(logs or {}))

    directory = RunDirectory(tmp_path / "run")
    train(
        plain({"fit.epochs": 3, "evaluation.validate_every": 2}),
        DATASET,
        directory,
        observer=observed_by(Look()),
    )
    validated = [row["epoch"] for row in directory.history() if "val_ndcg@10" in row]
    assert validated == [2, 3]
    assert directory.metrics()["best_epoch"] in validated
    # Callbacks see what the log will say.
    assert seen == directory.history()


# --- The same again ---------------------------------------------------------------------------


def test_the_seed_decides_everything(
    unbroken: RunDirectory, halfway: RunDirectory, tmp_path: Path
) -> None:
    again, other = RunDirectory(tmp_path / "again"), RunDirectory(tmp_path / "other")
    train(small({"fit.epochs": 2}), DATASET, again)
    assert metrics_of(again) == metrics_of(halfway)
    assert history_of(again) == history_of(halfway) == history_of(unbroken)[:2]
    train(small({"fit.epochs": 2, "seed": 1}), DATASET, other)
    losses = [{row["loss"] for row in run.history()} for run in (other, halfway)]
    assert losses[0].isdisjoint(losses[1])
    assert metrics_of(other)["test"] != metrics_of(halfway)["test"]


# --- Broken and resumed -----------------------------------------------------------------------


@pytest.mark.both_keras
def test_a_resumed_run_ends_as_an_unbroken_one(
    unbroken: RunDirectory, halfway: RunDirectory, copy: Copy
) -> None:
    run = copy(halfway)
    train(small({"fit.epochs": 4}), DATASET, run, resume=True)
    as_unbroken(run, unbroken)
    assert run.settings() == resolve(small({"fit.epochs": 4}))


def test_a_run_stopped_within_an_epoch_does_that_epoch_again(
    unbroken: RunDirectory, halfway: RunDirectory, copy: Copy
) -> None:
    run = copy(halfway)
    with pytest.raises(KeyboardInterrupt):
        train(
            small({"fit.epochs": 4}),
            DATASET,
            run,
            resume=True,
            observer=observed_by(Interrupt(epoch=4)),
        )
    assert history_of(run) == history_of(unbroken)[:3]
    train(small({"fit.epochs": 4}), DATASET, run, resume=True)
    as_unbroken(run, unbroken)


def test_an_epoch_that_was_logged_and_not_saved_is_done_again(
    unbroken: RunDirectory, halfway: RunDirectory, copy: Copy, monkeypatch: pytest.MonkeyPatch
) -> None:
    run = copy(halfway)

    def full_disk(path: Path, *what: Any) -> None:
        if path == run.last:
            raise OSError(28, "No space left on device")
        write(path, *what)

    write = recording.write_checkpoint
    monkeypatch.setattr(recording, "write_checkpoint", full_disk)
    with pytest.raises(OSError, match="No space"):
        train(small({"fit.epochs": 4}), DATASET, run, resume=True)
    monkeypatch.undo()
    assert [row["epoch"] for row in run.history()] == [1, 2, 3]
    train(small({"fit.epochs": 4}), DATASET, run, resume=True)
    as_unbroken(run, unbroken)


def test_a_checkpoint_that_cannot_be_written_leaves_the_one_before(
    halfway: RunDirectory, copy: Copy, monkeypatch: pytest.MonkeyPatch
) -> None:
    run = copy(halfway)
    model, before = load_run(run.path).recommender, run.best.read_bytes()

    def interrupted(*_: Any) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(checkpoints, "sign", interrupted)
    with pytest.raises(KeyboardInterrupt):
        write_checkpoint(run.best, model_variables(model), run.model_record().run)
    assert run.best.read_bytes() == before
    assert files(run) == files(halfway)


def test_a_finished_run_is_evaluated_again_and_not_trained(
    unbroken: RunDirectory, copy: Copy
) -> None:
    run = copy(unbroken)
    run.metrics_file.unlink()
    checkpoint = run.last.read_bytes()
    train(small({"fit.epochs": 4}), DATASET, run, resume=True)
    as_unbroken(run, unbroken)
    assert run.last.read_bytes() == checkpoint
    # Fewer epochs than there are already: nothing can be undone.
    train(small({"fit.epochs": 1}), DATASET, run, resume=True)
    assert metrics_of(run) == metrics_of(unbroken)


def test_metrics_are_those_of_the_best_model(unbroken: RunDirectory, copy: Copy) -> None:
    run = copy(unbroken)
    another = build_recommender(small({"seed": 5}), item_count=40)
    write_checkpoint(run.best, model_variables(another), run.model_record().run)
    manifest.seal(run.path)
    metrics = train(small({"fit.epochs": 4}), DATASET, run, resume=True)
    for part in PARTS:
        result = load_run(run.path).scorer(part).result(another, "full")
        assert metrics[part]["full"] == result.summary()
        assert metrics[part]["full"] != unbroken.metrics()[part]["full"]


def test_a_run_that_was_never_begun_or_stopped_in_its_first_epoch_begins(tmp_path: Path) -> None:
    stopped, straight = RunDirectory(tmp_path / "stopped"), RunDirectory(tmp_path / "straight")
    with pytest.raises(KeyboardInterrupt):
        train(plain({"fit.epochs": 1}), DATASET, stopped, observer=observed_by(Interrupt(epoch=1)))
    assert stopped.exists()
    assert stopped.history() == []
    for directory in (stopped, straight):
        metrics = train(plain({"fit.epochs": 1}), DATASET, directory, resume=True)
        assert metrics["epochs"] == 1
        assert metrics == directory.metrics()
    as_unbroken(stopped, straight)


def test_gates_stand_still_while_they_are_delayed(tmp_path: Path) -> None:
    directory = RunDirectory(tmp_path / "run")
    settings = small(
        {"gates.delay": 2, "fit.epochs": 4, "gates.initial_keep": 0.8, "gates.learning_rate": 0.1}
    )
    with pytest.raises(KeyboardInterrupt):
        train(settings, DATASET, directory, observer=observed_by(Interrupt(2)))
    train(settings, DATASET, directory, resume=True)
    keep = [row["keep_1"] for row in directory.history()]
    assert keep[:2] == pytest.approx([0.8, 0.8], abs=1e-6)
    # The mean over an epoch's steps, of which the first is of gates that have not moved.
    assert keep[3] < keep[2] < 0.8 - 1e-3


# --- Early stopping ---------------------------------------------------------------------------


def test_training_stops_when_patience_is_spent_and_more_patience_goes_on(tmp_path: Path) -> None:
    directory = RunDirectory(tmp_path / "run")
    # Steps so small that no float32 weight changes: epoch 1 is best, and stays it.
    still = plain({"fit.epochs": 9, "fit.patience": 2, "fit.learning_rate": 1e-20})
    metrics = train(still, DATASET, directory)
    assert len({row["val_ndcg@10"] for row in directory.history()}) == 1
    assert (metrics["best_epoch"], metrics["epochs"]) == (1, 3)
    assert len(directory.history()) == 3

    assert train(still, DATASET, directory, resume=True) == metrics
    assert len(directory.history()) == 3

    more = still.replace({"fit.patience": 3})
    metrics = train(more, DATASET, directory, resume=True)
    assert (metrics["best_epoch"], metrics["epochs"]) == (1, 4)


def test_a_run_that_goes_on_is_not_finished(halfway: RunDirectory, copy: Copy) -> None:
    """Else an experiment would keep the metrics of a run that was stopped while it went on."""
    run = copy(halfway)
    with pytest.raises(KeyboardInterrupt):
        train(
            small({"fit.epochs": 4}), DATASET, run, resume=True, observer=observed_by(Interrupt(3))
        )
    assert halfway.metrics_file.exists() and not run.metrics_file.exists()


# --- Refusals ---------------------------------------------------------------------------------


def test_a_directory_with_a_run_is_not_overwritten(halfway: RunDirectory, copy: Copy) -> None:
    run = copy(halfway)
    with pytest.raises(RunError, match=r"already holds a run.*--resume.*another directory"):
        train(small(), DATASET, run)
    assert metrics_of(run) == metrics_of(halfway)


# Where one more, or another word, would not do.
OTHER = {
    "model.name": "sse_pt",
    "model.norm": "pre",
    "model.attention.name": "entmax",
    "gates.name": "pairwise",
    "gates.num_heads": 2,
    "gates.penalty": "edges",
    "gates.inference": "hard",
    "gates.initial_keep": 0.8,
    "gates.estimator.name": "arm",
    "gates.credit": False,
    "gates.estimator_batch_size": 4,
    "objective.name": "bce",
    "objective.share_negatives": False,
    "noise.detector.name": "oracle",
    "noise.distribution": "uniform",
    "noise.injection.rate": 0.5,
    "noise.feedback": False,
    "noise.injection.distribution": "uniform",
    "noise.injection.places": "test",
    "fit.windows": "newest",
    "fit.optimizer": "lazy_adam",
    "fit.precision": "mixed_bfloat16",
    "fit.warm_start": "/another",
}
# What is done about noise has no other value where none is looked for; gates are shuffled only
# if they are another run's, and a density is sought only without a beta. Other targets need a log
# that says what was liked.
# The log has a test of its own.
ALONE = ("log.", "noise.correction.", "gates.shuffle", "gates.target_density", "evaluation.targets")
KEPT = [path for path in small().paths() if path not in EXTENDABLE and not path.startswith(ALONE)]


@pytest.mark.parametrize("path", KEPT)
def test_a_resumed_run_keeps_its_settings(halfway: RunDirectory, path: str) -> None:
    recorded = halfway.settings().paths()[path]
    free = "another" if recorded is None else recorded + 1 if path not in OTHER else None
    value = OTHER.get(path, free)
    changed = halfway.settings().replace({path: value})
    with pytest.raises(RunError, match=r"keeps its settings, except fit\.epochs and") as error:
        train(changed, DATASET, halfway, resume=True)
    assert f"{path}: {value!r}, was {recorded!r}" in str(error.value)


def test_a_resumed_run_keeps_its_data(halfway: RunDirectory) -> None:
    other = load_dataset(Settings.of("synthetic", {**SYNTHETIC, "log.seed": 1}))
    with pytest.raises(RunError, match="content has changed") as error:
        train(small(), other, halfway, resume=True)
    assert str(error.value).startswith("synthetic is not what")


def dataset_of(*sequences: str) -> Dataset:
    rows = [(user, item) for user, items in enumerate(sequences) for item in items]
    table = pl.DataFrame(
        {
            "line": range(1, len(rows) + 1),
            "user": [user for user, _ in rows],
            "item": [item for _, item in rows],
        }
    )
    return prepare(checked_log(table))


@pytest.mark.parametrize(
    ("settings", "dataset", "error", "message"),
    [
        (small({"model.num_heads": 3}), DATASET, ValueError, "`num_heads` must divide"),
        (
            small({"gates.initial_keep": 0.5}),
            DATASET,
            ValueError,
            "`initial_keep` must be above 0.5",
        ),
        (small(), dataset_of("ab", "ba", "c"), DataError, "at least three interactions"),
        (small(), dataset_of("abc", "bca", "d"), DataError, "at least two items"),
    ],
    ids=["num_heads", "initial_keep", "short users", "nothing to learn"],
)
def test_what_cannot_be_trained_leaves_no_directory(
    tmp_path: Path, settings: Settings, dataset: Dataset, error: type[Exception], message: str
) -> None:
    with pytest.raises(error, match=message):
        train(settings, dataset, RunDirectory(tmp_path / "run"))
    assert not (tmp_path / "run").exists()


# --- Every estimator --------------------------------------------------------------------------


@pytest.mark.parametrize("name", only(lambda name: name in ("disarm", "ar"), ESTIMATORS))
def test_every_estimator_moves_the_gates(name: str, tmp_path: Path) -> None:
    # Without β nothing but the estimator does. Two steps: `ar` and `reinforce` have no gradient
    # in the first, which gives them their baseline.
    settings = small(
        {
            "gates.estimator": name,
            "fit.epochs": 1,
            "gates.beta": 0.0,
            "model.gamma": 0.0,
            "gates.learning_rate": 0.1,
        }
    )
    directory = RunDirectory(tmp_path / "run")
    train(settings, DATASET, directory)
    run = load_run(directory.path)
    assert run.settings.gates.estimator.name == name
    (layer,) = run.recommender.gate_layers
    logits, reachable = np.asarray(layer.logits), np.tri(12, dtype=bool)
    start = np.float32(np.log(0.9 / 0.1))
    moved = np.abs(logits - start)
    assert np.isfinite(logits).all()
    assert moved[reachable].max() > 0.01
    assert moved.max() < 0.25  # Adam's steps are hardly larger than its learning rate
    np.testing.assert_array_equal(logits[~reachable], start)
