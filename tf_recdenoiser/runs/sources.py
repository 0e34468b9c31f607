"""Where a run's data come from."""

from __future__ import annotations

import inspect

import numpy as np

from tf_recdenoiser.data import DataError, Dataset, InteractionLog, prepare, read_log, synthetic_log
from tf_recdenoiser.noise import NoisySplit, inject_noise
from tf_recdenoiser.runs.settings import Settings

SYNTHETIC = "synthetic"


def synthetic_options(data: str) -> dict[str, int | float]:
    """The arguments for `synthetic_log` in a text such as `synthetic:users=500,noise=0.3`.

    Examples
    --------
    >>> synthetic_options("synthetic:users=500,noise=0.3")
    {'users': 500, 'noise': 0.3}
    """
    allowed = {
        name: type(parameter.default)
        for name, parameter in inspect.signature(synthetic_log).parameters.items()
        if type(parameter.default) in (int, float)
    }
    options: dict[str, int | float] = {}
    text = data.removeprefix(SYNTHETIC).removeprefix(":")
    for part in filter(None, text.split(",")):
        name, _, value = part.partition("=")
        if name not in allowed:
            raise DataError(
                f"The synthetic data set takes {', '.join(f'{key}=…' for key in allowed)}. "
                f"Received: {part!r}"
            )
        try:
            options[name] = allowed[name](value)
        except ValueError as error:
            raise DataError(f"`{name}` must be a number. Received: {part!r}") from error
    return options


def load_log(settings: Settings) -> InteractionLog:
    """The interaction log that the settings name."""
    if settings.data.partition(":")[0] == SYNTHETIC:
        return synthetic_log(**synthetic_options(settings.data)).log  # type: ignore[arg-type]
    return read_log(
        settings.data,
        format=settings.format,
        on_bad_row=settings.on_bad_row,  # type: ignore[arg-type]
        user_column=settings.user_column,
        item_column=settings.item_column,
        time_column=settings.time_column,
        rating_column=settings.rating_column,
    )


def load_dataset(settings: Settings, log: InteractionLog | None = None) -> Dataset:
    """The prepared data set; `log` if it has been read already."""
    return prepare(load_log(settings) if log is None else log, settings.k_core)


def load_split(settings: Settings, dataset: Dataset) -> NoisySplit:
    """The split of the prepared data set, with the noise that the settings plant in it.

    Where the noise of a synthetic log is known it is marked, if none is planted besides.
    """
    if settings.injection_rate > 0:
        return inject_noise(
            dataset,
            settings.injection_rate,
            settings.injection_distribution,
            settings.injection_places,
            settings.injection_seed,
        )
    if settings.data.partition(":")[0] == SYNTHETIC and settings.k_core <= 1:
        made = synthetic_log(**synthetic_options(settings.data))  # type: ignore[arg-type]
        return NoisySplit.of(dataset, made.is_noise)
    return NoisySplit.of(dataset, np.zeros(len(dataset.items), np.int32))
