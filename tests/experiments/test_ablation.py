"""The experiment with gates, small: what its controls are made of."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from tests.runs.small import DATASET, plain
from tf_recdenoiser.cli.app import run
from tf_recdenoiser.experiments import EXPERIMENTS, chosen, run_paired
from tf_recdenoiser.experiments.declared.ablation import CONTROLS, window_width
from tf_recdenoiser.runs import RunDirectory, load_run, resolve

BASE = plain({"fit.epochs": 1})
# Gates that have moved after an epoch, so that they differ from each other.
METHODS = {
    "positional": {"gates": {"name": "positional", "learning_rate": 1.0}},
    **CONTROLS,
}
LENGTH = BASE.model.max_length


@pytest.fixture(scope="module")
def out(tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("gates")
    run_paired(BASE, DATASET, out, METHODS, seeds=[1])
    return out


def gate_logits(out: Path, method: str) -> np.ndarray:
    (layer,) = load_run(out / f"{method}-1").recommender.gate_layers
    return np.asarray(layer.logits)


def test_frozen_gates_stay_what_the_trained_ones_became(out: Path) -> None:
    learned = gate_logits(out, "positional")
    assert np.ptp(learned[np.tri(LENGTH, dtype=bool)]) > 0.1
    np.testing.assert_array_equal(gate_logits(out, "frozen"), learned)
    frozen, trained = (
        RunDirectory(out / f"{name}-1").metrics() for name in ("frozen", "positional")
    )
    assert frozen["density"] == trained["density"]
    assert frozen["parameters"] == trained["parameters"] - LENGTH**2


def test_shuffled_gates_are_as_many_in_every_row_and_others(out: Path) -> None:
    learned, shuffled = gate_logits(out, "positional"), gate_logits(out, "shuffled")
    for row in range(LENGTH):
        before, after = (logits[row, : row + 1] for logits in (learned, shuffled))
        np.testing.assert_array_equal(np.sort(before), np.sort(after))
    assert (learned != shuffled).any()
    assert (learned == shuffled)[~np.tri(LENGTH, dtype=bool)].all()


def test_the_window_has_about_as_many_edges_as_the_gates(out: Path) -> None:
    width = RunDirectory(out / "window-1").settings().model.attention.width
    density = np.mean(RunDirectory(out / "positional-1").metrics()["density"])
    shares = [
        sum(min(row, width) + 1 for row in range(LENGTH)) / (LENGTH * (LENGTH + 1) / 2)
        for width in range(LENGTH)
    ]
    assert abs(shares[width] - density) == min(abs(share - density) for share in shares)
    assert window_width(LENGTH, density) == width


def test_a_method_can_have_another_setting() -> None:
    _, trial = chosen(EXPERIMENTS["ablation"].trials, ["relative gates.beta=0.5"])
    assert not callable(trial.changes)
    settings = resolve(BASE.replace(trial.changes))
    assert (settings.gates.name, settings.gates.penalty, settings.gates.beta) == (
        "relative",
        "edges",
        0.5,
    )


@pytest.mark.slow
def test_the_command_trains_what_controls_need(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = str(tmp_path / "out")
    arguments = ["experiment", "ablation", "synthetic", "--out", out, "--seeds", "0"]
    options = ["--methods", "frozen", "--epochs", "1", "--max-length", "8", "--json"]
    assert run([*arguments, *options]) == 0
    shown = json.loads(capsys.readouterr().out)["synthetic"]
    assert set(shown) == {"plain", "positional", "frozen"}
