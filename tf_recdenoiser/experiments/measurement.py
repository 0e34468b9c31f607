"""What is measured of a trained model, and how it is kept."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from typing import Any

import numpy as np

from tf_recdenoiser._files import written_whole
from tf_recdenoiser.data import Dataset
from tf_recdenoiser.runs import Run, RunDirectory, load_run
from tf_recdenoiser.runs.files import read_json, sha256_of, write_json


@dataclasses.dataclass(frozen=True, eq=False)
class Measurement:
    """Numbers of a model, or of one of several things that are measured of it.

    Attributes
    ----------
    values
        By metric: a number, or an array of one for each user, `[E]`.
    factors
        Which of these things it is, by name; nothing by default.
    """

    values: Mapping[str, float | np.ndarray]
    factors: Mapping[str, Any] = dataclasses.field(default_factory=dict)


Measure = Callable[[Run, Dataset], Iterable[Measurement]]
"""Measures a run on its data."""


def measured(
    directory: RunDirectory, dataset: Dataset, measures: Iterable[Measure], folder: Path
) -> list[Measurement]:
    """What is measured of a finished run, read from `folder` if it lies there, else left there."""
    of = {"run": sha256_of(directory.metrics_file), "measures": [one.__name__ for one in measures]}
    index, arrays = folder / "measured.json", folder / "measured.npz"
    if index.exists():
        record = read_json(index, dict)
        if record["of"] == of:
            return _read(record["measurements"], arrays)
    run = load_run(directory.path)
    found = [one for measure in measures for one in measure(run, dataset)]
    folder.mkdir(parents=True, exist_ok=True)
    with written_whole(arrays) as unfinished, unfinished.open("wb") as file:
        np.savez_compressed(file, allow_pickle=False, **_arrays(found))
    # Last: without it the arrays are of no account.
    write_json(index, {"of": of, "measurements": [*map(_record, found)]})
    return found


def _record(one: Measurement) -> dict[str, Any]:
    values = {
        name: None if isinstance(value, np.ndarray) else float(value)
        for name, value in one.values.items()
    }
    return {"factors": dict(one.factors), "values": values}


def _arrays(found: Iterable[Measurement]) -> dict[str, np.ndarray]:
    return {
        f"{number}/{name}": value
        for number, one in enumerate(found)
        for name, value in one.values.items()
        if isinstance(value, np.ndarray)
    }


def _read(records: list[dict[str, Any]], path: Path) -> list[Measurement]:
    with np.load(path, allow_pickle=False) as arrays:
        return [
            Measurement(
                {
                    name: arrays[f"{number}/{name}"] if value is None else value
                    for name, value in record["values"].items()
                },
                record["factors"],
            )
            for number, record in enumerate(records)
        ]
