"""Where a run's data come from."""

from __future__ import annotations

import numpy as np

from tf_recdenoiser._settings import changed
from tf_recdenoiser.data import (
    DataError,
    Dataset,
    InteractionLog,
    PreparedDataset,
    SyntheticLog,
    is_prepared,
    prepare,
)
from tf_recdenoiser.noise import NoisySplit, inject_noise
from tf_recdenoiser.runs.settings import SYNTHETIC, Settings
from tf_recdenoiser.runs.warm_start import with_known_items


def load_log(settings: Settings) -> InteractionLog | PreparedDataset:
    """The interaction log that the settings name, or what was prepared of one.

    Raises
    ------
    DataError
        If it cannot be read, or how to read it is told of what was prepared already.
    """
    if settings.log.name != SYNTHETIC and is_prepared(settings.log.path):
        if told := changed(settings.log).keys() - {"path"}:
            listed = ", ".join(f"log.{name}" for name in sorted(told))
            raise DataError(
                "How a log is read is said where it is prepared: leave it out here. "
                f"Received: {listed} with the prepared data set {settings.log.path!r}"
            )
        return PreparedDataset(settings.log.path)
    log: InteractionLog | SyntheticLog = settings.log.make()
    return log.log if isinstance(log, SyntheticLog) else log


def load_dataset(
    settings: Settings,
    log: InteractionLog | PreparedDataset | None = None,
    item_ids: np.ndarray | None = None,
) -> Dataset:
    """The users' sequences.

    Parameters
    ----------
    settings
        Of the run.
    log
        What `load_log` has of them, if it was called already; None by default.
    item_ids
        Raw ids by code, if they are decided already; None (default): in order, and after those of
        the run that the settings begin with.
    """
    log = load_log(settings) if log is None else log
    if isinstance(log, PreparedDataset):
        dataset = log.dataset()
    else:
        dataset = prepare(log, getattr(settings.log, "k_core", 0))
    if item_ids is not None:
        return dataset.with_items(item_ids)
    return with_known_items(dataset, settings)


def load_split(settings: Settings, dataset: Dataset) -> NoisySplit:
    """The split of the prepared data set, with the noise that the settings inject into it.

    Where the noise of a synthetic log is known it is marked, if none is injected besides. What
    users disliked is left out of it if no use is to be made of it.
    """
    split = _load_split(settings, dataset)
    return split if settings.noise.feedback else split.without_feedback()


def _load_split(settings: Settings, dataset: Dataset) -> NoisySplit:
    injection, targets = settings.noise.injection, settings.evaluation.targets
    if injection.rate > 0:
        return inject_noise(
            dataset,
            injection.rate,
            injection.distribution,
            injection.places,
            injection.seed,
            targets,
        )
    if settings.log.name == SYNTHETIC:
        made: SyntheticLog = settings.log.make()
        return NoisySplit.of(dataset, made.is_noise, targets)
    return NoisySplit.of(dataset, np.zeros(len(dataset.items), np.int32), targets)
