"""Sequence encoders. A new one is one file and one line in `BACKBONES`."""

from tf_recdenoiser.backbones.base import EXTRA_INPUTS, SOFTENED, Backbone
from tf_recdenoiser.backbones.bert4rec import BERT4Rec
from tf_recdenoiser.backbones.caser import Caser
from tf_recdenoiser.backbones.fpmc import FPMC
from tf_recdenoiser.backbones.gru4rec import GRU4Rec
from tf_recdenoiser.backbones.popularity import Popularity
from tf_recdenoiser.backbones.sasrec import SASRec
from tf_recdenoiser.backbones.sse_pt import SSEPT
from tf_recdenoiser.backbones.tisasrec import TiSASRec

BACKBONES: dict[str, type[Backbone]] = {
    "sasrec": SASRec,
    "bert4rec": BERT4Rec,
    "tisasrec": TiSASRec,
    "sse_pt": SSEPT,
    "fpmc": FPMC,
    "gru4rec": GRU4Rec,
    "caser": Caser,
    "popularity": Popularity,
}
"""Every backbone by name."""

__all__ = [
    "BACKBONES",
    "EXTRA_INPUTS",
    "FPMC",
    "SOFTENED",
    "SSEPT",
    "BERT4Rec",
    "Backbone",
    "Caser",
    "GRU4Rec",
    "Popularity",
    "SASRec",
    "TiSASRec",
]
