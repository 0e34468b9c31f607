"""`tf-recdenoiser train`: from a log and options to a run directory."""

from __future__ import annotations

import importlib.util
import json
from collections.abc import Callable
from itertools import chain
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pytest
import tensorflow as tf
import tomlkit

from tests.cli.flags import FLAGS
from tests.cli.shell import GATED, PLAIN, SMALL, SYNTHETIC, Outcome, rows, tf_recdenoiser, words
from tests.params import only
from tf_recdenoiser.data import Dataset
from tf_recdenoiser.layers import GATES
from tf_recdenoiser.runs import PRESETS, RunDirectory, Settings
from tf_recdenoiser.training import OBJECTIVES

Copy = Callable[[RunDirectory], RunDirectory]
Asked = list[tuple[Settings, Dataset, bool]]
SETS = {"log.users": 60, "log.items": 40, "log.clusters": 5}
METRICS = ("hit@1", "hit@5", "hit@10", "ndcg@5", "ndcg@10")


def json_of(directory: RunDirectory, name: str) -> Any:
    return json.loads((directory.path / name).read_text(encoding="utf-8"))


# --- What a person sees -----------------------------------------------------------------------


def test_results_go_to_standard_output(finished: tuple[Outcome, RunDirectory]) -> None:
    outcome, directory = finished
    assert outcome.status == 0
    metrics = directory.metrics()
    assert rows(outcome.out) == [
        ["sasrec", protocol, *(f"{values[name]:.4f}" for name in METRICS)]
        for protocol, values in metrics["test"].items()
    ]
    shares = ", ".join(f"{share:.2f}" for share in metrics["density"])
    assert f"Share of gates kept, by layer: {shares}\n" in outcome.out
    assert len(metrics["density"]) == 2
    last = outcome.out.splitlines()[-1]
    assert last == f"Best epoch {metrics['best_epoch']} of 2. The run lies in {directory.path}."


def test_progress_goes_to_standard_error(finished: tuple[Outcome, RunDirectory]) -> None:
    outcome, directory = finished
    lines = outcome.err.splitlines()
    counts = json_of(directory, "data.json")
    assert lines[0] == (
        f"{counts['interactions']:,} rows read, {counts['interactions']:,} kept: "
        "60 users, 40 items."
    )
    heading = "epoch loss data sparsity jacobian val hit@10 val ndcg@10 seconds density"
    assert lines[-3].split() == heading.split()
    for line, row in zip(lines[-2:], directory.history(), strict=True):
        names = ("loss", "data", "sparsity", "jacobian", "val_hit@10", "val_ndcg@10")
        assert line.split() == [
            str(row["epoch"]),
            *(f"{row[name]:.4f}" for name in names),
            f"{row['seconds']:.1f}",
            *(f"{row[name]:.2f}" for name in ("density_1", "density_2")),
        ]


def test_a_run_without_gates_says_nothing_of_them(
    shop: tuple[Outcome, RunDirectory, Path],
) -> None:
    outcome, directory, _ = shop
    assert outcome.status == 0
    assert directory.metrics()["density"] == directory.metrics()["keep"] == []
    assert "gates" not in outcome.out
    assert outcome.err.splitlines()[-1].split()[-1] == "-"
    (row,) = directory.history()
    assert row["sparsity"] == row["jacobian"] == 0
    assert row["loss"] == pytest.approx(row["data"])


