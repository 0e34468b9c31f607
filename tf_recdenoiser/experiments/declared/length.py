"""Figure 3: how much of a history is read."""

from __future__ import annotations

from tf_recdenoiser.experiments.declared.table2 import AS_THE_PAPER
from tf_recdenoiser.experiments.experiment import Curve, Experiment
from tf_recdenoiser.experiments.measures.ranking import density, ranking
from tf_recdenoiser.experiments.trials import crossed, of_methods
from tf_recdenoiser.runs import PRESETS

LENGTHS = (20, 30, 40, 50, 60, 70, 80)

EXPERIMENT = Experiment(
    title="The length of histories (Figure 3)",
    about="How good SASRec is with and without the paper's denoiser where it reads the newest n "
    "items of a history. If a longer history adds noise, gates should gain more there.",
    trials=crossed(
        of_methods({"sasrec": {}, "denoiser": PRESETS["paper"]}, baseline="sasrec"),
        "n",
        {length: {"model.max_length": length} for length in LENGTHS},
        quick=(20, 50, 80),
    ),
    base={
        **AS_THE_PAPER,
        "fit.epochs": 100,
        "fit.patience": 0,
        "evaluation.validate_every": 10,
    },
    measures=(ranking, density),
    plots=(Curve("n"),),
    seeds=(0, 1, 2),
)
