"""Methods on one data set, compared with the plain model."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

from tf_recdenoiser.data import Dataset
from tf_recdenoiser.experiments.comparison import Comparison
from tf_recdenoiser.experiments.engine import Subject, results_of, run_tasks, tasks_of
from tf_recdenoiser.experiments.measures.ranking import ranking
from tf_recdenoiser.experiments.trials import PLAIN, Method, of_methods
from tf_recdenoiser.runs import Observer, Settings

_MEASURES = (ranking,)


def run_paired(
    base: Settings,
    dataset: Dataset,
    out: Path,
    methods: Mapping[str, Method],
    seeds: Sequence[int],
    observer: Observer | None = None,
) -> dict[str, dict[str, Comparison]]:
    """Train what is not there yet, and compare every method with the plain run.

    Parameters
    ----------
    base
        The plain run's settings.
    dataset
        What `load_dataset(base)` gives.
    out
        A directory with one for each run, `METHOD-SEED`; those that are finished with the same
        settings are kept.
    methods
        By name, in the order in which they are trained; `PLAIN`, to compare with, comes first
        and need not be named.
    seeds
        Of the runs.
    observer
        Gets reports of what is done; None (default) for none.

    Returns
    -------
    By method and then by metric, as `ranking` calls it.

    Raises
    ------
    RunError
        If a method does not go with the settings, before anything is trained; or if `out` holds
        one of its runs with other settings.
    """
    subject = Subject("", base, dataset)
    tasks = tasks_of([(subject, out)], of_methods({PLAIN: {}, **methods}), seeds)
    run_tasks(tasks, _MEASURES, observer)
    return results_of(tasks, _MEASURES).compared(subject.name)