@pytest.mark.parametrize("kind", only("item".__eq__, GATES))
def test_a_run_with_gates_of_each_kind_is_trained_explained_and_exported(
    kind: str, tmp_path: Path
) -> None:
    run, exported = tmp_path / "run", tmp_path / "model"
    options = (
        *SMALL,
        "--num-layers",
        2,
        "--epochs",
        1,
        "--gates",
        kind,
        "--set",
        "gates.estimator_batch_size=16",
    )
    penalty = ("--gamma", 1e-4, "--set", "model.jacobian_batch_size=8")
    outcome = tf_recdenoiser("train", *SYNTHETIC, "--out", run, *options, *penalty)
    assert outcome.status == 0, outcome.err
    metrics = RunDirectory(run).metrics()
    layers = 1 if GATES[kind].shared else 2
    assert len(metrics["density"]) == layers
    assert all(0 < share < 1 for share in metrics["keep"])
    history = json_of(RunDirectory(run), "vocabulary.json")[:4]
    explained = tf_recdenoiser("explain", run, "--history", ",".join(history), "--json")
    kept = np.array([entry["kept"] for entry in json.loads(explained.out)])
    assert tf_recdenoiser("export", run, "--to", exported).status == 0
    loaded = tf.saved_model.load(str(exported / "1"))
    served = loaded.signatures["explain"](
        histories=tf.constant([history]), lengths=tf.constant([-1])
    )
    np.testing.assert_allclose(served["kept_per_layer"][0], kept.T, atol=1e-6)


@pytest.mark.parametrize("objective", only("gbce".__eq__, OBJECTIVES))
def test_a_run_with_each_objective_is_trained(objective: str, tmp_path: Path) -> None:
    noise = ("--detector", "oracle", "--set", "noise.injection.rate=0.2")
    options = (*PLAIN, "--objective", objective, *noise)
    outcome = tf_recdenoiser("train", *SYNTHETIC, "--out", tmp_path / "run", *options)
    assert outcome.status == 0, outcome.err
    assert np.isfinite(RunDirectory(tmp_path / "run").history()[0]["loss"])


@pytest.mark.slow
@pytest.mark.parametrize(
    ("attention", "gates"),
    [
        ("entmax", "positional"),
        ("strided", "relative"),
        ("linear", "key"),
        ("softmax", "head_drop"),
    ],
)
def test_a_run_with_another_attention_is_trained_explained_and_exported(
    attention: str, gates: str, tmp_path: Path
) -> None:
    run, exported = tmp_path / "run", tmp_path / "model"
    options = (*SMALL, "--epochs", 1, "--set", f"model.attention={attention}", "--gates", gates)
    outcome = tf_recdenoiser("train", *SYNTHETIC, "--out", run, *options)
    assert outcome.status == 0, outcome.err
    history = json_of(RunDirectory(run), "vocabulary.json")[:4]
    explained = tf_recdenoiser("explain", run, "--history", ",".join(history), "--json")
    entries = json.loads(explained.out)
    assert tf_recdenoiser("export", run, "--to", exported).status == 0
    loaded = tf.saved_model.load(str(exported / "1"))
    served = loaded.signatures["explain"](
        histories=tf.constant([history]), lengths=tf.constant([-1])
    )
    kept = np.array([entry["kept"] for entry in entries])
    np.testing.assert_allclose(served["kept_per_layer"][0], kept.T, atol=1e-6)
    shares = served["attention_per_layer"][0].numpy().sum(axis=-1)
    assert np.all((shares > 0) & (shares < 1 + 1e-5))


def test_a_combination_that_makes_no_sense_is_refused(tmp_path: Path) -> None:
    options = (*GATED, "--set", "model.attention=linear")
    outcome = tf_recdenoiser("train", *SYNTHETIC, "--out", tmp_path / "run", *options)
    assert (outcome.status, outcome.out) == (1, "")
    assert "which never forms the weights of pairs; use key gates" in outcome.err
    assert not (tmp_path / "run").exists()


# --- Settings ---------------------------------------------------------------------------------


