"""Injected noise: how much of its harm is corrected."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

import numpy as np

from tf_recdenoiser.evaluation import DISLIKED
from tf_recdenoiser.experiments.comparison import Comparison
from tf_recdenoiser.experiments.paired import PLAIN, Changes

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


def closed_gap(
    found: Mapping[str, Mapping[str, Comparison]], metric: str
) -> dict[str, tuple[float, float]]:
    """The share of the best oracle's gap that each method closes, with its standard error.

    The error is that of the method's difference, over seeds and users; the oracle's is taken as
    it stands. Empty without an oracle that gains anything. Less of "disliked" is a gain.
    """
    differences = {name: by_name[metric].difference for name, by_name in found.items()}
    less_is_better = f" {DISLIKED}@" in metric
    gains = {name: 0.0 - one if less_is_better else one for name, one in differences.items()}
    best = max((gain for name, gain in gains.items() if "oracle" in name), default=0.0)
    if best <= 0:
        return {}
    return {
        name: (
            gains[name] / best,
            float(np.hypot(np.nan_to_num(by_name[metric].seed_error), by_name[metric].user_error))
            / best,
        )
        for name, by_name in found.items()
    }
