"""What came out of an experiment: a row for each thing measured, and how trials compare."""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from tf_recdenoiser.experiments.comparison import Comparison, compare
from tf_recdenoiser.experiments.trials import Trial, baseline_of
from tf_recdenoiser.runs import RunDirectory, Settings
from tf_recdenoiser.runs.files import write_text

Values = Mapping[str, float | np.ndarray]


@dataclasses.dataclass(frozen=True, eq=False)
class Row:
    """What was measured of one training.

    Attributes
    ----------
    data
        The data set's name.
    trial, seed
        What was trained.
    factors
        All that is varied beside the method, by name.
    values
        By metric: a number, or one for each user, `[E]`.
    directory
        Of the run.
    """

    data: str
    trial: Trial
    seed: int
    factors: Mapping[str, Any]
    values: Values
    directory: RunDirectory

    def record(self) -> dict[str, Any]:
        """The row with all that it takes to have it again: what `results.jsonl` holds."""
        metrics = self.directory.metrics()
        usual = Settings().paths()
        return {
            "data": self.data,
            "method": self.trial.method,
            **self.factors,
            "seed": self.seed,
            "metrics": {name: float(np.mean(value)) for name, value in self.values.items()},
            "users": max((np.size(value) for value in self.values.values()), default=0),
            "best_epoch": metrics["best_epoch"],
            "epochs": metrics["epochs"],
            "seconds": metrics["seconds"],
            "parameters": metrics["parameters"],
            "settings": {
                path: value
                for path, value in self.directory.settings().paths().items()
                if path not in usual or usual[path] != value
            },
            "fingerprint": metrics["data"],
            "environment": self.directory.environment(),
        }


@dataclasses.dataclass(frozen=True, eq=False)
class Line:
    """A trial over all its seeds.

    Attributes
    ----------
    trial, factors
        What it is.
    seeds
        Those that are there.
    means
        By metric, of each seed `[S]`.
    comparisons
        By metric, with the trial's baseline on the seeds that both have; with itself where it has
        none.
    is_compared
        Whether it has a baseline.
    """

    trial: Trial
    factors: Mapping[str, Any]
    seeds: tuple[int, ...]
    means: Mapping[str, np.ndarray]
    comparisons: Mapping[str, Comparison]
    is_compared: bool

    @property
    def name(self) -> str:
        """Its method and what else is varied."""
        return dataclasses.replace(self.trial, factors=self.factors).name


@dataclasses.dataclass(frozen=True, eq=False)
class Results:
    """All rows of an experiment, as far as it is done."""

    rows: Sequence[Row]

    @property
    def subjects(self) -> list[str]:
        """The data sets' names."""
        return list(dict.fromkeys(row.data for row in self.rows))

    def lines(self, data: str) -> list[Line]:
        """What came out on one data set: a line for each trial and whatever is measured of it."""
        by_line: dict[tuple[str, tuple[Any, ...]], list[Row]] = {}
        for row in self.rows:
            if row.data == data:
                key = (row.trial.name, tuple(row.factors.items()))
                by_line.setdefault(key, []).append(row)
        trials = list(dict.fromkeys(rows[0].trial.name for rows in by_line.values()))
        by_name = {rows[0].trial.name: rows[0].trial for rows in by_line.values()}
        everything = [by_name[name] for name in trials]
        return [
            _line(rows, self._baseline_rows(rows, everything, data)) for rows in by_line.values()
        ]

    def _baseline_rows(
        self, rows: Sequence[Row], trials: Sequence[Trial], data: str
    ) -> Sequence[Row]:
        """The rows that some are compared with: themselves where there is nothing else."""
        baseline = baseline_of(rows[0].trial, trials)
        if baseline is None or baseline.name == rows[0].trial.name:
            return rows
        own = {name: v for name, v in rows[0].factors.items() if name not in rows[0].trial.factors}
        found = [
            row
            for row in self.rows
            if row.data == data
            and row.trial.name == baseline.name
            and row.factors == {**baseline.factors, **own}
        ]
        return found or rows

    def compared(self, data: str) -> dict[str, dict[str, Comparison]]:
        """Comparisons on one data set by name of the line and metric."""
        return {line.name: dict(line.comparisons) for line in self.lines(data)}

    def write(self, path: Path, experiment: str) -> None:
        """Write a JSON object for each row, with settings, commit, data fingerprint and seed."""
        records: Iterator[str] = (
            json.dumps({"experiment": experiment, **row.record()}, ensure_ascii=False)
            for row in self.rows
        )
        path.parent.mkdir(parents=True, exist_ok=True)
        write_text(path, "".join(f"{record}\n" for record in records))


def _line(rows: Sequence[Row], baseline: Sequence[Row]) -> Line:
    others = {row.seed: row.values for row in baseline}
    both = [row for row in rows if row.seed in others]
    metrics = [name for name in rows[0].values if all(name in row.values for row in rows)]
    return Line(
        rows[0].trial,
        rows[0].factors,
        tuple(row.seed for row in rows),
        {name: np.array([np.mean(row.values[name]) for row in rows]) for name in metrics},
        {
            name: compare(
                _stacked([row.values for row in both], name),
                _stacked([others[row.seed] for row in both], name),
            )
            for name in metrics
            if both and all(name in others[row.seed] for row in both)
        },
        baseline is not rows,
    )


def _stacked(values: Sequence[Values], name: str) -> np.ndarray:
    """A metric of several trainings, seeds by users; of one user where it is a number of all."""
    return np.stack([np.atleast_1d(one[name]) for one in values])
