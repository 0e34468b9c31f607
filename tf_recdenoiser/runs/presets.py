"""Settings that go together, by name.

Examples
--------
>>> from tf_recdenoiser.runs import PRESETS, Settings
>>> Settings("log.csv", **PRESETS["paper"]).estimator
'arm'
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from tf_recdenoiser.runs.settings import NO_DENOISER

PRESETS: Mapping[str, Mapping[str, Any]] = {
    "paper": {
        "objective": "bce",
        "windows": "newest",
        "gates": "positional",
        "penalty": "entries",
        "beta": 0.01,
        "gamma": 1e-3,
        "jacobian_batch_size": None,
        "estimator": "arm",
        "credit": False,
        "detect": "none",
    },
    "plain": {**NO_DENOISER, "detect": "none"},
}
"""What other settings a name stands for.

"paper": the method of Chen et al. 2022 and no more, with the β and γ that they found best on
MovieLens: positional gates (Eq. 5), trained by ARM (Eq. 10) on the loss of a whole batch, and a
Jacobian penalty on every sequence (Eq. 13); windows as SASRec's code takes them. Where the paper is
silent, as about the gates' learning rate, the defaults hold.

"plain": no gates, no Jacobian penalty, no noise looked for.
"""
