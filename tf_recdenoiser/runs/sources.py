"""Where a run's data come from."""

from __future__ import annotations

import numpy as np

from tf_recdenoiser.data import Dataset, InteractionLog, SyntheticLog, prepare
from tf_recdenoiser.noise import NoisySplit, inject_noise
from tf_recdenoiser.runs.settings import SYNTHETIC, Settings
from tf_recdenoiser.runs.warm_start import with_known_items


def load_log(settings: Settings) -> InteractionLog:
    """The interaction log that the settings name."""
    log: InteractionLog | SyntheticLog = settings.log.make()
    return log.log if isinstance(log, SyntheticLog) else log


def load_dataset(
    settings: Settings, log: InteractionLog | None = None, item_ids: np.ndarray | None = None
) -> Dataset:
    """The prepared data set.

    Parameters
    ----------
    settings
        Of the run.
    log
        If it has been read already; None by default.
    item_ids
        Raw ids by code, if they are decided already; None (default): in order, and after those of
        the run that the settings begin with.
    """
    k_core = getattr(settings.log, "k_core", 0)
    dataset = prepare(load_log(settings) if log is None else log, k_core)
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
