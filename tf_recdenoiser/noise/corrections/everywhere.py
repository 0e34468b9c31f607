"""The correction `everywhere`."""

from __future__ import annotations

from tf_recdenoiser.noise.corrections.base import WeightedTargets


class SofteningEverywhere(WeightedTargets):
    """Targets are weighted, and items softened at the input and in attention."""

    softens = "everywhere"
