"""`tf-recdenoiser evaluate` gives the numbers of `metrics.json` again."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tests.cli.shell import PLAIN, Outcome, rows, tf_recdenoiser
from tf_recdenoiser.runs import RunDirectory
from tf_recdenoiser.runs.scoring import PARTS

METRICS = ("hit@1", "hit@5", "hit@10", "ndcg@5", "ndcg@10")


def test_a_run_is_evaluated_from_any_folder(
    shop: tuple[object, RunDirectory, Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    log = shop[2]
    monkeypatch.chdir(log.parent)
    outcome = tf_recdenoiser(
        *("train", log.name, "--out", tmp_path / "run", *PLAIN, "--on-bad-row", "skip")
    )
    assert outcome.status == 0, outcome.err
    monkeypatch.chdir(tmp_path)
    again = tf_recdenoiser("evaluate", tmp_path / "run", "--json")
    assert again.status == 0, again.err
    # The log named as before is the same log.
    monkeypatch.chdir(log.parent)
    resumed = tf_recdenoiser("train", log.name, "--out", tmp_path / "run", "--resume")
    assert resumed.status == 0, resumed.err


@pytest.mark.parametrize("split", PARTS)
def test_json_is_what_training_recorded(trained: RunDirectory, split: str) -> None:
    outcome = tf_recdenoiser("evaluate", trained.path, "--split", split, "--json")
    assert outcome.status == 0
    assert outcome.err == ""
    assert json.loads(outcome.out) == {
        "run": str(trained.path),
        "split": split,
        "seed": 0,
        "metrics": trained.metrics()[split],
    }


def test_one_protocol_with_another_seed(trained: RunDirectory) -> None:
    """A sample is another one by another seed; the whole catalogue is not."""
    recorded = trained.metrics()["test"]
    found = {}
    for protocol in ("full", "sasrec"):
        options = ("--protocol", protocol, "--seed", 1, "--json")
        outcome = tf_recdenoiser("evaluate", trained.path, *options)
        metrics = json.loads(outcome.out)["metrics"]
        assert list(metrics) == [protocol]
        found[protocol] = metrics[protocol]
    assert found["full"] == recorded["full"]
    assert found["sasrec"] != recorded["sasrec"]


def test_the_table_shows_the_test_split(trained: RunDirectory) -> None:
    outcome = tf_recdenoiser("evaluate", trained.path)
    assert outcome.status == 0
    assert rows(outcome.out) == [
        ["sasrec", protocol, *(f"{values[name]:.4f}" for name in METRICS)]
        for protocol, values in trained.metrics()["test"].items()
    ]


def test_a_log_that_changed_or_went_away_is_noticed(
    shop: tuple[Outcome, RunDirectory, Path],
) -> None:
    _, directory, log = shop
    before = log.read_text()
    try:
        log.write_text(before + "\n4,105,99")
        changed = tf_recdenoiser("evaluate", directory.path)
        log.unlink()
        gone = tf_recdenoiser("evaluate", directory.path)
    finally:
        log.write_text(before)
    for outcome, message in ((changed, "its content has changed"), (gone, "can be read")):
        assert outcome.status == 1
        assert outcome.out == ""
        assert message in outcome.err
        assert str(log) in outcome.err
    assert tf_recdenoiser("evaluate", directory.path).status == 0
