"""`tf-recdenoiser export` and `demo`: what is written, and where they say it lies."""

from __future__ import annotations

import json
import math
from pathlib import Path

import pytest
import tensorflow as tf

from tests.cli.shell import rows, tf_recdenoiser
from tf_recdenoiser.cli.console import print_json
from tf_recdenoiser.cli.demo import sentence
from tf_recdenoiser.experiments import Comparison
from tf_recdenoiser.runs import RunDirectory, load_run


def listed(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir() if path.name != ".lock")


def test_versions_are_written_one_after_the_other_and_recommend_as_the_run_does(
    trained: RunDirectory, tmp_path: Path
) -> None:
    to = tmp_path / "my models" / "first"
    for version in (1, 2):
        outcome = tf_recdenoiser("export", trained.path, "--to", to)
        assert outcome.status == 0, outcome.err
        assert (to / str(version) / "saved_model.pb").is_file()
        assert outcome.out.splitlines() == [
            f"SavedModel: {to / str(version)}",
            "Serve it: tensorflow_model_server --port=8500 --rest_api_port=8501 "
            f"--model_name=first '--model_base_path={to}'",
            "In a container: docker run --rm -p 8500:8500 -p 8501:8501 "
            f"--mount 'type=bind,source={to},target=/models/first,readonly' tensorflow/serving "
            "--model_config_file=/models/first/models.config",
        ]
    assert listed(to) == ["1", "2", "batching.config", "models.config"]

    refused = tf_recdenoiser("export", trained.path, "--to", to, "--version", 2)
    assert refused.status == 1
    assert refused.out == ""
    assert "version=2" in refused.err

    history = ["c00-i001", "c00-i003", "c04-i000"]
    serve = tf.saved_model.load(str(to / "1")).signatures["serving_default"]
    served = serve(
        histories=tf.constant([history]),
        lengths=tf.constant([-1]),
        k=tf.constant([5]),
        exclude_seen=tf.constant([True]),
    )
    command = ("recommend", trained.path, "--history", ",".join(history), "-k", 5, "--json")
    found = json.loads(tf_recdenoiser(*command).out)
    assert [item.decode() for item in served["item_ids"].numpy()[0]] == [e["item"] for e in found]
    assert served["scores"].numpy()[0].tolist() == pytest.approx(
        [entry["score"] for entry in found], abs=1e-5
    )


def test_old_versions_are_deleted_on_request(trained: RunDirectory, tmp_path: Path) -> None:
    for version in ("1", "3", "notes"):
        (tmp_path / version).mkdir()
        (tmp_path / version / "saved_model.pb").touch()
    command = ("export", trained.path, "--to", tmp_path)
    refused = tf_recdenoiser(*command, "--keep", 0)
    assert refused.status == 2 and "--keep" in refused.err
    assert listed(tmp_path) == ["1", "3", "notes"]

    assert "Deleted" not in tf_recdenoiser(*command, "--keep", 3).out
    outcome = tf_recdenoiser(*command, "--keep", 2)
    assert outcome.out.splitlines()[:2] == [
        f"SavedModel: {tmp_path / '5'}",
        "Deleted versions: 1, 3",
    ]
    assert listed(tmp_path) == ["4", "5", "batching.config", "models.config", "notes"]


@pytest.mark.slow
def test_the_demo_sets_four_models_side_by_side(tmp_path: Path) -> None:
    runs = {name: tmp_path / f"{name}-0" for name in ("plain", "gates", "detector", "oracle")}
    command = ("demo", "--users", 60, "--epochs", 1, "--out", tmp_path)
    outcome = tf_recdenoiser(*command, "--to", tmp_path / "saved" / "demo")
    assert outcome.status == 0, outcome.err
    metrics = {name: RunDirectory(path).metrics()["test"] for name, path in runs.items()}
    shown = [
        [name, *(f"{of[p][m]:.4f}" for p in ("full", "paper") for m in ("ndcg@10", "hit@10"))]
        for name, of in metrics.items()
    ]
    assert [row[:-1] for row in rows(outcome.out)] == shown
    full = {name: of["full"]["ndcg@10"] for name, of in metrics.items()}
    gain = full["oracle"] - full["plain"]
    shares = [row[-1].split(" ")[0] for row in rows(outcome.out)]
    assert shares == [
        f"{(of - full['plain']) / gain:.0%}" if gain > 0 else "-" for of in full.values()
    ]
    assert f"SavedModel: {tmp_path / 'saved' / 'demo' / '1'}\n" in outcome.out
    assert (tmp_path / "saved" / "demo" / "1" / "saved_model.pb").is_file()
    assert (tmp_path / "history.png").stat().st_size > 1000

    settings = {name: load_run(path).settings for name, path in runs.items()}
    assert {name: of.detector for name, of in settings.items()} == {
        "plain": "none",
        "gates": "none",
        "detector": "context",
        "oracle": "oracle",
    }
    assert all(of.plain() == settings["plain"] for of in settings.values())

    # Once more, for a program: the runs are replaced, the model is the next version.
    outcome = tf_recdenoiser(*command, "--to", tmp_path / "saved" / "demo", "--json")
    again = json.loads(outcome.out, parse_constant=pytest.fail)
    means = {name: of["full ndcg@10"]["mean"] for name, of in again["models"].items()}
    assert means == pytest.approx(full)
    assert again["models"]["oracle"]["run"] == str(runs["oracle"])
    assert again["noise"] == RunDirectory(runs["detector"]).metrics()["noise"]
    assert again["picture"] == str(tmp_path / "history.png")
    assert again["saved_model"] == str(tmp_path / "saved" / "demo" / "2")


def test_what_is_not_finite_is_null_in_json(capsys: pytest.CaptureFixture[str]) -> None:
    print_json({"one": [math.nan, 0.5, None], "two": (math.inf, 1, "nan")})
    assert json.loads(capsys.readouterr().out, parse_constant=pytest.fail) == {
        "one": [None, 0.5, None],
        "two": [None, 1, "nan"],
    }


def compared(**gains: float) -> dict[str, dict[str, Comparison]]:
    """What a comparison is like in which models gain so much."""
    return {
        name: {"full ndcg@10": Comparison(0.3 + gain, gain, math.nan, 0.01, math.nan, 0.5, seeds=1)}
        for name, gain in gains.items()
    }


def test_the_demo_says_what_is_to_be_seen_whatever_it_is() -> None:
    said = sentence(compared(plain=0.0, gates=-0.01, detector=0.03, oracle=0.05))
    assert "finding it gains 60%" in said and "gates gain -20%" in said
    said = sentence(compared(plain=0.0, gates=0.01, detector=0.02, oracle=-0.01))
    assert said.startswith("Knowing the noise gains nothing")
