"""Interaction logs: reading, preparing, splitting, batching, and a synthetic log with noise."""

from tf_recdenoiser.data.batches import WINDOWS, Batches, PartOfBatches, TrainingBatches
from tf_recdenoiser.data.checks import OnBadRow, checked_log
from tf_recdenoiser.data.dataset import Dataset, Fingerprint
from tf_recdenoiser.data.histories import Histories
from tf_recdenoiser.data.log import (
    BadRow,
    DataError,
    InteractionLog,
    MissingColumnError,
    ReadReport,
)
from tf_recdenoiser.data.negatives import UnseenSampler
from tf_recdenoiser.data.prepare import prepare
from tf_recdenoiser.data.prepared import (
    PreparedDataset,
    StreamedBatches,
    is_prepared,
    prepare_files,
)
from tf_recdenoiser.data.readers import READERS, read_log
from tf_recdenoiser.data.split import EvaluationSet, Split, Targets, leave_one_out, user_codes
from tf_recdenoiser.data.synthetic import SyntheticLog, synthetic_log
from tf_recdenoiser.data.tasks import NextItem, Task
from tf_recdenoiser.data.titles import read_titles
from tf_recdenoiser.data.vectors import item_vectors

__all__ = [
    "READERS",
    "WINDOWS",
    "BadRow",
    "Batches",
    "DataError",
    "Dataset",
    "EvaluationSet",
    "Fingerprint",
    "Histories",
    "InteractionLog",
    "MissingColumnError",
    "NextItem",
    "OnBadRow",
    "PartOfBatches",
    "PreparedDataset",
    "ReadReport",
    "Split",
    "StreamedBatches",
    "SyntheticLog",
    "Targets",
    "Task",
    "TrainingBatches",
    "UnseenSampler",
    "checked_log",
    "is_prepared",
    "item_vectors",
    "leave_one_out",
    "prepare",
    "prepare_files",
    "read_log",
    "read_titles",
    "synthetic_log",
    "user_codes",
]
