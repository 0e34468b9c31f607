"""The correction `attention`."""

from __future__ import annotations

from tf_recdenoiser.noise.corrections.base import Correction


class AttentionSoftening(Correction):
    """The keys of items weigh as much as the items are probably clean."""

    softens = "attention"
