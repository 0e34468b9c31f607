"""Reading a log while somebody waits."""

from __future__ import annotations

from tf_recdenoiser.cli.console import busy, errors, note
from tf_recdenoiser.data import Dataset, PreparedDataset
from tf_recdenoiser.runs import RunError, Settings, load_dataset, load_log


def read_dataset(settings: Settings) -> Dataset:
    """The data set of some settings; what was read and what was left out is said."""
    if settings.log == Settings().log:
        raise RunError("A log must be given, or a `--config` that names one. Received: none")
    with busy(f"Reading {settings.source}"):
        log = load_log(settings)
        dataset = load_dataset(settings, log)
    said = log if isinstance(log, PreparedDataset) else log.report
    note(said.describe(), errors)
    return dataset
