"""Sequence encoders. A new one is one file and one line in `BACKBONES`."""

from tf_recdenoiser.backbones.base import EXTRA_INPUTS, Backbone
from tf_recdenoiser.backbones.bert4rec import BERT4Rec
from tf_recdenoiser.backbones.sasrec import SASRec
from tf_recdenoiser.backbones.sse_pt import SSEPT
from tf_recdenoiser.backbones.tisasrec import TiSASRec

BACKBONES: dict[str, type[Backbone]] = {
    "sasrec": SASRec,
    "bert4rec": BERT4Rec,
    "tisasrec": TiSASRec,
    "sse_pt": SSEPT,
}
"""Every backbone by name."""

__all__ = [
    "BACKBONES",
    "EXTRA_INPUTS",
    "SSEPT",
    "BERT4Rec",
    "Backbone",
    "SASRec",
    "TiSASRec",
]
