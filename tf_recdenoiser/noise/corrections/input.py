"""The correction `input`."""

from __future__ import annotations

from tf_recdenoiser.noise.corrections.base import Correction


class InputSoftening(Correction):
    """The vectors of items are multiplied by the probability that the items are clean."""

    softens = "input"
