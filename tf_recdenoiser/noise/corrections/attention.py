"""The correction `attention`."""

from __future__ import annotations

from tf_recdenoiser.noise.corrections.base import Correction


class AttentionSoftening(Correction):
    """Attention to items is softened."""

    softens = "attention"
