"""Injected noise: how much of it is found, and how much of its harm corrected."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from tf_recdenoiser.experiments.experiment import Experiment
from tf_recdenoiser.experiments.measures.finding import finding
from tf_recdenoiser.experiments.measures.ranking import ranking
from tf_recdenoiser.experiments.trials import PLAIN, Changes, of_methods

_AS_IT_IS: Changes = {
    "noise.correction.clean_above": 1.0,
    "noise.correction.clean_newest_above": 1.0,
}

_CORRECTIONS: Mapping[str, Changes] = {
    "attention": {},
    "input": {},
    "targets": _AS_IT_IS,
    "everywhere": {},
    "likelihood": _AS_IT_IS,
    "sequence": {},
}


def _correcting(detector: str, corrections: Iterable[str]) -> dict[str, Changes]:
    return {
        f"{detector} {correction}": {
            "noise.detector": detector,
            "noise.correction": correction,
            **_CORRECTIONS[correction],
        }
        for correction in corrections
    }


CORRECTING: Mapping[str, Changes] = {
    PLAIN: {},
    # An oracle knows which targets are noise; it needs no likelihood for it.
    **_correcting(
        "oracle", [correction for correction in _CORRECTIONS if correction != "likelihood"]
    ),
    **_correcting("context", _CORRECTIONS),
    **_correcting("surprisal", ["sequence"]),
}
"""What is done about noise, by name: the settings that differ from the plain run's.

Oracles know where the noise is. "attention": noise is hidden from attention; "input": its vectors
are; "targets": noise is no training target; "everywhere": these three together, and what was noise
is a gap; "likelihood": any target may be noise, with the share that was found; "sequence": noise is
taken out of whole sequences, which are closed up, the histories that recommendations start from
included. Where noise is found and not known, all of it goes by the probability. With "targets"
and "likelihood" these histories stay as they are, so that the harm in the targets is seen alone;
`train` cleans them.
"""

EXPERIMENT = Experiment(
    title="Noise found and corrected",
    about="A quarter of the log is replaced by noise, so that what is found can be compared with "
    "what is there. Every method trains the backbone without gates and Jacobian penalty, and is "
    "compared with doing nothing.\n\n"
    "Oracles know where the noise is: what they gain is what there is to be gained, and `gap` is "
    "the share of it that a method has. ROC AUC is the probability that a noise item has a higher "
    "score than a clean one; precision is the share of noise among the items with the highest "
    "scores, as many as there is noise.",
    trials=of_methods(CORRECTING),
    base={
        "noise.injection.rate": 0.25,
        "fit.epochs": 60,
        "fit.patience": 0,
        "evaluation.validate_every": 5,
    },
    measures=(ranking, finding),
)