def test_every_flag_is_a_setting(
    untrained: Asked, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    Path("log.csv").write_text("who,what,when,stars\nann,tea,1,5\n,rice,2,4\n")
    options = chain.from_iterable((flag, value) for flag, (value, _) in FLAGS.items())
    outcome = tf_recdenoiser("train", "log.csv", "--out", "run", *options)
    assert outcome.status == 0, outcome.err
    expected = {path: value for value, path in FLAGS.values()}
    assert untrained[0][0] == Settings.of("log.csv", expected)
    found = untrained[0][0].paths()
    assert {path: found[path] for path in expected} == expected
    assert not {path for path, value in expected.items() if Settings().paths().get(path) == value}


def test_what_is_not_given_is_the_default(untrained: Asked, tmp_path: Path) -> None:
    assert tf_recdenoiser("train", *SYNTHETIC, "--out", tmp_path / "run").status == 0
    assert untrained[0][0] == Settings.of("synthetic", SETS)


def test_a_preset_is_what_no_option_says_otherwise(untrained: Asked, tmp_path: Path) -> None:
    options = ("--preset", "paper", "--beta", 0.1, "--set", "gates.credit=true")
    tf_recdenoiser("train", *SYNTHETIC, "--out", tmp_path / "run", *options)
    expected = {**PRESETS["paper"], "gates.beta": 0.1, "gates.credit": True}
    assert untrained[0][0] == Settings.of("synthetic", {**SETS, **expected})


def test_the_plain_preset_is_a_run_without_the_denoiser(untrained: Asked, tmp_path: Path) -> None:
    tf_recdenoiser("train", *SYNTHETIC, "--out", tmp_path / "run", "--preset", "plain")
    assert untrained[0][0] == Settings.of("synthetic", SETS).plain()


def test_a_file_is_what_no_option_says_otherwise(untrained: Asked, tmp_path: Path) -> None:
    config = tmp_path / "run.toml"
    config.write_text('gates = "relative"\n[model]\nhidden_dim = 20\n[fit]\nepochs = 3\n')
    options = ("--config", config, "--epochs", 5, "--set", "fit.l2=0.25")
    outcome = tf_recdenoiser("train", *SYNTHETIC, "--out", tmp_path / "run", *options)
    assert outcome.status == 0, outcome.err
    of_file = {"gates": "relative", "model.hidden_dim": 20}
    stated = {"fit.epochs": 5, "fit.l2": 0.25}
    assert untrained[0][0] == Settings.of("synthetic", {**SETS, **of_file, **stated})


def test_the_settings_of_a_run_are_those_of_the_next(
    untrained: Asked, trained: RunDirectory, tmp_path: Path
) -> None:
    config = ("--config", trained.path / "settings.toml", "--seed", 1)
    outcome = tf_recdenoiser("train", "--out", tmp_path / "run", *config)
    assert outcome.status == 0, outcome.err
    assert untrained[0][0] == trained.settings().replace({"seed": 1})


def test_without_a_log_nothing_is_trained(tmp_path: Path) -> None:
    outcome = tf_recdenoiser("train", "--out", tmp_path / "run")
    assert outcome.status == 1
    assert "A log must be given, or a `--config` that names one." in outcome.err


def test_the_settings_are_printed_as_a_file_that_can_be_used(tmp_path: Path) -> None:
    config = tmp_path / "run.toml"
    printed = tf_recdenoiser("settings", *SYNTHETIC, *GATED, "--set", "gates.delay=2")
    assert (printed.status, printed.err) == (0, "")
    config.write_text(printed.out)
    again = tf_recdenoiser("settings", "--config", config)
    assert again.out == printed.out
    gates = {"gates": "relative", "gates.delay": 2}
    expected = Settings.of("synthetic", {**SETS, **gates}).document()
    assert tomlkit.parse(printed.out)["gates"] == expected["gates"]
    assert tomlkit.parse(printed.out)["log"] == expected["log"]


def test_zero_batches_are_whole_batches(untrained: Asked, tmp_path: Path) -> None:
    whole = ("--gamma", 1e-4, "--set", "model.jacobian_batch_size=none")
    tf_recdenoiser("train", *SYNTHETIC, "--out", tmp_path / "run", *GATED, *whole)
    assert untrained[0][0].model.jacobian_batch_size is None


@pytest.mark.parametrize("command", ["train", "tune"])
@pytest.mark.parametrize(
    ("options", "message"),
    [
        (("--gates", "none", "--beta", 0.1), "`gates.beta` has no effect here: it goes with gates"),
        (
            ("--gates", "head_drop", "--set", "gates.credit=false"),
            "`gates.credit` has no effect here: it goes with gates positional, ",
        ),
        (("--set", "gates.rate=0.3"), "`gates.rate` has no effect here: it goes with gates layer"),
        (("--set", "gates.source=runs/other"), "`gates.source` has no effect here"),
        (
            ("--gamma", 0, "--set", "model.jacobian_batch_size=8"),
            "`model.jacobian_batch_size` has no effect with model.gamma=0",
        ),
        (("--backbone", "caser", "--estimator", "arm"), "`gates.estimator` has no effect here"),
        (
            ("--set", "noise.injection.seed=0"),
            "`noise.injection.seed` has no effect with noise.injection.rate=0",
        ),
        (
            ("--detector", "none", "--set", "noise.distribution=uniform"),
            "`noise.distribution` has no effect with noise.detector='none'",
        ),
        (("--set", "model.hiddendim=8"), "Did you mean model.hidden_dim?"),
        (("--set", "hidden_dim=8"), "Did you mean model.hidden_dim?"),
        (("--set", "fit.epochs=many"), "`fit.epochs` must be a whole number"),
        (("--set", "model=transformer"), "`model` must be one of sasrec, "),
        (
            ("--epochs", 3, "--set", "fit.epochs=4"),
            "`fit.epochs` must be given once. Received: fit.epochs=3 and 4",
        ),
        (
            ("--set", "gates=item", "--set", "gates.name=item"),
            "`gates` must be given once. Received: gates='item' and 'item'",
        ),
        (("--set", "fit.epochs"), "A setting is written PATH=VALUE"),
        (("--config", "no-such.toml"), "A file of settings must be there"),
        (("--learning-rate", 0), "`learning_rate` must be above 0. Received: learning_rate=0.0"),
        (
            ("--gates", "relative", "--set", "gates.initial_keep=0.5"),
            "`initial_keep` must be above 0.5",
        ),
        (
            ("--objective", "cross_entropy", "--set", "objective.negatives=3"),
            "`objective.negatives` has no effect here: it goes with objective bce, ",
        ),
    ],
)
def test_a_setting_that_cannot_be_or_has_no_effect_is_refused(
    command: str, options: tuple[Any, ...], message: str, tmp_path: Path
) -> None:
    outcome = tf_recdenoiser(command, *SYNTHETIC, "--out", tmp_path / "run", *options)
    assert (outcome.status, outcome.out) == (1, "")
    assert message in outcome.err
    assert "Traceback" not in outcome.err
    assert not (tmp_path / "run").exists()


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (("--hidden-dim", 8, "--num-heads", 3), "`num_heads` must divide"),
        (
            ("--gates", "relative", "--set", "gates.target_density=0.5", "--beta", 0.1),
            "`target_density` must be None where `beta` is above 0",
        ),
    ],
)
def test_settings_that_do_not_go_together_are_refused(
    options: tuple[Any, ...], message: str, tmp_path: Path
) -> None:
    outcome = tf_recdenoiser("train", *SYNTHETIC, "--out", tmp_path / "run", *options)
    assert (outcome.status, outcome.out) == (1, "")
    assert message in outcome.err
    assert not (tmp_path / "run").exists()


