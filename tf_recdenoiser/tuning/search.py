"""A search, its record, and the training of the best."""

from __future__ import annotations

import dataclasses
import tempfile
from pathlib import Path
from typing import Any

from tf_recdenoiser._files import locked
from tf_recdenoiser.data import Dataset
from tf_recdenoiser.evaluation import PROTOCOLS
from tf_recdenoiser.runs import RunDirectory, RunError, Settings, resolve, train
from tf_recdenoiser.runs.environment import keras_name
from tf_recdenoiser.runs.files import read_json, write_json
from tf_recdenoiser.tuning.space import CHOICES, Choices, choices_for, search_space, trial_base
from tf_recdenoiser.tuning.trial import SearchObserver, Trial, best_trial
from tf_recdenoiser.tuning.tuners import EXTENDABLE, TUNERS


@dataclasses.dataclass(frozen=True)
class Search:
    """All that decides a search, beside the data themselves.

    Attributes
    ----------
    base
        Settings that hold for whatever is not searched; `base.seed` also seeds the search. Noise
        is looked for only if they say how.
    choices
        What is searched; see `choices_for`.
    tuner
        A name of `TUNERS`. "random" (default); "hyperband": many settings for few epochs, the
        best of them for more; "bayesian": led by what was found, and in need of scikit-learn.
    trials
        At most so many.
    protocol
        The evaluation protocol whose NDCG@10 on validation is to be high.

    Raises
    ------
    ValueError
        If one of them cannot be.
    """

    base: Settings
    choices: Choices
    tuner: str = "random"
    trials: int = 30
    protocol: str = "full"

    def __post_init__(self) -> None:
        if not any(path.startswith("noise.detector") for path in self.choices):
            resolve(trial_base(self.base))  # What no trial could be made from is refused here.
        object.__setattr__(self, "choices", choices_for(self.base, CHOICES, self.choices))
        if not self.choices:
            raise ValueError("`choices` must leave something to search. Received: choices={}")
        for name, table in (("tuner", TUNERS), ("protocol", PROTOCOLS)):
            if (value := getattr(self, name)) not in table:
                raise ValueError(
                    f"`{name}` must be one of {', '.join(table)}. Received: {name}={value!r}"
                )
        if self.trials < 1:
            raise ValueError(f"`trials` must be at least 1. Received: trials={self.trials}")


def run_search(
    search: Search,
    dataset: Dataset,
    out: Path,
    resume: bool = False,
    observer: SearchObserver | None = None,
) -> list[Trial]:
    """Run the trials of a search that have not run yet.

    The order of trials and what each tries follow from the search and from how earlier trials
    ended; so a search that was stopped, when begun again, comes to the same trials, takes those
    that have ended from `out` and goes on.

    Parameters
    ----------
    search
        What is searched. When resuming it must be the recorded one, but for `trials`, and with
        Hyperband that too.
    dataset
        The prepared data.
    out
        A directory that gets `search.json` and a run directory for each trial, `trials/1`, ….
    resume
        Go on with the search in `out`, or begin it if there is none.
    observer
        Gets reports of what is done; None (default) for none.

    Returns
    -------
    Every trial in its order, those that failed included.

    Raises
    ------
    RunError
        If `out` cannot be used as asked, or a package is missing.
    FolderError
        If `out` cannot be written to, or another process writes to it.
    """
    # Here, since KerasTuner brings a second Keras along, and takes as long to import.
    import keras_tuner

    from tf_recdenoiser.tuning.recommender_tuner import RecommenderTuner

    space = keras_tuner.HyperParameters()
    search_space(space, search.base, search.choices)
    base = search.base
    oracle = TUNERS[search.tuner](space, search.trials, base.fit.epochs, base.seed)
    with locked(out, out / "trials"), tempfile.TemporaryDirectory() as scratch:
        _record(search, dataset, out, resume)
        tuner = RecommenderTuner(
            oracle,
            base,
            search.choices,
            search.protocol,
            dataset,
            out / "trials",
            SearchObserver() if observer is None else observer,
            scratch,
        )
        tuner.search()
    return tuner.ended


def train_best(
    search: Search,
    trials: list[Trial],
    dataset: Dataset,
    out: Path,
    observer: SearchObserver | None = None,
) -> dict[str, Any]:
    """Train with the settings of the best trial, for all epochs; the metrics of that run.

    It lies in `out/best`, an ordinary run directory. One that was interrupted goes on; one of
    other settings, which were the best of fewer trials, is replaced.

    Raises
    ------
    RunError
        If no trial completed.
    """
    settings = best_trial(trials).settings.replace({"fit.epochs": search.base.fit.epochs})
    directory = best_directory(out)
    if directory.exists() and directory.settings() != resolve(settings):
        with directory.locked():
            directory.clear()
    return train(settings, dataset, directory, True, observer)


def best_directory(out: Path) -> RunDirectory:
    """The run directory of the best trial, trained again."""
    return RunDirectory(out / "best")


def load_search(out: Path) -> Search | None:
    """The search recorded in `out`, if there is one."""
    file = _record_file(out)
    if not file.exists():
        return None

    def convert(record: dict[str, Any]) -> Search:
        known = {field.name: record[field.name] for field in dataclasses.fields(Search)}
        return Search(**{**known, "base": Settings().replace(record["base"])})

    return read_json(file, convert)


def _record_file(out: Path) -> Path:
    return out / "search.json"


def _record(search: Search, dataset: Dataset, out: Path, resume: bool) -> None:
    """Write down what is searched, after a look at what was."""
    file = _record_file(out)
    origin = {"keras": keras_name(), "data": dataclasses.asdict(dataset.fingerprint())}
    recorded = load_search(out)
    if recorded is not None:
        if not resume:
            raise RunError(
                f"{out} already holds a search. Go on with it by --resume, or choose another "
                "directory."
            )
        old = read_json(file, dict)
        changed = [
            *(
                f"{name}: {new}, was {old[name]}"
                for name, new in origin.items()
                if old[name] != new
            ),
            *_differences(search, recorded),
        ]
        if changed:
            raise RunError(
                "A resumed search keeps its data, its Keras and its settings, except, if it is "
                f"not Hyperband, the number of trials. Received: {'; '.join(changed)}"
            )
    values = {field.name: getattr(search, field.name) for field in dataclasses.fields(search)}
    write_json(file, {**origin, **values, "base": search.base.document()})


def _differences(search: Search, recorded: Search) -> list[str]:
    found = search.base.differences(recorded.base)
    for name in ("choices", "tuner", "protocol", "trials"):
        new, old = getattr(search, name), getattr(recorded, name)
        if new != old and not (name == "trials" and search.tuner in EXTENDABLE):
            found[name] = (new, old)
    return [f"{name}: {new!r}, was {old!r}" for name, (new, old) in found.items()]
