"""The correction `likelihood`."""

from __future__ import annotations

from tf_recdenoiser.noise.corrections.base import Correction


class NoiseLikelihood(Correction):
    """The objective takes any target for noise with the share that was found."""

    mixes_noise = True
