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
from tf_recdenoiser.data.log import counted
from tf_recdenoiser.noise import NoisySplit, inject_noise
from tf_recdenoiser.runs.errors import RunError
from tf_recdenoiser.runs.resolve import backbone_class
from tf_recdenoiser.runs.settings import SYNTHETIC, Settings
from tf_recdenoiser.runs.warm_start import with_known_items

MOST_IN_MEMORY = 20_000_000
"""How many interactions of a prepared data set are read at once where nothing else is said."""

EVALUATED = 50_000
"""By so many users at least a model is evaluated where training streams their sequences."""


def load_log(settings: Settings) -> InteractionLog | PreparedDataset:
    """The interaction log that the settings name, or what was prepared of one.

    Raises
    ------
    DataError
        If it cannot be read, or how to read it is told of what was prepared already.
    """
    if settings.log.name != SYNTHETIC and is_prepared(settings.log.path):
        if told := changed(settings.log).keys() - {"path", "stream"}:
            listed = ", ".join(f"log.{name}" for name in sorted(told))
            raise DataError(
                "How a log is read is said where it is prepared: leave it out here. "
                f"Received: {listed} with the prepared data set {settings.log.path!r}"
            )
        return PreparedDataset(settings.log.path)
    log: InteractionLog | SyntheticLog = settings.log.make()
    return log.log if isinstance(log, SyntheticLog) else log


def is_streamed(settings: Settings, prepared: PreparedDataset) -> bool:
    """Whether training reads a data set a shard at a time."""
    if settings.log.stream is None:
        return prepared.manifest.interactions > MOST_IN_MEMORY
    return bool(settings.log.stream)


def streamed(settings: Settings) -> PreparedDataset | None:
    """What training reads a shard at a time; None if it has all data in memory.

    Raises
    ------
    RunError
        If something is to be done that needs all data in memory.
    """
    if settings.log.name == SYNTHETIC:
        return None
    if not is_prepared(settings.log.path):
        if settings.log.stream:
            raise RunError(
                "`log.stream` must go with a prepared data set; make one by `tf-recdenoiser "
                f"prepare`. Received: {settings.log.path!r}, which is none"
            )
        return None
    prepared = PreparedDataset(settings.log.path)
    if not is_streamed(settings, prepared):
        return None
    needs = {
        "noise.injection.rate=0": settings.noise.injection.rate > 0,
        "--targets last": settings.evaluation.targets != "last",
        "no --from": settings.fit.warm_start is not None,
        "another backbone": "user_ids" in backbone_class(settings).extra_inputs,
    }
    if wanting := [what for what, is_missing in needs.items() if is_missing]:
        raise RunError(
            f"Training that reads a shard at a time needs {' and '.join(wanting)}; give that, or "
            "have all data read into memory by --set log.stream=false. Received: "
            f"{counted(prepared.manifest.interactions, 'interaction')} in {settings.log.path!r}"
        )
    return prepared


def load_dataset(
    settings: Settings,
    log: InteractionLog | PreparedDataset | None = None,
    item_ids: np.ndarray | None = None,
) -> Dataset:
    """The users' sequences: all, or where training streams them, those of users to evaluate by.

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
        dataset = log.dataset(log.sample(EVALUATED) if is_streamed(settings, log) else None)
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