def test_without_a_log_the_settings_are_the_defaults() -> None:
    printed = tf_recdenoiser("settings")
    assert printed.status == 0
    assert Settings().replace(tomlkit.parse(printed.out).unwrap()) == Settings()


@pytest.mark.parametrize(
    "options",
    [
        ("--gates", "head_drop", "--set", "gates.rate=0.3"),
        ("--gates", "relative", "--beta", 0.1, "--estimator", "arm", "--set", "gates.credit=false"),
        ("--set", "noise.injection.rate=0.2", "--set", "noise.injection.seed=1"),
    ],
)
def test_an_option_with_effect_is_taken(
    untrained: Asked, options: tuple[Any, ...], tmp_path: Path
) -> None:
    outcome = tf_recdenoiser("train", *SYNTHETIC, "--out", tmp_path / "run", *options)
    assert outcome.status == 0, outcome.err


# --- Logs -------------------------------------------------------------------------------------

EVENTS = [
    ("u1", "tea", 5),
    ("u2", "rice", 1),
    ("u1", "nori", 2),
    ("u2", "tea", 3),
    ("u1", "tea", 9),
]


def write_csv(path: Path, events: list[tuple[str, str, int]]) -> None:
    lines = [f"{time},{item},{user}" for user, item, time in events]
    path.write_text("\n".join(["timestamp,item_id,user_id", *lines]))


