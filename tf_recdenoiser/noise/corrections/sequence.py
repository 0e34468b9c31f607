"""The correction `sequence`."""

from __future__ import annotations

from tf_recdenoiser.noise.corrections.base import HistoryCleaning


class SequenceCleaning(HistoryCleaning):
    """Items are left out of training sequences as often as they are probably noise."""

    leaves_items_out = True
