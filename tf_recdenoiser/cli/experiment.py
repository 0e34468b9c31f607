"""`tf-recdenoiser experiment`: a command for each experiment that is declared.

Annotations here are not put off: those of a command hold what its experiment says.
"""

import dataclasses
import math
import sys
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.table import Table
from typer import Option

from tf_recdenoiser._files import check_folder
from tf_recdenoiser._settings import NAME
from tf_recdenoiser.cli.commands import MARKUP
from tf_recdenoiser.cli.console import (
    ABOUT_DISLIKED,
    JsonOption,
    busy,
    errors,
    note,
    output,
    print_json,
)
from tf_recdenoiser.cli.device import computes
from tf_recdenoiser.cli.options import FLAG_OF, settings_of, with_settings
from tf_recdenoiser.cli.progress import ShowRun
from tf_recdenoiser.cli.reading import read_dataset
from tf_recdenoiser.evaluation import DISLIKED
from tf_recdenoiser.experiments import (
    EXPERIMENTS,
    QUICK,
    Comparison,
    Experiment,
    Line,
    Results,
    Subject,
    Task,
    Trial,
    chosen,
    closed_gap,
    results_of,
    run_tasks,
    tasks_of,
)
from tf_recdenoiser.reports import write_experiment_report
from tf_recdenoiser.runs import RunError, Settings

app = typer.Typer(no_args_is_help=True, add_completion=False, rich_markup_mode=MARKUP)

_DENOISER = (
    *("gates", "estimator", "beta", "gamma", "gate_learning_rate"),
    *("detector", "correction", "seed"),
)
"""What methods decide."""

_DIFFERENCES = ("difference", "%", "± seeds", "± users", "p")
_PAIRED = (
    "±: standard errors over seeds and over users; p: t-test over seeds. Each is compared with its "
    "baseline."
)


@app.callback()
def describe() -> None:
    """Rerun the paper's tables and figures: several models on the same data and seeds, compared.

    What is finished is kept: stop at any time, and give the same command again to go on. In the
    end there is a page to read, `report.html`, and `results.jsonl` for programs.
    """


def _command(name: str, experiment: Experiment) -> Callable[..., None]:
    """The command that runs an experiment."""

    @computes
    @with_settings(_decided(experiment), several=True, **_defaults(experiment))
    def command(
        context: typer.Context,
        out: Annotated[Path, Option(help="Directory for the runs; finished ones are kept.")] = Path(
            "runs", name
        ),
        methods: Annotated[
            str | None,
            Option(
                help="Only these and what they are compared with, `NAME,NAME,…`: "
                f"{', '.join(experiment.methods)}. `NAME PATH=VALUE` is a method with another "
                "setting, as `NAME fit.l2=0.1`. All, if not given.",
                show_default=False,
            ),
        ] = None,
        seeds: Annotated[str | None, Option(help=_seeds_help(experiment))] = None,
        quick: Annotated[
            bool,
            Option(
                "--quick", help="A first look: one seed, ten epochs, fewer steps of what varies."
            ),
        ] = False,
        json: JsonOption = False,
    ) -> None:
        check_folder(out)
        trials = _trials(experiment, methods, quick)
        numbers = _seeds(experiment, seeds, quick)
        subjects = _subjects(context, experiment, quick)
        folders = [(one, out / one.name) for one in subjects]
        tasks = tasks_of(folders, trials, numbers)
        results = _run(name, experiment, tasks, out)
        if json:
            print_json({data: _as_json(results.compared(data)) for data in results.subjects})
            return
        _show(results)
        note(f"To read: {out / 'report.html'}. For programs: {out / 'results.jsonl'}.")

    command.__doc__ = f"{experiment.title}.\n\n{experiment.about}"
    return command


def _decided(experiment: Experiment) -> set[str]:
    """The flags that an experiment has no use for, since its methods decide."""
    paths = {
        path
        for trial in experiment.trials
        if isinstance(trial.changes, Mapping)
        for path in trial.changes
    }
    flags = {FLAG_OF.get(path) or FLAG_OF.get(f"{path}.{NAME}") for path in paths}
    return {*_DENOISER, *(flag for flag in flags if flag is not None)}


def _defaults(experiment: Experiment) -> dict[str, Any]:
    """What the help says of flags of which an experiment has other defaults."""
    found = {
        FLAG_OF.get(path) or FLAG_OF.get(f"{path}.{NAME}"): value
        for path, value in experiment.base.items()
    }
    return {flag: value for flag, value in found.items() if flag is not None}


def _seeds_help(experiment: Experiment) -> str:
    return (
        "Seeds of the trainings, `N,N,…`. Default: "
        f"{','.join(map(str, experiment.seeds))}; 0 with --quick."
    )


def _trials(experiment: Experiment, methods: str | None, quick: bool) -> tuple[Trial, ...]:
    trials = [one for one in experiment.trials if one.quick or not quick]
    if methods is None:
        return tuple(trials)
    return chosen(trials, [text.strip() for text in methods.split(",")])


def _seeds(experiment: Experiment, texts: str | None, quick: bool) -> tuple[int, ...]:
    if texts is None:
        return experiment.seeds[:1] if quick else experiment.seeds
    return tuple(_number(text) for text in texts.split(","))


