"""The paper's models, each for an epoch."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tests.runs.small import DATASET
from tf_recdenoiser.backbones import BACKBONES
from tf_recdenoiser.cli.app import run
from tf_recdenoiser.experiments import MODELS, fitting_models
from tf_recdenoiser.runs import RunDirectory, Settings, load_dataset

WITHOUT_TIMES = "1 1\n1 2\n1 3\n2 2\n2 3\n2 1\n"


def test_every_backbone_is_a_model_and_those_with_attention_are_denoised_too() -> None:
    backbones = {changes.get("model", "sasrec") for changes in MODELS.values()}
    assert backbones == set(BACKBONES)
    denoised = {name.removeprefix("denoised ") for name in MODELS if "denoised" in name}
    assert denoised == {"sasrec", "bert4rec", "tisasrec", "sse_pt"}


def test_models_that_read_times_are_left_out_where_a_log_has_none(tmp_path: Path) -> None:
    (tmp_path / "log.txt").write_text(WITHOUT_TIMES)
    without = load_dataset(Settings.of(str(tmp_path / "log.txt")))
    assert set(MODELS) - set(fitting_models(without)) == {"tisasrec", "denoised tisasrec"}
    assert fitting_models(DATASET) == list(MODELS)


def test_the_command_trains_models_with_the_settings_they_take(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / "out"
    arguments = ["experiment", "models", "synthetic", "--out", str(out), "--json"]
    methods = ["--methods", "popularity,fpmc,denoised bert4rec model.mask_share=0.3"]
    sizes = ["--epochs", "1", "--max-length", "8", "--dropout", "0.3", "--hidden-dim", "8"]
    for change in ("log.users=60", "log.items=40", "log.clusters=5"):
        sizes += ["--set", change]
    sizes += ["--num-layers", "1", "--set", "model.attention=entmax15"]
    assert run([*arguments, *methods, *sizes]) == 0
    shown = json.loads(capsys.readouterr().out)
    assert set(shown) == {"plain", "popularity", "fpmc", "denoised bert4rec model.mask_share=0.3"}
    settings = RunDirectory(out / "denoised-bert4rec-model.mask_share-0.3-0").settings()
    assert (settings.gates.name, settings.model.gamma, settings.model.dropout) == (
        "positional",
        1e-4,
        0.3,
    )
    plain = RunDirectory(out / "plain-0").settings()
    assert (plain.gates.name, plain.model.gamma, plain.model.dropout) == ("none", 0.0, 0.3)
    assert (plain.model.hidden_dim, plain.model.attention.name) == (8, "entmax15")
    assert (settings.model.num_layers, settings.model.mask_share) == (1, 0.3)
    full = RunDirectory(out / "fpmc-0").metrics()["test"]["full"]
    assert shown["fpmc"]["full ndcg@10"]["mean"] == pytest.approx(full["ndcg@10"])
