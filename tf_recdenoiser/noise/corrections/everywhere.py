"""The correction `everywhere`."""

from __future__ import annotations

from tf_recdenoiser.noise.corrections.base import Correction


class SofteningEverywhere(Correction):
    """Targets are weighted, and items softened at the input and in attention."""

    weighs_targets = True
    softens = "everywhere"
