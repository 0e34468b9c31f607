"""Settings that go together, by name.

Examples
--------
>>> from tf_recdenoiser.runs import PRESETS, Settings
>>> Settings.of("log.csv", PRESETS["paper"]).gates.estimator.name
'arm'
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

PRESETS: Mapping[str, Mapping[str, Any]] = {
    "paper": {
        "objective": "bce",
        "fit.windows": "newest",
        "gates": "positional",
        "gates.penalty": "entries",
        "gates.beta": 0.01,
        "gates.estimator": "arm",
        "gates.credit": False,
        "model.gamma": 1e-3,
        "model.jacobian_batch_size": None,
        "noise.detector": "none",
    },
    "plain": {"gates": "none", "noise.detector": "none"},
}
"""What other settings a name stands for, by their paths.

"paper": the method of Chen et al. 2022 and no more, with the β and γ that they found best on
MovieLens: positional gates (Eq. 5), trained by ARM (Eq. 10) on the loss of a whole batch, and a
Jacobian penalty on every sequence (Eq. 13); windows as SASRec's code takes them. Where the paper is
silent, as about the gates' learning rate, the defaults hold.

"plain": no gates and no noise looked for; there is no Jacobian penalty by default.
"""
