"""`tf-recdenoiser export` and `demo`: what is written, and where they say it lies."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import tensorflow as tf

from tests.cli.shell import rows, tf_recdenoiser
from tf_recdenoiser.runs import RunDirectory, load_run


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
            f"Serve it: tensorflow_model_server --model_name=first '--model_base_path={to}'",
        ]
    assert sorted(path.name for path in to.iterdir()) == ["1", "2"]

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
