"""The experiment with injected noise, small: what it trains, keeps, compares and shows."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from tests.params import only
from tests.runs.small import DATASET, SYNTHETIC, plain
from tf_recdenoiser.cli.app import run
from tf_recdenoiser.experiments import Comparison, closed_gap, run_paired
from tf_recdenoiser.experiments.declared.corrections import CORRECTING
from tf_recdenoiser.experiments.measures.finding import finding, noise_finders
from tf_recdenoiser.runs import (
    Run,
    RunDirectory,
    RunError,
    Settings,
    load_dataset,
    load_run,
    load_split,
    resolve,
    train,
)
from tf_recdenoiser.runs.detect import read_detection

SIZES = {
    "model.max_length": 12,
    "model.hidden_dim": 8,
    "model.num_layers": 1,
    "fit.batch_size": 32,
    "fit.patience": 0,
    "evaluation.validate_every": 5,
}
BASE = Settings.of(
    "synthetic",
    {
        **SYNTHETIC,
        **SIZES,
        "noise.injection.rate": 0.3,
        "fit.epochs": 2,
        "noise.detector": "none",
    },
)
LOG = ["synthetic", *(f"--set={path}={value}" for path, value in SYNTHETIC.items())]
SEEDS = (0, 1)
METHODS = {name: CORRECTING[name] for name in ("oracle sequence", "context sequence")}


@pytest.fixture(scope="module")
def out(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("injected")


@pytest.fixture(scope="module")
def found(out: Path) -> dict[str, dict[str, Comparison]]:
    return run_paired(BASE, DATASET, out, METHODS, SEEDS)


def found_in(path: Path) -> dict[str, dict[str, float]]:
    """ROC AUC and precision of each means that the run has."""
    return {str(one.factors["score"]): dict(one.values) for one in finding(load_run(path), DATASET)}


def per_user(out: Path, method: str) -> np.ndarray:
    values = []
    for seed in SEEDS:
        loaded = load_run(out / f"{method}-{seed}")
        result = loaded.scorer("test").result(loaded.recommender, "full")
        values.append(1 / np.log2(result.ranks + 2) * (result.ranks < 10))
    return np.stack(values)


@pytest.mark.slow
def test_methods_are_compared_with_the_plain_run(
    out: Path, found: dict[str, dict[str, Comparison]]
) -> None:
    plain_values = per_user(out, "plain")
    for method in ("oracle sequence", "context sequence"):
        values = per_user(out, method.replace(" ", "-"))
        one = found[method]["full ndcg@10"]
        assert one.mean == pytest.approx(values.mean())
        assert one.difference == pytest.approx((values - plain_values).mean())
    assert found["plain"]["full ndcg@10"].difference == 0


@pytest.mark.slow
def test_users_whose_newest_item_is_noise_are_shown_apart(
    out: Path, found: dict[str, dict[str, Comparison]]
) -> None:
    loaded = load_run(out / "plain-0")
    newest = load_split(loaded.settings, loaded.dataset()).test.last(1)[:, 0] == 1
    expected = per_user(out, "plain")[:, newest].mean()
    assert found["plain"]["full ndcg@10, newest is noise"].mean == pytest.approx(expected)


def test_noise_is_found_by_each_means_that_is_the_runs_own(
    out: Path, found: dict[str, dict[str, Comparison]]
) -> None:
    assert set(found_in(out / "plain-0")) == {"random", "popularity", "attention 1", "surprisal"}
    (context,) = found_in(out / "context-sequence-0").items()
    recorded = RunDirectory(out / "context-sequence-0").metrics()["noise"]
    assert context == (
        "context detector",
        {
            "ROC AUC": pytest.approx(recorded["roc_auc"]),
            "precision": pytest.approx(recorded["precision"]),
        },
    )


def surprised(
    path: Path, counts: np.ndarray, changes: Mapping[str, Any]
) -> tuple[Run, np.ndarray, np.ndarray]:
    """A run of an epoch, test histories, and its surprisal at their items."""
    settings = plain({"fit.epochs": 1, **changes})
    train(settings, DATASET, RunDirectory(path))
    loaded = load_run(path)
    histories = load_split(settings, DATASET).split.test.histories.last(12)
    return loaded, histories, noise_finders(loaded, {"item_ids": histories}, counts)["surprisal"]


def before(histories: np.ndarray) -> np.ndarray:
    """The histories without their newest items."""
    return np.hstack([np.zeros([len(histories), 1], np.int32), histories[:, :-1]])


def test_surprisal_is_the_models_own_score_of_the_item_that_came(tmp_path: Path) -> None:
    counts = np.arange(1, DATASET.item_count + 2)
    loaded, histories, scores = surprised(tmp_path / "run", counts, {"objective": "bce"})
    logits = (
        loaded.recommender.encode(before(histories))
        * loaded.recommender.item_vectors()[histories[:, -1]]
    ).sum(-1)
    shares = counts / counts[1:].sum() * (len(counts) - 1)
    expected = np.log(shares[histories[:, -1]]) - logits
    np.testing.assert_allclose(scores[:, -1], expected, rtol=1e-3, atol=1e-4)


@pytest.mark.parametrize("objective", ["sampled_softmax", "bpr"])
def test_surprisal_of_scores_that_are_no_log_ratios_is_of_their_softmax(
    objective: str, tmp_path: Path
) -> None:
    counts = np.ones(DATASET.item_count + 1)
    loaded, histories, scores = surprised(
        tmp_path / "run", counts, {"objective": objective, "noise.distribution": "uniform"}
    )
    powers = np.exp(loaded.recommender.score(before(histories))[:, 1:].astype(np.float64))
    newest = powers[np.arange(len(histories)), histories[:, -1] - 1]
    np.testing.assert_allclose(scores[:, -1], -np.log(newest / powers.sum(-1)), rtol=1e-4)


BACKBONES_OF_EACH_SORT = ["bert4rec", "tisasrec", "sse_pt", "gru4rec", "popularity"]


@pytest.mark.parametrize(
    "backbone", only(lambda name: name in ("bert4rec", "gru4rec"), BACKBONES_OF_EACH_SORT)
)
def test_noise_can_be_looked_for_by_every_kind_of_backbone(backbone: str, tmp_path: Path) -> None:
    options = {
        "model.max_length": 12,
        "noise.injection.rate": 0.3,
        "fit.epochs": 1,
        "noise.detector": "none",
    }
    settings = Settings.of("synthetic", {**SYNTHETIC, "model": backbone, **options})
    train(settings, load_dataset(settings), RunDirectory(tmp_path / "run"))
    found = {
        one.factors["score"]: one.values
        for one in finding(load_run(tmp_path / "run"), load_dataset(settings))
    }
    assert ("surprisal" in found) == (backbone != "bert4rec")
    assert ("attention 1" in found) == (backbone in ("bert4rec", "tisasrec", "sse_pt"))
    assert all(0 <= one["ROC AUC"] <= 1 for one in found.values())


def test_noise_is_looked_for_once(out: Path, found: dict[str, dict[str, Comparison]]) -> None:
    first, second = (RunDirectory(out / f"context-sequence-{seed}") for seed in SEEDS)
    np.testing.assert_array_equal(*(read_detection(run).log_ratios for run in (first, second)))


def test_finished_runs_are_kept_and_their_log_is_not_read_again(
    out: Path, found: dict[str, dict[str, Comparison]], monkeypatch: pytest.MonkeyPatch
) -> None:
    """A pipe cannot be read again."""
    monkeypatch.setattr("tf_recdenoiser.runs.loading.load_dataset", None)
    before = {path: path.stat().st_mtime_ns for path in out.glob("*/metrics.json")}
    again = run_paired(BASE, DATASET, out, METHODS, SEEDS)
    assert {path: path.stat().st_mtime_ns for path in out.glob("*/metrics.json")} == before
    assert repr(again) == repr(found)  # a NaN equals nothing, itself included
    assert found_in(out / "plain-0")


def test_the_gap_is_the_best_oracles_gain() -> None:
    def gained(difference: float) -> dict[str, Comparison]:
        return {"m": Comparison(0.5, difference, 0.03, 0.04, 0.1, 0.1, seeds=2)}

    found = {
        "plain": gained(0),
        "oracle a": gained(0.2),
        "oracle b": gained(0.1),
        "x": gained(0.05),
    }
    gaps = closed_gap(found, "m")
    assert gaps["x"] == (pytest.approx(0.25), pytest.approx(0.25))
    assert gaps["oracle a"][0] == 1
    assert closed_gap({"plain": gained(0), "oracle a": gained(-0.1)}, "m") == {}


def test_every_run_differs_from_the_plain_one_by_its_method_alone(
    out: Path, found: dict[str, dict[str, Comparison]]
) -> None:
    for seed in SEEDS:
        plain_run = RunDirectory(out / f"plain-{seed}").settings()
        assert plain_run == resolve(BASE.replace({"seed": seed}))
        for name in METHODS:
            run_of_it = RunDirectory(out / f"{name.replace(' ', '-')}-{seed}").settings()
            assert run_of_it == plain_run.replace(CORRECTING[name])


COMMAND = ["experiment", "corrections", *LOG]


@pytest.mark.slow
@pytest.mark.parametrize(("noise", "method"), [("0.1", "oracle sequence"), ("0", "plain")])
def test_a_log_as_it_is_can_be_corrected_too(
    noise: str, method: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    options = ["--methods", method, "--seeds", "0", "--epochs", "1", "--json"]
    sets = ["--set", "noise.injection.rate=0", "--set", f"log.noise={noise}"]
    assert run([*COMMAND, "--out", str(tmp_path / "out"), *sets, *options]) == 0
    shown = json.loads(capsys.readouterr().out)["synthetic"]
    # A synthetic log has noise of its own, which is known.
    assert ("plain, score random" in shown) == (noise != "0")
    assert {"plain", method} <= set(shown)


def test_the_command_shows_what_it_found(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """And goes on with runs that are there."""
    out = tmp_path / "out"
    methods = {"oracle sequence": METHODS["oracle sequence"], "context sequence gates=item": {}}
    sizes = [f"--set={path}={size}" for path, size in SIZES.items()]
    sizes.append("--set=noise.injection.rate=0.3")
    options = ["--methods", ",".join(methods), "--seeds", "0", "--epochs", "2"]
    command = [*COMMAND, "--out", str(out), *sizes, *options]
    assert run([*command, "--json"]) == 0
    shown = json.loads(capsys.readouterr().out)["synthetic"]
    assert {"plain", *methods} <= set(shown)
    assert shown["plain"]["full hit@10"]["difference"] == 0
    means = ("random", "popularity", "surprisal")
    assert {f"plain, score {name}" for name in means} <= set(shown)
    detected = {f"context sequence gates=item, score {name}" for name in ("item gates",)}
    assert detected <= set(shown)
    metrics = RunDirectory(out / "synthetic" / "oracle-sequence-0").metrics()["test"]["full"]
    mean = shown["oracle sequence"]["full hit@10"]["mean"]
    assert mean == pytest.approx(metrics["hit@10"])
    # In words, for a person.
    assert run(command) == 0
    printed = capsys.readouterr().out
    assert all(title in printed for title in ("full hit@10", "full ndcg@10, newest is noise"))
    assert f"{mean:.4f}" in printed


@pytest.mark.slow
def test_where_histories_are_clean_there_is_nothing_to_find(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    options = ["--set", "noise.injection.places=train", "--methods", "plain", "--seeds", "0"]
    assert run([*COMMAND, "--out", str(tmp_path / "out"), *options, "--epochs", "1", "--json"]) == 0
    assert set(json.loads(capsys.readouterr().out)["synthetic"]) == {"plain"}


def test_runs_of_other_settings_are_not_kept(
    out: Path, found: dict[str, dict[str, Comparison]]
) -> None:
    wider = BASE.replace({"model.hidden_dim": 16})
    with pytest.raises(RunError, match=r"Received: model\.hidden_dim: 16, was 8"):
        run_paired(wider, DATASET, out, METHODS, SEEDS)


@pytest.mark.slow
def test_each_way_to_look_for_noise_has_its_own_search(tmp_path: Path) -> None:
    changes = CORRECTING["context sequence"]
    methods = {
        "context sequence": changes,
        "context sequence noise.distribution=uniform": {**changes, "noise.distribution": "uniform"},
    }
    run_paired(BASE.replace({"fit.epochs": 1}), DATASET, tmp_path, methods, [0])
    first, second = (
        read_detection(RunDirectory(tmp_path / f"context-sequence{end}-0"))
        for end in ("", "-noise.distribution-uniform")
    )
    assert first.scorer.rate != second.scorer.rate


def test_any_log_and_any_backbone_can_be_compared(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    rows = [f"{user},{item}" for user in range(30) for item in range(user % 5, user % 5 + 8)]
    log = tmp_path / "log.csv"
    log.write_text("\n".join(["who,what", *rows, "nobody,"]))
    out = tmp_path / "out"
    arguments = ["experiment", "corrections", str(log), "--out", str(out), "--seeds", "0"]
    columns = ["--user-column", "who", "--item-column", "what", "--on-bad-row", "skip"]
    model = ["--backbone", "gru4rec", "--max-length", "6", "--hidden-dim", "8"]
    model += ["--set", "model.gru_units=8"]
    options = [*columns, *model, "--epochs", "1", "--methods", "oracle sequence"]
    assert run([*arguments, *options, "--json"]) == 0
    shown = capsys.readouterr()
    assert "Bad rows, skipped: 1." in shown.err
    scores = {f"plain, score {name}" for name in ("random", "popularity", "surprisal")}
    assert set(json.loads(shown.out)["log"]) == {"plain", "oracle sequence", *scores}
    settings = RunDirectory(out / "log" / "oracle-sequence-0").settings()
    assert (settings.model.name, settings.model.gru_units, settings.noise.injection.rate) == (
        "gru4rec",
        8,
        0.25,
    )


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (["--methods", "magic"], "A method must be one of plain, oracle attention"),
        (["--methods", "plain magic=1"], "There is no setting `magic`"),
        (["--objective", "bpr"], "The method 'context likelihood' does not go with the settings."),
        (["--backbone", "gru4rec"], "The method 'oracle attention' does not go with the settings."),
        (["--seeds", "one"], "`--seeds` takes"),
        (["--seeds", "3,3"], "`seeds` must differ from one another. Received: [3, 3]"),
    ],
)
def test_wrong_words_are_explained(
    options: list[str], message: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run([*COMMAND, "--out", str(tmp_path / "out"), *options]) == 1
    assert message in capsys.readouterr().err
