"""RQ3: which part of the denoiser a gain comes from, and whether learning or chance."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import numpy as np

from tf_recdenoiser.estimators import ESTIMATORS
from tf_recdenoiser.experiments.engine import run_directory
from tf_recdenoiser.experiments.experiment import Experiment
from tf_recdenoiser.experiments.measures.ranking import density, ranking
from tf_recdenoiser.experiments.trials import PLAIN, Changes, Method, Trial, of_methods
from tf_recdenoiser.ops import PATTERNS
from tf_recdenoiser.runs import RunDirectory
from tf_recdenoiser.runs.settings import DENOISER

_WINDOW = "sliding_window"
_SOURCE = "positional"
_GATES: Changes = {"gates": _SOURCE}


def _frozen(out: Path, seed: int) -> Changes:
    return {**_GATES, "gates.source": str(run_directory(out, _SOURCE, seed))}


def _shuffled(out: Path, seed: int) -> Changes:
    return {**_frozen(out, seed), "gates.shuffle": True}


def _window(out: Path, seed: int) -> Changes:
    directory = RunDirectory(run_directory(out, _SOURCE, seed))
    density = float(np.mean(directory.metrics()["density"]))
    width = window_width(directory.settings().model.max_length, density)
    return {"model.attention": _WINDOW, "model.attention.width": width}


CONTROLS: Mapping[str, Method] = {"frozen": _frozen, "shuffled": _shuffled, "window": _window}
"""What is made from the positional gates of the same seed: "frozen" has their values of the best
epoch from the start and does not train them; "shuffled" does so too, each layer's values in a
random order; "window" lets every layer see a fixed number of newest positions, with as many edges
as these gates keep."""

_PARTS: Mapping[str, Changes] = {
    PLAIN: {},
    _SOURCE: _GATES,
    "relative": {"gates": "relative"},
    "jacobian": {"model.gamma": DENOISER["model.gamma"]},
    "both": dict(DENOISER),
}
_OPTIONS: Mapping[str, tuple[float | str, ...]] = {
    "initial_keep": (0.6, 0.75, 0.99),
    "inference": ("hard", "expectation"),
}
_VARIANTS: Mapping[str, Changes] = {
    **{
        f"estimator {name}": {**_GATES, "gates.estimator": name}
        for name in ESTIMATORS
        if name != "disarm"
    },
    **{
        f"initial keep {keep}": {**_GATES, "gates.initial_keep": keep} for keep in (0.6, 0.75, 0.99)
    },
    **{
        f"inference {name}": {**_GATES, "gates.inference": name} for name in ("hard", "expectation")
    },
}

EXPERIMENT = Experiment(
    title="Where a gain comes from (ablation, RQ3)",
    about="Gates, the Jacobian penalty, and both. Gates that are frozen at what others learned, "
    "the same in a random order, and a window with as many edges say whether a gain comes from "
    "learning, from sparsity or from chance.\n\n"
    "Other estimators of the gates' gradient, other probabilities to begin with, and other gates "
    "at inference are compared with positional gates trained by DisARM, which begin with 0.9 and "
    "are clipped.",
    trials=(
        *of_methods(_PARTS),
        *(Trial(name, changes, needs=(_SOURCE,)) for name, changes in CONTROLS.items()),
        *of_methods(_VARIANTS, baseline=_SOURCE),
    ),
    base={"evaluation.validate_every": 5},
    measures=(ranking, density),
)


def window_width(length: int, density: float) -> int:
    """The width of the sliding window whose share of causal edges is nearest to `density`.

    Examples
    --------
    >>> window_width(50, 0.5)
    14
    """
    causal = np.tri(length, dtype=bool)
    shares = [PATTERNS[_WINDOW](length, width)[causal].mean() for width in range(length)]
    return int(np.argmin(np.abs(np.array(shares) - density)))
