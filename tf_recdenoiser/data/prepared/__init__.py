"""Prepared data sets: a log's sequences in files, one after the other, made in little memory."""

from tf_recdenoiser.data.prepared.dataset import PreparedDataset
from tf_recdenoiser.data.prepared.engines import ENGINES, Engine, Local
from tf_recdenoiser.data.prepared.manifest import is_prepared
from tf_recdenoiser.data.prepared.preparing import Observer, prepare_files
from tf_recdenoiser.data.prepared.streaming import StreamedBatches

__all__ = [
    "ENGINES",
    "Engine",
    "Local",
    "Observer",
    "PreparedDataset",
    "StreamedBatches",
    "is_prepared",
    "prepare_files",
]
