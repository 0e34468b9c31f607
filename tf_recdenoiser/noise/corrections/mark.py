"""The correction `mark`."""

from __future__ import annotations

from tf_recdenoiser.noise.corrections.base import WeightedTargets


class NoiseMarking(WeightedTargets):
    """Targets are weighted, and items marked in the input by how probably they are noise."""

    softens = "mark"
