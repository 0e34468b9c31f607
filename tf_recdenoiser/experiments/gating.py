"""The paper's gates and Jacobian penalty, and controls that say what a gain comes from."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import numpy as np

from tf_recdenoiser.experiments.paired import PLAIN, Changes, Method, run_directory
from tf_recdenoiser.ops import PATTERNS
from tf_recdenoiser.runs import RunDirectory
from tf_recdenoiser.runs.settings import DENOISER

_WINDOW = "sliding_window"
_SOURCE = "positional"


def _frozen(out: Path, seed: int) -> Changes:
    return {"gates": _SOURCE, "gates.source": str(run_directory(out, _SOURCE, seed))}


def _shuffled(out: Path, seed: int) -> Changes:
    return {**_frozen(out, seed), "gates.shuffle": True}


def _window(out: Path, seed: int) -> Changes:
    directory = RunDirectory(run_directory(out, _SOURCE, seed))
    density = float(np.mean(directory.metrics()["density"]))
    width = window_width(directory.settings().model.max_length, density)
    return {"model.attention": _WINDOW, "model.attention.width": width}


GATING: Mapping[str, Method] = {
    PLAIN: {},
    _SOURCE: {"gates": _SOURCE},
    "relative": {"gates": "relative"},
    "jacobian": {"model.gamma": DENOISER["model.gamma"]},
    "both": dict(DENOISER),
    "frozen": _frozen,
    "shuffled": _shuffled,
    "window": _window,
}
"""What is done to attention, by name: the settings that differ from those of `PLAIN`.

Controls, each made from the positional gates of the same seed: "frozen" has their values of the
best epoch from the start and does not train them; "shuffled" does so too, each layer's values in
a random order; "window" lets every layer see a fixed number of newest positions, with as many
edges as these gates keep.
"""

CONTROLS = frozenset({"frozen", "shuffled", "window"})
"""Those that need the positional gates."""


def with_sources(names: list[str]) -> list[str]:
    """`names`, before them the method whose gates the controls among them are made from.

    Examples
    --------
    >>> with_sources(["jacobian", "frozen"])
    ['positional', 'jacobian', 'frozen']
    """
    needed = [_SOURCE] if CONTROLS & {name.split()[0] for name in names} else []
    return list(dict.fromkeys([*needed, *names]))


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
