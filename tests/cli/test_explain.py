"""`tf-recdenoiser explain` against the logits of the gates."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import numpy as np
import pytest

from tests.cli.shell import PLAIN, SYNTHETIC, Outcome, rows, tf_recdenoiser
from tests.params import only
from tf_recdenoiser.runs import RunDirectory, load_run, manifest
from tf_recdenoiser.runs.checkpoints import model_variables, write_checkpoint


@pytest.fixture(scope="module")
def pruned(
    trained: RunDirectory, tmp_path_factory: pytest.TempPathFactory
) -> tuple[RunDirectory, np.ndarray]:
    """A run whose gates are of any kind, and what passes their newest row, `[layers, n]`."""
    path = shutil.copytree(trained.path, tmp_path_factory.mktemp("pruned") / "run")
    recommender = load_run(path).recommender
    rng, kept = np.random.default_rng(0), []
    for layer in recommender.gate_layers:
        layer.logits.assign(rng.normal(size=12 + 12 - 1))  # of the distances -11 to 11
        newest = np.asarray(layer.logits)[:10:-1]  # of 11, that to the oldest item, to 0
        probability = 1 / (1 + np.exp(-newest.astype(np.float64)))
        kept.append(np.where(probability > 0.5, probability, 0.0))
    directory = RunDirectory(path)
    run = directory.model_record().run
    write_checkpoint(directory.best, model_variables(recommender), run)
    manifest.seal(path)
    return directory, np.array(kept)


@pytest.mark.parametrize("count", [1, 3, 12, 15])
def test_what_passes_the_gates_is_shown_for_each_item(
    pruned: tuple[RunDirectory, np.ndarray], count: int
) -> None:
    directory, kept = pruned
    history = json.loads((directory.path / "vocabulary.json").read_text())[:count]
    command = ("explain", directory.path, "--history", ",".join(["unknown", *history]))
    outcome = tf_recdenoiser(*command, "--json")
    assert outcome.status == 0
    assert "unknown" in outcome.err
    found = json.loads(outcome.out)
    newest = history[-12:]
    assert [entry["item"] for entry in found] == newest
    expected = kept[:, -len(newest) :].T
    np.testing.assert_allclose([entry["kept"] for entry in found], expected, atol=1e-6)

    table = rows(tf_recdenoiser(*command).out)
    assert table == [
        [item, *(f"{value:.2f}" if value else "pruned" for value in values)]
        for item, values in zip(newest, expected, strict=True)
    ]
    if count == 12:
        assert (expected == 0).any()
        assert (expected > 0.5).any()


def test_number_ids_stay_numbers_and_no_gates_prune_nothing(
    shop: tuple[Outcome, RunDirectory, Path],
) -> None:
    command = ("explain", shop[1].path, "--history", "101,7,115")
    outcome = tf_recdenoiser(*command)
    assert outcome.status == 0
    assert outcome.out == "This run has no gates: what is not left out is kept in every layer.\n"
    found = json.loads(tf_recdenoiser(*command, "--json").out)
    assert found == [{"item": 101, "kept": [1.0]}, {"item": 115, "kept": [1.0]}]


def test_a_picture_needs_a_run_that_looked_for_noise(trained: RunDirectory, tmp_path: Path) -> None:
    item = json.loads((trained.path / "vocabulary.json").read_text())[0]
    picture = tmp_path / "history.png"
    outcome = tf_recdenoiser("explain", trained.path, "--history", item, "--picture", picture)
    assert outcome.status == 1 and not picture.exists()
    assert "--detector context" in outcome.err


@pytest.mark.parametrize("correction", only("sequence".__eq__, ["sequence", "everywhere"]))
def test_a_history_is_drawn_before_and_after(correction: str, tmp_path: Path) -> None:
    run, picture = tmp_path / "run", tmp_path / "history.png"
    options = [*PLAIN, "--detector", "context", "--correction", correction]
    assert tf_recdenoiser("train", *SYNTHETIC, "--out", run, *options).status == 0
    items = json.loads((run / "vocabulary.json").read_text())[:5]
    outcome = tf_recdenoiser("explain", run, "--history", ",".join(items), "--picture", picture)
    assert outcome.status == 0 and str(picture) in outcome.err
    assert picture.read_bytes().startswith(b"\x89PNG")
