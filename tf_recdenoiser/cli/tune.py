"""`tf-recdenoiser tune`."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.table import Column, Table
from typer import Option

from tf_recdenoiser._files import check_folder
from tf_recdenoiser.cli.choices import one_of
from tf_recdenoiser.cli.console import (
    JsonOption,
    errors,
    note,
    output,
    print_json,
    show_metrics,
)
from tf_recdenoiser.cli.device import computes, stated_computing
from tf_recdenoiser.cli.options import (
    fixed,
    is_stated,
    once,
    refuse_idle,
    settings_of,
    with_settings,
)
from tf_recdenoiser.cli.progress import ShowRun
from tf_recdenoiser.cli.reading import read_dataset
from tf_recdenoiser.data.log import counted
from tf_recdenoiser.evaluation import PROTOCOLS
from tf_recdenoiser.runs import RunError, assignment
from tf_recdenoiser.tuning import (
    TUNERS,
    Search,
    SearchObserver,
    Trial,
    best_directory,
    best_trial,
    choices_for,
    load_search,
    run_search,
    train_best,
)


@computes
@with_settings()
def tune(
    context: typer.Context,
    out: Annotated[
        Path,
        Option(
            help="Directory of the search: a run directory for each trial, and in `best` that of "
            "the best, trained again."
        ),
    ],
    trials: Annotated[int, Option(min=1, help="At most so many.")] = Search.trials,
    tuner: Annotated[
        str,
        Option(
            **one_of(
                TUNERS,
                "Draw settings at random; or try many for few of the `--epochs` and the best of "
                "them for more (hyperband: from 6, 23 or 70 trials on in 2, 3 or 4 steps); or be "
                "led by what was found (bayesian: needs scikit-learn).",
            )
        ),
    ] = Search.tuner,
    protocol: Annotated[
        str, Option(**one_of(PROTOCOLS, "Whose validation NDCG@10 is to be high."))
    ] = Search.protocol,
    search: Annotated[
        list[str] | None,
        Option(
            metavar="PATH=[VALUE,VALUE]",
            help="Choose a setting from these values, as in `--search model.hidden_dim=[32, 64]`; "
            "may be given for several.",
        ),
    ] = None,
    resume: Annotated[
        bool,
        Option(
            "--resume",
            help="Go on with the search in `--out`, or begin it if there is none; it keeps its "
            "settings, only more `--trials` may be asked for, except of hyperband.",
        ),
    ] = False,
    json: JsonOption = False,
) -> None:
    """Search for the settings with the best validation NDCG@10, and train with them.

    Searched are the hidden size, layers, heads, dropout, beta, gamma, the estimator, the initial
    keep probability, both learning rates and the objective, as far as they matter. **What
    an option or the file of `--config` sets is not searched**; other settings keep their defaults,
    but that noise is looked for only where `--detector` says how: each trial would look anew.

    The same seed and settings make the same search. Stopped by Ctrl-C, it goes on with
    `--resume`. A trial that fails is listed with its reason, and not tried again unless its
    `failure.txt` is deleted.

    * `tf-recdenoiser tune log.csv --out runs/tuned --trials 30 --epochs 40` searches;
    * `--hidden-dim 50 --search model.max_length=[20,50]` says what is searched;
    * `tf-recdenoiser evaluate runs/tuned/best` uses the best, as any other run.
    """
    check_folder(out)
    recorded = load_search(out) if resume else None
    if resume and recorded is None:
        note(f"There is no search in {out} to go on with: one is begun.", errors)
    if recorded is None:
        chosen = _search(context, trials, tuner, protocol, search or [])
    else:
        chosen = _resumed(context, recorded, trials, tuner, protocol, search or [])
    dataset = read_dataset(chosen.base)
    with _ShowSearch(chosen, out, stated_computing(context)) as observer:
        tried = run_search(chosen, dataset, out, resume, observer)
        if not json:
            output.print(trials_table(tried))
        best = best_trial(tried)
        note(f"Training with the settings of trial {best.number}.", errors)
        metrics = train_best(chosen, tried, dataset, out, observer)
    if json:
        print_json(
            {
                "run": str(best_directory(out).path),
                "trials": [_as_json(one) for one in tried],
                "best": best.number,
                "metrics": metrics,
            }
        )
        return
    show_metrics("Test metrics", {best.settings.model.name: metrics["test"]})
    note(f"The best: {as_text(best.values)}. The run lies in {best_directory(out).path}.")


def _as_json(trial: Trial) -> dict[str, Any]:
    return {
        "number": trial.number,
        "values": trial.values,
        "ndcg@10": trial.score,
        "failure": trial.failure,
    }


def _search(
    context: typer.Context, trials: int, tuner: str, protocol: str, search: Iterable[str]
) -> Search:
    base = settings_of(context)
    choices = choices_for(base, fixed(context), once(map(_choices, search)))
    if not choices:
        raise RunError(
            "Something must be left to search: say what by `--search PATH=[VALUE,VALUE]`. "
            f"Received: {len(fixed(context))} settings, all that there are to search among them"
        )
    refuse_idle(context, base, choices)
    return Search(base, choices, tuner, trials, protocol)


def _resumed(
    context: typer.Context,
    recorded: Search,
    trials: int,
    tuner: str,
    protocol: str,
    search: list[str],
) -> Search:
    """The recorded search with what this command line states."""
    given = {"tuner": tuner, "trials": trials, "protocol": protocol}
    changed: dict[str, Any] = {
        name: value for name, value in given.items() if is_stated(context, name)
    }
    base = settings_of(context, recorded.base)
    choices = recorded.choices
    if search:
        choices = choices_for(base, fixed(context), once(map(_choices, search)))
    return dataclasses.replace(recorded, base=base, choices=choices, **changed)


def _choices(text: str) -> tuple[str, tuple[Any, ...]]:
    """The path and the values in a text such as `model.hidden_dim=[32, 64]`.

    Examples
    --------
    >>> _choices("model.hidden_dim=[32, 64]")
    ('model.hidden_dim', (32, 64))
    """
    path, values = assignment(text)
    if not isinstance(values, list):
        raise RunError(f"`--search` takes a list, as in {path}=[VALUE, VALUE]. Received: {text}")
    return path, tuple(values)


class _ShowSearch(ShowRun, SearchObserver):
    """A heading, the epochs and the outcome of each trial."""

    def __init__(self, search: Search, out: Path, computing: Iterable[str]) -> None:
        go_on = ["tune", search.base.source, "--out", str(out), "--resume"]
        super().__init__(errors, [*go_on, *computing])
        self._out = out
        self._trials = search.trials
        self._best = 0.0
        self._number = 1

    @property
    def is_recorded(self) -> bool:
        return load_search(self._out) is not None

    @property
    def stopped(self) -> str:
        return f"in trial {self._number}"

    def begin_trial(self, trial: Trial) -> None:
        self._number = trial.number
        note(
            f"Trial {trial.number} of at most {self._trials}, "
            f"{counted(trial.settings.fit.epochs, 'epoch')}: "
            f"{as_text(trial.values)}",
            errors,
        )

    def end_trial(self, trial: Trial) -> None:
        self._progress.close()
        if trial.score is None:
            note(f"Trial {trial.number} failed: {trial.failure}", errors)
            return
        self._best = max(self._best, trial.score)
        note(
            f"Trial {trial.number}: validation NDCG@10 {trial.score:.4f}; "
            f"the best so far: {self._best:.4f}",
            errors,
        )


def trials_table(trials: list[Trial]) -> Table:
    """A row for each trial, the best first, those that failed last."""
    table = Table(
        Column("trial", justify="right"),
        Column("NDCG@10", justify="right"),
        Column("epochs", justify="right"),
        Column("settings", overflow="fold"),
        title="Trials",
        title_justify="left",
    )
    # The sort is stable: of equals the first stays first, and that is the best.
    for trial in sorted(trials, key=lambda trial: 1.0 if trial.score is None else -trial.score):
        score = "failed" if trial.score is None else f"{trial.score:.4f}"
        what = as_text(trial.values) + (f"\n{trial.failure}" if trial.failure else "")
        table.add_row(str(trial.number), score, str(trial.settings.fit.epochs), what)
    return table


def as_text(values: dict[str, Any]) -> str:
    """Settings as a command line has them.

    Examples
    --------
    >>> as_text({"model.hidden_dim": 32, "gates.initial_keep": 0.9})
    'model.hidden_dim=32 gates.initial_keep=0.9'
    """
    return " ".join(f"{name}={value}" for name, value in values.items())
