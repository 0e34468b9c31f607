"""Sequence encoders. A new one is one file and one line in `BACKBONES`."""

from tf_recdenoiser.backbones.base import Backbone
from tf_recdenoiser.backbones.sasrec import SASRec

BACKBONES: dict[str, type[Backbone]] = {
    "sasrec": SASRec,
}
"""Every backbone by name."""

__all__ = ["BACKBONES", "Backbone", "SASRec"]