def write_recbole(path: Path, events: list[tuple[str, str, int]]) -> None:
    lines = ["\t".join(map(str, event)) for event in events]
    path.write_text("\n".join(["user_id:token\titem_id:token\ttimestamp:float", *lines]))


def write_parquet(path: Path, events: list[tuple[str, str, int]]) -> None:
    pl.DataFrame(events, schema=["user", "item", "time"], orient="row").write_parquet(path)


def write_pairs(path: Path, events: list[tuple[str, str, int]]) -> None:
    in_order = sorted(events, key=lambda event: event[2])
    path.write_text("\n".join(f"{user} {item}" for user, item, _ in in_order))


@pytest.mark.parametrize(
    ("name", "write"),
    [
        ("log.csv", write_csv),
        ("log.inter", write_recbole),
        ("log.parquet", write_parquet),
        ("log.txt", write_pairs),
    ],
)
@pytest.mark.parametrize("numbers", [False, True], ids=["text ids", "number ids"])
def test_every_format_gives_the_same_sequences(
    untrained: Asked,
    tmp_path: Path,
    name: str,
    write: Callable[[Path, list[tuple[str, str, int]]], None],
    numbers: bool,
) -> None:
    ids: dict[str, Any] = {"nori": 70, "rice": 9, "tea": 1000} if numbers else {}
    named = [(user, str(ids.get(item, item)), time) for user, item, time in EVENTS]
    write(tmp_path / name, named)
    outcome = tf_recdenoiser("train", tmp_path / name, "--out", tmp_path / "run")
    assert outcome.status == 0, outcome.err
    vocabulary = json_of(RunDirectory(tmp_path / "run"), "vocabulary.json")
    assert vocabulary == ([9, 70, 1000] if numbers else ["nori", "rice", "tea"])
    dataset = untrained[0][1]
    found = {
        user: dataset.item_ids[dataset.sequence(row) - 1].tolist()
        for row, user in enumerate(dataset.user_ids.tolist())
    }
    expected = {"u1": ["nori", "tea", "tea"], "u2": ["rice", "tea"]}
    assert found == {user: [ids.get(i, i) for i in items] for user, items in expected.items()}


def test_bad_rows_are_refused_with_their_numbers(
    shop: tuple[Outcome, RunDirectory, Path], tmp_path: Path
) -> None:
    log = shop[2]
    outcome = tf_recdenoiser("train", log, "--out", tmp_path / "run", *PLAIN)
    assert outcome.status == 1
    assert outcome.out == ""
    for part in ("3 bad of 76 rows", "(line 74)", "(line 76)", "(line 77)", "--on-bad-row skip"):
        assert part in outcome.err
    assert not (tmp_path / "run").exists()


