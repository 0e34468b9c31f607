"""Interaction logs: reading, preparing, splitting, batching, and a synthetic log with noise."""

from tf_recdenoiser.data.batches import MENDS, WEIGHING, WINDOWS, TrainingBatches
from tf_recdenoiser.data.checks import OnBadRow, checked_log
from tf_recdenoiser.data.dataset import Dataset, Fingerprint
from tf_recdenoiser.data.histories import Histories
from tf_recdenoiser.data.log import BadRow, DataError, InteractionLog, ReadReport
from tf_recdenoiser.data.negatives import UnseenSampler
from tf_recdenoiser.data.noise import (
    NOISE_LAWS,
    PLACES,
    NoisePlanter,
    NoisySplit,
    law_shares,
    plant_noise,
)
from tf_recdenoiser.data.prepare import prepare
from tf_recdenoiser.data.readers import READERS, read_log
from tf_recdenoiser.data.split import EvaluationSet, Split, leave_one_out, user_codes
from tf_recdenoiser.data.synthetic import SyntheticLog, synthetic_log
from tf_recdenoiser.data.tasks import NextItem, Task
from tf_recdenoiser.data.vectors import item_vectors

__all__ = [
    "MENDS",
    "NOISE_LAWS",
    "PLACES",
    "READERS",
    "WEIGHING",
    "WINDOWS",
    "BadRow",
    "DataError",
    "Dataset",
    "EvaluationSet",
    "Fingerprint",
    "Histories",
    "InteractionLog",
    "NextItem",
    "NoisePlanter",
    "NoisySplit",
    "OnBadRow",
    "ReadReport",
    "Split",
    "SyntheticLog",
    "Task",
    "TrainingBatches",
    "UnseenSampler",
    "checked_log",
    "item_vectors",
    "law_shares",
    "leave_one_out",
    "plant_noise",
    "prepare",
    "read_log",
    "synthetic_log",
    "user_codes",
]
