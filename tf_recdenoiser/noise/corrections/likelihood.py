"""The correction `likelihood`."""

from __future__ import annotations

from tf_recdenoiser.noise.corrections.base import HistoryCleaning


class NoiseLikelihood(HistoryCleaning):
    """The objective takes any target for noise, with the share of noise that was found."""

    mixes_noise = True
