"""Feedback: how well untold dislikes are found, and what it gains to know them."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping

from tf_recdenoiser.experiments.experiment import Experiment
from tf_recdenoiser.experiments.measurement import Measure
from tf_recdenoiser.experiments.measures.dislikes import dislikes, doubts
from tf_recdenoiser.experiments.trials import PLAIN, Changes, of_methods
from tf_recdenoiser.runs.settings import DENOISER

DISLIKING: Mapping[str, Changes] = {
    PLAIN: {},
    "bce": {"objective": "bce"},
    "t_ce": {"objective": "t_ce"},
    "r_ce": {"objective": "r_ce"},
    "bootstrap": {"objective": "bootstrap"},
    "gates": dict(DENOISER),
    "context": {"noise.detector": "context", "noise.feedback": False},
    **{
        f"feedback {correction}": {"noise.detector": "feedback", "noise.correction": correction}
        for correction in ("sequence", "targets", "mark")
    },
}
"""What is done about dislikes, by name: the settings that differ from the plain run's.

The first seven make no use of what the log says of them: the default objective; binary
cross-entropy ("bce") and three losses made of it that doubt what is hard to learn ("t_ce", "r_ce",
"bootstrap"); the paper's denoiser ("gates"); the detector of what does not fit ("context"). The
others know what the log says, and learn the rest from it: what is disliked is left out of
sequences, of targets, or of targets and marked in the input.
"""

_ALSO: Mapping[str, tuple[Measure, ...]] = {PLAIN: (dislikes,), "t_ce": (doubts,)}

EXPERIMENT = Experiment(
    title="Dislikes: found and put to use",
    about="Every method is trained on the log with all its feedback, and compared with the plain "
    "model by what users liked.\n\n"
    "Then feedback is hidden, but for a share that is known, and dislikes are looked for among "
    "what is hidden: ROC AUC is the probability that a disliked item has a higher score than a "
    "liked one, and is compared with the rates of users and items.",
    trials=tuple(
        dataclasses.replace(trial, also=_ALSO.get(trial.method, ()))
        for trial in of_methods(DISLIKING)
    ),
    base={"evaluation.targets": "liked", "evaluation.validate_every": 5},
)