def _subjects(context: typer.Context, experiment: Experiment, quick: bool) -> list[Subject]:
    """The data sets, each under a name of its own."""
    found = [_subject(context, log, experiment, quick) for log in context.params["logs"]]
    names = [one.name for one in found]
    if len(set(names)) < len(names):
        raise RunError(
            "Data sets must have different names, which are those of the files without what comes "
            f"after the dot. Received: {', '.join(names)}"
        )
    return found


def _subject(context: typer.Context, log: str, experiment: Experiment, quick: bool) -> Subject:
    base = Settings().replace({**experiment.base, **(QUICK if quick else {})})
    settings = settings_of(context, base, log).plain()
    if settings.noise.injection.rate > 0:
        settings = settings.replace({"noise.distribution": settings.noise.injection.distribution})
    return Subject(_name(log), settings, read_dataset(settings))


def _name(log: str) -> str:
    """What a data set is called: a file's name without its endings, or its folder's."""
    path = Path(log)
    name = path.name.partition(".")[0]
    return path.parent.name if name == "ratings" and path.parent.name else name


class _ShowTasks(ShowRun):
    """Shows the trainings of an experiment, with how many there are and how long they take."""

    def __init__(self, tasks: Sequence[Task]) -> None:
        super().__init__(errors, sys.argv[1:])
        self._tasks = tasks

    def begin_task(self, task: Task, number: int, seconds: float | None) -> None:
        """Say what is trained next."""
        left = "" if seconds is None else f", about {_duration(seconds)} left"
        place = f"{number + 1} of {len(self._tasks)}{left}"
        errors.rule(f"{task.subject.name}: {task.trial.name}, seed {task.seed} ({place})")


def _duration(seconds: float) -> str:
    """A time that is long enough to be waited for, in words.

    Examples
    --------
    >>> _duration(40), _duration(5400)
    ('1 min', '1 h 30 min')
    """
    hours, minutes = divmod(math.ceil(seconds / 60), 60)
    return f"{hours} h {minutes} min" if hours else f"{minutes} min"


def _run(name: str, experiment: Experiment, tasks: Sequence[Task], out: Path) -> Results:
    """Do what is to be done, and write what came of it, also where it is stopped."""
    try:
        with _ShowTasks(tasks) as observer:
            run_tasks(tasks, experiment.measures, observer, observer.begin_task)
    except KeyboardInterrupt:
        _write(name, experiment, tasks, out)
        raise
    return _write(name, experiment, tasks, out)


def _write(name: str, experiment: Experiment, tasks: Sequence[Task], out: Path) -> Results:
    results = results_of(tasks, experiment.measures)
    if results.rows:
        results.write(out / "results.jsonl", name)
        with busy("Writing the report"):
            write_experiment_report(experiment, results, len(tasks), out / "report.html")
    return results


def _as_json(found: Mapping[str, Mapping[str, Comparison]]) -> dict[str, Any]:
    return {
        line: {metric: dataclasses.asdict(one) for metric, one in by_metric.items()}
        for line, by_metric in found.items()
    }


def _number(text: str) -> int:
    if not text.strip().isdecimal():
        raise RunError(f"`--seeds` takes whole numbers from 0 on. Received: {text!r}")
    return int(text)


def _show(results: Results) -> None:
    """Print a table for each data set and metric."""
    for data in results.subjects:
        lines = results.lines(data)
        metrics = list(dict.fromkeys(name for line in lines for name in line.comparisons))
        for metric in metrics:
            title = f"{data}: {metric}" if len(results.subjects) > 1 else metric
            output.print(_table(title, metric, [one for one in lines if metric in one.comparisons]))
        if any(f"{DISLIKED}@" in metric for metric in metrics):
            note(ABOUT_DISLIKED)
    note(_PAIRED)


def _table(title: str, metric: str, lines: Sequence[Line]) -> Table:
    gaps = closed_gap({line.name: line.comparisons for line in lines}, metric)
    compared = any(line.is_compared for line in lines)
    table = Table("method", title=title, title_justify="left")
    for column in ("mean", *(_DIFFERENCES if compared else []), *(["gap"] if gaps else [])):
        table.add_column(column, justify="right")
    for line in lines:
        one = line.comparisons[metric]
        differences = _differences(line, one) if compared else []
        gap = ["{:.0%} ± {:.0%}".format(*gaps[line.name])] if gaps else []
        table.add_row(line.name, f"{one.mean:.4f}", *differences, *gap)
    return table


def _differences(line: Line, one: Comparison) -> list[str]:
    """What a comparison says, or dashes where there is nothing to compare with."""
    if not line.is_compared:
        return ["-"] * len(_DIFFERENCES)
    return [
        f"{one.difference:+.4f}",
        _number_or_dash(one.gain, "+.1f"),
        _number_or_dash(one.seed_error, ".4f"),
        _number_or_dash(one.user_error, ".4f"),
        _number_or_dash(one.p_value, ".2g"),
    ]


def _number_or_dash(value: float, form: str) -> str:
    """A number, or a dash where one seed is too few to say."""
    return "-" if math.isnan(value) else format(value, form)


for _name_of_it, _experiment in EXPERIMENTS.items():
    app.command(_name_of_it, no_args_is_help=True)(_command(_name_of_it, _experiment))
