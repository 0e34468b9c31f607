"""Backbones without attention, from the shell: no option but their name is needed."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.cli.shell import SYNTHETIC, tf_recdenoiser
from tests.params import only
from tf_recdenoiser.backbones import BACKBONES
from tf_recdenoiser.runs import RunDirectory

BASELINES = [name for name, kind in BACKBONES.items() if not kind.gated]
QUICK = ("--max-length", 12, "--batch-size", 32, "--epochs", 1, "--detector", "none")


@pytest.mark.parametrize("name", only(lambda name: name in ("caser", "popularity"), BASELINES))
def test_it_is_trained_explained_exported_and_resumed_as_any_other(
    name: str, tmp_path: Path
) -> None:
    run = tmp_path / "run"
    train = ("train", *SYNTHETIC, "--out", run, "--backbone", name, *QUICK)
    outcome = tf_recdenoiser(*train)
    assert outcome.status == 0, outcome.err
    assert "gates" not in outcome.out
    recorded = RunDirectory(run).settings()
    assert recorded.gates.name == "none"
    items = RunDirectory(run).item_ids()[:2].tolist()
    explained = tf_recdenoiser("explain", run, "--history", ",".join(map(str, items)))
    assert explained.out == "This run has no gates: what is not left out is kept in every layer.\n"
    assert tf_recdenoiser("export", run, "--to", tmp_path / "served").status == 0
    assert tf_recdenoiser(*train, "--resume").status == 0


@pytest.mark.parametrize("name", BASELINES)
@pytest.mark.parametrize(
    ("options", "message"),
    [
        (("--gates", "relative"), "`gates` must be left out with model='{}', which has no "),
        (("--gamma", 0.1), "`model.gamma` has no effect here: it goes with model sasrec, "),
        (("--num-layers", 3), "`model.num_layers` has no effect here: it goes with model sasrec, "),
    ],
)
def test_what_it_has_no_place_for_is_refused(
    name: str, options: tuple[str, object], message: str, tmp_path: Path
) -> None:
    run = tmp_path / "run"
    outcome = tf_recdenoiser("train", *SYNTHETIC, "--out", run, "--backbone", name, *options)
    assert outcome.status == 1
    assert message.format(name) in " ".join(outcome.err.split())
    assert not run.exists()
