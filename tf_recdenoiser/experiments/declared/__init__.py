"""Every experiment, one a file: what varies, what is measured, what is drawn.

A new one is one file with an `EXPERIMENT` and one line in `EXPERIMENTS`.
"""

from tf_recdenoiser.experiments.declared import (
    ablation,
    corrections,
    estimators,
    feedback,
    length,
    noise,
    regularizers,
    robustness,
    table2,
)
from tf_recdenoiser.experiments.experiment import Experiment

EXPERIMENTS: dict[str, Experiment] = {
    "table2": table2.EXPERIMENT,
    "noise": noise.EXPERIMENT,
    "length": length.EXPERIMENT,
    "regularizers": regularizers.EXPERIMENT,
    "ablation": ablation.EXPERIMENT,
    "estimators": estimators.EXPERIMENT,
    "robustness": robustness.EXPERIMENT,
    "corrections": corrections.EXPERIMENT,
    "feedback": feedback.EXPERIMENT,
}
"""By name, the paper's first."""