def test_bad_rows_are_skipped_and_listed(shop: tuple[Outcome, RunDirectory, Path]) -> None:
    outcome, directory, _ = shop
    report = " ".join(words(outcome.err))
    assert "76 rows read, 73 kept: 13 users, 20 items." in report
    assert "Bad rows, skipped: 3." in report
    assert "empty item id (line 74)" in report
    assert "blank line (line 76)" in report
    assert "too few fields (3 expected) (line 77)" in report
    # The user with one row is trained on and not evaluated: each of 12 has a share of 1/12.
    assert "trained on but not evaluated: 1 (1 with one)." in report
    assert json_of(directory, "data.json")["users"] == 13
    hits = directory.metrics()["test"]["full"]["hit@10"] * 12
    assert hits == pytest.approx(round(hits))


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (None, "must be a file that can be read"),
        ("", "which is empty"),
        ("user,item\n", "must hold at least one usable interaction"),
        ("user,thing\na,1\n", "Which column holds the items?"),
        ("user,item\na,1\na,2\nb,3\nb,4\n", "users with at least three interactions"),
        ("user,item\na,1\na,2\na,3\n", "at least two items"),
    ],
    ids=["missing", "empty", "header only", "no item column", "short users", "nothing to learn"],
)
def test_a_log_that_cannot_be_used_is_said_to_be_so(
    tmp_path: Path, content: str | None, message: str
) -> None:
    log = tmp_path / "log.csv"
    if content is not None:
        log.write_text(content)
    outcome = tf_recdenoiser("train", log, "--out", tmp_path / "run")
    assert outcome.status == 1
    assert outcome.out == ""
    assert message in outcome.err
    assert "Traceback" not in outcome.err
    assert not (tmp_path / "run").exists()


# --- Run directories --------------------------------------------------------------------------


def test_a_run_is_not_overwritten_and_its_data_not_even_read(trained: RunDirectory) -> None:
    outcome = tf_recdenoiser("train", "no-such-log.csv", "--out", trained.path)
    assert outcome.status == 1
    assert outcome.err.startswith(f"Error: {trained.path} already holds a run.")
    assert "--resume" in outcome.err


def test_a_resumed_run_need_not_repeat_its_settings(
    trained: RunDirectory, copy: Copy, untrained: Asked
) -> None:
    run = copy(trained)
    command = ("train", "synthetic", "--out", run.path, "--resume")
    assert tf_recdenoiser(*command, "--epochs", 4, "--hidden-dim", 8).status == 0
    settings, _, resume = untrained[0]
    assert settings == trained.settings().replace({"fit.epochs": 4})
    assert resume


def test_a_resumed_run_refuses_other_settings(trained: RunDirectory, copy: Copy) -> None:
    run = copy(trained)
    command = ("train", *SYNTHETIC, "--out", run.path, "--resume", *GATED)
    outcome = tf_recdenoiser(*command, "--beta", 0.5, "--set", "gates.credit=false")
    assert outcome.status == 1
    recorded = trained.settings()
    assert "keeps its settings, except fit.epochs and fit.patience" in outcome.err
    assert (
        f"Received: gates.beta: 0.5, was {recorded.gates.beta}, gates.credit: False, was True"
        in outcome.err
    )


def test_a_resumed_run_refuses_another_preset(trained: RunDirectory, copy: Copy) -> None:
    run = copy(trained)
    outcome = tf_recdenoiser(
        "train", *SYNTHETIC, "--out", run.path, "--resume", "--preset", "paper"
    )
    assert outcome.status == 1
    assert "keeps its settings" in outcome.err and "fit.windows: 'newest', was" in outcome.err


def test_resuming_without_a_run_begins_one(untrained: Asked, tmp_path: Path) -> None:
    assert tf_recdenoiser("train", *SYNTHETIC, "--out", tmp_path / "new", "--resume").status == 0
    assert RunDirectory(tmp_path / "new").exists()


# --- TensorBoard ------------------------------------------------------------------------------


def test_event_files_are_written_on_request_alone(
    shop: tuple[Outcome, RunDirectory, Path], trained: RunDirectory
) -> None:
    written = {path.parent.name for path in shop[1].tensorboard.rglob("events.out.tfevents.*")}
    assert written == {"train", "validation"}
    assert not trained.tensorboard.exists()


def test_without_its_package_tensorboard_is_refused(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    found = importlib.util.find_spec
    monkeypatch.setattr(
        importlib.util, "find_spec", lambda name: None if name == "tensorboard" else found(name)
    )
    outcome = tf_recdenoiser("train", *SYNTHETIC, "--out", tmp_path / "run", "--tensorboard")
    assert outcome.status == 1
    assert "install tf_recdenoiser[tensorboard]" in outcome.err
    assert not (tmp_path / "run").exists()
