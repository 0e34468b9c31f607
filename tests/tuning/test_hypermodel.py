"""KerasTuner's own tuners search among recommenders, where they can: under Keras 3."""

from __future__ import annotations

from pathlib import Path

import keras_tuner
import numpy as np
import pytest

from tests.runs.small import DATASET, plain
from tf_recdenoiser._keras import IS_KERAS_3
from tf_recdenoiser.runs import load_split
from tf_recdenoiser.runs.noise_known import NoiseKnown
from tf_recdenoiser.tuning import RecommenderHyperModel

BASE = plain({"fit.epochs": 2})


def ndcg(model: object) -> float:
    found = NoiseKnown(BASE, DATASET, load_split(BASE, DATASET), None).scorer("valid")
    return found.result(model, "full").summary(ks=(10,))["ndcg@10"]


def test_fit_leaves_the_weights_of_the_best_epoch() -> None:
    hypermodel = RecommenderHyperModel(BASE, DATASET, {"model.hidden_dim": (4, 8)})
    hp = keras_tuner.HyperParameters()
    model = hypermodel.build(hp)
    assert (
        hypermodel.settings(hp).model.hidden_dim == model.backbone.get_config()["hidden_dim"] == 8
    )
    before = [np.array(weight) for weight in model.get_weights()]
    metrics = hypermodel.fit(hp, model)
    assert any((old != new).any() for old, new in zip(before, model.get_weights(), strict=True))
    assert ndcg(model) == pytest.approx(metrics["val_ndcg@10"], abs=1e-12)


@pytest.mark.skipif(not IS_KERAS_3, reason="KerasTuner takes no model of tf_keras")
def test_hyperband_and_search_give_the_epochs(tmp_path: Path) -> None:
    hypermodel = RecommenderHyperModel(BASE, DATASET, {"model.hidden_dim": (4, 8)})
    objective = keras_tuner.Objective("val_ndcg@10", "max")
    options = {"seed": 1, "directory": str(tmp_path)}
    hyperband = keras_tuner.Hyperband(
        hypermodel, objective, max_epochs=2, factor=2, project_name="hyperband", **options
    )
    hyperband.search(verbose=0)
    statuses = {trial.status for trial in hyperband.oracle.trials.values()}
    assert statuses == {"COMPLETED"}
    once = keras_tuner.RandomSearch(
        hypermodel, objective, max_trials=1, project_name="once", **options
    )
    once.search(epochs=1, verbose=0)
    hp = once.get_best_hyperparameters()[0]
    expected = hypermodel.fit(hp, hypermodel.build(hp), epochs=1)
    assert once.oracle.get_best_trials(1)[0].score == pytest.approx(expected["val_ndcg@10"])


@pytest.mark.both_keras
@pytest.mark.skipif(not IS_KERAS_3, reason="KerasTuner takes no model of tf_keras")
def test_random_search_finds_and_loads_the_best(tmp_path: Path) -> None:
    tuner = keras_tuner.RandomSearch(
        RecommenderHyperModel(BASE, DATASET, {"model.hidden_dim": (4, 8)}),
        keras_tuner.Objective("val_ndcg@10", "max"),
        max_trials=2,
        seed=1,
        directory=str(tmp_path),
    )
    tuner.search(verbose=0)
    best = tuner.oracle.get_best_trials(1)[0]
    assert best.status == "COMPLETED"
    assert ndcg(tuner.get_best_models()[0]) == pytest.approx(best.score, abs=1e-6)
