"""Figure 4: the weights of the sparsity and of the Jacobian penalty."""

from __future__ import annotations

from tf_recdenoiser.experiments.declared.table2 import AS_THE_PAPER
from tf_recdenoiser.experiments.experiment import Curve, Experiment
from tf_recdenoiser.experiments.measures.ranking import density, ranking
from tf_recdenoiser.experiments.trials import PLAIN, Trial, crossed
from tf_recdenoiser.runs import PRESETS

WEIGHTS = (1e-1, 1e-2, 1e-3, 1e-4, 1e-5)
_OTHER = 0.01
_QUICK = (1e-1, 1e-3, 1e-5)


def _varied(method: str, path: str, fixed: str) -> tuple[Trial, ...]:
    """The paper's denoiser at each weight of one penalty, while that of the other is fixed."""
    trial = Trial(method, {**PRESETS["paper"], fixed: _OTHER})
    return crossed([trial], "weight", {weight: {path: weight} for weight in WEIGHTS}, _QUICK)


EXPERIMENT = Experiment(
    title="The weights of both penalties (Figure 4)",
    about="SASRec with the paper's denoiser. The weight β of the sparsity penalty, or γ of the "
    "Jacobian penalty, is varied while the other is 0.01. Gains are over SASRec without both.",
    trials=(
        Trial(PLAIN, {}, baseline=None),
        *_varied("β", "gates.beta", fixed="model.gamma"),
        *_varied("γ", "model.gamma", fixed="gates.beta"),
    ),
    base={
        **AS_THE_PAPER,
        "fit.epochs": 100,
        "fit.patience": 0,
        "evaluation.validate_every": 10,
    },
    measures=(ranking, density),
    plots=(Curve("weight", log=True), Curve("weight", ("density",), log=True)),
    seeds=(0, 1, 2),
)
