"""The correction `targets`."""

from __future__ import annotations

from tf_recdenoiser.noise.corrections.base import Correction


class TargetWeighting(Correction):
    """Targets weigh as much as they are probably meant."""

    weighs_targets = True
