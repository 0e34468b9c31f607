"""Estimators of the gates' gradient: bias, variance and cost on a trained model."""

from __future__ import annotations

from tf_recdenoiser.experiments.experiment import Experiment, Values
from tf_recdenoiser.experiments.measures.estimators import estimators
from tf_recdenoiser.experiments.trials import Trial

EXPERIMENT = Experiment(
    title="Estimators of the gates' gradient: bias, variance, cost",
    about="SASRec with positional gates is trained, and every estimator is tried on a batch of it."
    "\n\n"
    "Bias: of the eight gates that are least decided all 256 states are tried, which gives the "
    'exact gradient. "bias" is how far an estimator\'s mean is from it, in percent of its length; '
    '"chance" is what the number of draws explains of that, and "deviation" the spread of one '
    "draw.\n\n"
    'Cost: in whole train steps, "variance" is that of all gates\' gradient, "time" that of a '
    "step, both as ratios to ARM's; their product is what it costs to know the gradient as well.",
    trials=(Trial("gates", {"gates": "positional", "gates.credit": False}, baseline=None),),
    base={"fit.epochs": 40, "fit.patience": 0, "evaluation.validate_every": 10},
    measures=(estimators,),
    plots=(
        Values(("bias", "time")),
        Values(("variance", "variance × time"), log=True),
    ),
    seeds=(0, 1, 2),
)
