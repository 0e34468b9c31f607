"""Figure 2: what becomes of models as more of the training items are noise."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from tf_recdenoiser.experiments.declared.table2 import AS_THE_PAPER
from tf_recdenoiser.experiments.experiment import Curve, Experiment
from tf_recdenoiser.experiments.measures.ranking import ranking
from tf_recdenoiser.experiments.trials import Changes, Method, crossed, of_methods
from tf_recdenoiser.runs import PRESETS

RATES = (0.0, 0.05, 0.1, 0.15, 0.2, 0.25)


def _noise(rate: float) -> Method:
    """A repeat has noise of its own."""

    def changes(out: Path, seed: int) -> Changes:
        return {"noise.injection.rate": rate, "noise.injection.seed": seed}

    return changes


def _denoiser(estimator: str) -> Mapping[str, Any]:
    return {**PRESETS["paper"], "gates.estimator": estimator}


METHODS: Mapping[str, Method] = {
    "sasrec": {},
    "denoiser (arm)": _denoiser("arm"),
    "denoiser (ar)": _denoiser("ar"),
    "denoiser (disarm)": _denoiser("disarm"),
    "detector": {"noise.detector": "context", "noise.distribution": "uniform"},
    "sparse transformer": {"model.attention": "strided"},
    "entmax": {"model.attention": "entmax"},
}

EXPERIMENT = Experiment(
    title="Noise in the training data (Figure 2)",
    about="A share of the items in training sequences is replaced by others, drawn uniformly from "
    "those that are new to the user; held-out items and the histories before them stay as they "
    "are. The less a curve falls, the better a model bears the noise. Each repeat draws the noise "
    "and trains anew.",
    trials=crossed(
        of_methods(METHODS, baseline="sasrec"),
        "noise",
        {rate: _noise(rate) for rate in RATES},
        quick=(0.0, 0.25),
    ),
    base={
        **AS_THE_PAPER,
        "noise.injection.places": "train",
        "noise.injection.distribution": "uniform",
        "fit.epochs": 60,
        "fit.patience": 0,
        "evaluation.validate_every": 10,
    },
    measures=(ranking,),
    plots=(Curve("noise"),),
)
