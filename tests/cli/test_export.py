"""`tf-recdenoiser export` and `demo`: what is written, and where they say it lies."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import tensorflow as tf

from tests.cli.shell import rows, tf_recdenoiser
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
def test_the_demo_sets_both_systems_side_by_side(tmp_path: Path) -> None:
    command = ("demo", "--users", 60, "--epochs", 1, "--out", tmp_path / "runs")
    outcome = tf_recdenoiser(*command, "--to", tmp_path / "saved" / "demo")
    assert outcome.status == 0, outcome.err
    table = []
    for system, name in (("SASRec", "plain"), ("SASRec + denoiser", "denoised")):
        metrics = RunDirectory(tmp_path / "runs" / name).metrics()
        for protocol, values in metrics["test"].items():
            cells = (values[m] for m in ("hit@1", "hit@5", "hit@10", "ndcg@5", "ndcg@10"))
            table.append([system, protocol, *(f"{value:.4f}" for value in cells)])
    assert rows(outcome.out) == table
    assert f"SavedModel: {tmp_path / 'saved' / 'demo' / '1'}\n" in outcome.out
    assert (tmp_path / "saved" / "demo" / "1" / "saved_model.pb").is_file()

    plain, denoised = (load_run(tmp_path / "runs" / name) for name in ("plain", "denoised"))
    assert plain.settings == denoised.settings.plain()
    assert plain.directory.fingerprint() == denoised.directory.fingerprint()

    # Once more: the runs are replaced, the model is the next version.
    assert tf_recdenoiser(*command, "--to", tmp_path / "saved" / "demo").out == outcome.out.replace(
        "/demo/1\n", "/demo/2\n"
    )
