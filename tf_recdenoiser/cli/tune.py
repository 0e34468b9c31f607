"""`tf-recdenoiser tune`."""

from __future__ import annotations

import contextlib
import dataclasses
import shlex
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import Annotated, Any, get_args, get_type_hints

import typer
from rich.table import Column, Table
from typer import Option

from tf_recdenoiser.cli.choices import one_of
from tf_recdenoiser.cli.console import PROTOCOL_NOTE, errors, metrics_table, note, output
from tf_recdenoiser.cli.options import (
    PANELS,
    is_stated,
    refuse_idle,
    settings_of,
    stated_settings,
    with_settings,
)
from tf_recdenoiser.cli.progress import ShowProgress, looking_for_noise
from tf_recdenoiser.cli.reading import read_dataset
from tf_recdenoiser.evaluation import PROTOCOLS
from tf_recdenoiser.runs import RunError, Settings
from tf_recdenoiser.tuning import (
    SEARCHABLE,
    TUNERS,
    Search,
    Trial,
    Watcher,
    best_directory,
    best_trial,
    choices_for,
    load_search,
    run_search,
    train_best,
)

_TYPES = get_type_hints(Settings)


@with_settings(*PANELS)
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
            metavar="NAME=VALUES",
            help="Choose a setting from these values, as in `--search hidden_dim=32,64`; may be "
            "given for several.",
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
) -> None:
    """Search for the settings with the best validation NDCG@10, and train with them.

    Searched are width, blocks, heads, dropout, beta, gamma, the estimator, the initial keep
    probability, both learning rates and the objective, as far as they matter. **What you give an
    option for is not searched**; other settings keep their defaults, but that noise is looked for
    only where `--detect` says how: each trial would look anew.

    The same seed and settings make the same search. Stopped by Ctrl-C, it goes on with
    `--resume`. A trial that fails is listed with its reason, and not tried again unless its
    `failure.txt` is deleted.

    * `tf-recdenoiser tune log.csv --out runs/tuned --trials 30 --epochs 40` searches;
    * `--hidden-dim 50 --search beta=0.1,0.3 --search max_length=20,50` says what is searched;
    * `tf-recdenoiser evaluate runs/tuned/best` uses the best, as any other run.
    """
    given = _search(context, trials, tuner, protocol, search or [])
    recorded = load_search(out) if resume else None
    chosen = given if recorded is None else _resumed(context, given, recorded)
    dataset = read_dataset(chosen.base)
    with (
        looking_for_noise(errors) as report,
        contextlib.closing(_Show(chosen, report)) as show,
        _told_how_to_go_on(chosen, out),
    ):
        tried = run_search(chosen, dataset, out, resume, show)
        output.print(trials_table(tried))
        best = best_trial(tried)
        note(f"Training with the settings of trial {best.number}.", errors)
        metrics = train_best(chosen, tried, dataset, out, show)
    output.print(metrics_table("Test metrics", {best.settings.backbone: metrics["test"]}))
    note(PROTOCOL_NOTE)
    note(f"The best: {as_text(best.values)}. The run lies in {best_directory(out).path}.")


def _search(
    context: typer.Context, trials: int, tuner: str, protocol: str, search: Iterable[str]
) -> Search:
    base = settings_of(context)
    choices = choices_for(base, stated_settings(context, base), dict(map(_choices, search)))
    refuse_idle(context, base, choices)
    return Search(base, choices, tuner, trials, protocol)


def _resumed(context: typer.Context, given: Search, recorded: Search) -> Search:
    """The recorded search with what this command line states in so many words."""
    stated = {
        name: getattr(given, name)
        for name in ("tuner", "trials", "protocol")
        if is_stated(context, name)
    }
    base = dataclasses.replace(recorded.base, **stated_settings(context, given.base))
    choices = given.choices if is_stated(context, "search") else recorded.choices
    return dataclasses.replace(recorded, base=base, choices=choices, **stated)


def _choices(text: str) -> tuple[str, tuple[Any, ...]]:
    """The name and the values in a text such as `hidden_dim=32,64`.

    Examples
    --------
    >>> _choices("hidden_dim=32,64"), _choices("share-negatives=true,false")
    (('width', (32, 64)), ('share_negatives', (True, False)))
    """
    name, _, values = text.partition("=")
    name = name.strip().replace("-", "_")
    if name not in SEARCHABLE:
        raise RunError(f"`--search` takes {', '.join(SEARCHABLE)}. Received: {text}")
    kind = (*get_args(_TYPES[name]), _TYPES[name])[0]
    try:
        return name, tuple(_value(kind, value.strip()) for value in values.split(","))
    except (ValueError, KeyError) as error:
        raise RunError(
            f"`--search {name}` takes values of type {kind.__name__}, as in {name}=VALUE,VALUE. "
            f"Received: {text}"
        ) from error


def _value(kind: type, text: str) -> Any:
    return {"true": True, "false": False}[text.lower()] if kind is bool else kind(text)


class _Show(Watcher):
    """A heading, the epochs and the outcome of each trial."""

    def __init__(self, search: Search, report: Callable[[str], None]) -> None:
        self._report = report
        self._trials = search.trials
        self._progress = ShowProgress(errors, search.base.epochs)
        self._best = 0.0
        self.callbacks = [self._progress]

    def begin(self, trial: Trial) -> None:
        note(
            f"Trial {trial.number} of at most {self._trials}, {trial.settings.epochs} epochs: "
            f"{as_text(trial.values)}",
            errors,
        )

    def end(self, trial: Trial) -> None:
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

    def report(self, text: str) -> None:
        self._report(text)

    def close(self) -> None:
        """Take the bar away, also after an interruption or an error."""
        self._progress.close()


@contextlib.contextmanager
def _told_how_to_go_on(search: Search, out: Path) -> Iterator[None]:
    try:
        yield
    except KeyboardInterrupt:
        command = ["tune", search.base.data, "--out", str(out), "--resume"]
        note(f"Stopped. Go on with: tf-recdenoiser {shlex.join(command)}", errors)
        raise


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
        table.add_row(str(trial.number), score, str(trial.settings.epochs), what)
    return table


def as_text(values: dict[str, Any]) -> str:
    """Settings as a command line has them.

    Examples
    --------
    >>> as_text({"hidden_dim": 32, "initial_keep": 0.9})
    'hidden_dim=32 initial_keep=0.9'
    """
    return " ".join(f"{name}={value}" for name, value in values.items())
