"""What the Jacobian penalty does to a model: how its output bears changes of its input."""

from __future__ import annotations

from tf_recdenoiser.experiments.experiment import METRICS, Curve, Experiment, Gains
from tf_recdenoiser.experiments.measures.ranking import ranking
from tf_recdenoiser.experiments.measures.robustness import robustness
from tf_recdenoiser.experiments.trials import PLAIN, Trial

_WEIGHTS = (1e-4, 1e-3, 1e-2, 1e-1)
_CHANGES = ("output change", "top 10 kept")

EXPERIMENT = Experiment(
    title="Robustness: small changes and swapped items",
    about="SASRec with a Jacobian penalty of weight γ, and without. Noise is added to the vectors "
    "that a block reads, or items of histories are swapped for others.\n\n"
    '"block change" is how much a block\'s output changes, in percent; "first order" is what '
    'the measured norm of its Jacobian says of it, and "bound" what no small change exceeds. '
    '"output change" is that of the vector that recommends, and "top 10 kept" the percentage '
    'of the ten best items that stay. "norm" is the squared norm of the Jacobian, for each '
    "number of a position: 1 for a block that changes nothing.",
    trials=(
        Trial(PLAIN, {"model": "sasrec"}, baseline=None),
        *(Trial(f"γ = {weight:g}", {"model.gamma": weight}) for weight in _WEIGHTS),
    ),
    base={"fit.epochs": 60, "fit.patience": 0, "evaluation.validate_every": 10},
    measures=(ranking, robustness),
    plots=(
        Curve("noise on vectors", ("block change", "first order", "bound", *_CHANGES), log=True),
        Curve("items swapped", _CHANGES),
        Gains(METRICS[:1]),
    ),
    seeds=(0, 1, 2),
)
