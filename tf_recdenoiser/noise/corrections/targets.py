"""The correction `targets`."""

from __future__ import annotations

import dataclasses

from tf_recdenoiser.noise.corrections.base import HistoryCleaning, WeightedTargets


@dataclasses.dataclass(frozen=True)
class TargetWeighting(WeightedTargets, HistoryCleaning):
    """Targets weigh as much as they are probably clean.

    Examples
    --------
    >>> import numpy as np
    >>> TargetWeighting(least_weight=0.5).target_weights(np.array([0.0, 0.25, 1.0]))
    array([1.  , 0.75, 0.5 ])
    """

    def __post_init__(self) -> None:
        WeightedTargets.__post_init__(self)
        HistoryCleaning.__post_init__(self)
