"""`tf-recdenoiser experiment`."""

from __future__ import annotations

import dataclasses
import math
import sys
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.table import Table
from typer import Option
from typer.models import OptionInfo

from tf_recdenoiser._files import check_folder
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
from tf_recdenoiser.cli.options import defaults_of, settings_of, with_settings
from tf_recdenoiser.cli.progress import ShowRun
from tf_recdenoiser.cli.reading import read_dataset
from tf_recdenoiser.data import Dataset
from tf_recdenoiser.evaluation import DISLIKED
from tf_recdenoiser.experiments import (
    CORRECTING,
    DISLIKING,
    GATING,
    MODELS,
    PLAIN,
    Comparison,
    Method,
    chosen,
    closed_gap,
    find_disliked,
    find_injected,
    fitting_models,
    run_directory,
    run_paired,
    with_sources,
)
from tf_recdenoiser.runs import RunDirectory, RunError, Settings, load_run
from tf_recdenoiser.runs.settings import NO_GATES

app = typer.Typer(no_args_is_help=True, add_completion=False, rich_markup_mode=MARKUP)


@app.callback()
def describe() -> None:
    """Compare models on the same data and seeds."""


# What methods decide, and what all of them have alike.
_DENOISER = (
    *("gates", "estimator", "beta", "gamma", "gate_learning_rate"),
    *("detector", "correction", "seed"),
)
_VALIDATION = {"evaluation.validate_every": 5}

_Out = Annotated[Path, Option(help="Directory for the runs; finished ones are kept.")]
_Seeds = Annotated[str, Option(help="Seeds of the runs, `N,N,…`.")]


def _methods(what: str, table: Mapping[str, Method]) -> OptionInfo:
    return Option(
        help=f"{what}, `NAME,NAME,…`: {', '.join(table)}. `NAME PATH=VALUE` is a method with "
        "another setting, as `NAME gates.beta=0.03`."
    )


@app.command(no_args_is_help=True)
@computes
@with_settings(_DENOISER, epochs=60, patience=0)
def noise(
    context: typer.Context,
    out: _Out,
    methods: Annotated[str, _methods("What is done about it", CORRECTING)] = ", ".join(CORRECTING),
    seeds: _Seeds = "0,1,2,3,4",
    json: JsonOption = False,
) -> None:
    """Inject noise into a log, and see how much of it is found and corrected.

    Every method trains the backbone without gates and Jacobian penalty, with the same seeds, and
    is compared with doing nothing. Oracles know where the noise is: what they gain is what there
    is to be gained.
    """
    check_folder(out)
    base = _base(context, {"noise.injection.rate": 0.25})
    base = base.replace({"noise.distribution": base.noise.injection.distribution})
    names, numbers = _words(methods), [_number(text) for text in seeds.split(",")]
    dataset = read_dataset(base)
    found = _run(base, dataset, out, chosen(CORRECTING, names), numbers)
    plain, *others = (run_directory(out, name, numbers[0]) for name in found)
    finding = find_injected(plain, _one_of_each_kind(others), dataset)
    if json:
        print_json({"finding": finding, "correcting": _as_json(found)})
        return
    if finding:
        output.print(_finding_table(finding))
    for name in next(iter(found.values())):
        output.print(_table(name, found, closed_gap(found, name)))
    note(f"{_PAIRED} gap: the share of the best oracle's gain.")
    _note_disliked(found)


@app.command(no_args_is_help=True)
@computes
@with_settings((*_DENOISER, "objective"))
def feedback(
    context: typer.Context,
    out: _Out,
    methods: Annotated[str, _methods("What is done about it", DISLIKING)] = ", ".join(DISLIKING),
    labelled: Annotated[
        str, Option(help="Shares of the rows whose feedback is known, `SHARE,SHARE,…`.")
    ] = "0.01,0.1,0.5",
    seeds: _Seeds = "0,1,2,3,4",
    json: JsonOption = False,
) -> None:
    """See how well dislikes are found that a log does not tell, and what it gains to know them.

    First every method is trained on the log with all its feedback, and compared with the plain
    model, by what users liked. Then feedback is hidden, but for the shares `--labelled`, and
    dislikes are looked for among what is hidden.
    """
    check_folder(out)
    base = _base(context, {"evaluation.targets": "liked"})
    numbers = [_number(text) for text in seeds.split(",")]
    shares = [_share(text) for text in labelled.split(",")]
    dataset = read_dataset(base)
    compared = _run(base, dataset, out, chosen(DISLIKING, _words(methods)), numbers)
    judging = [name for name in (PLAIN, "t_ce") if name in compared]
    runs = [
        {name: load_run(run_directory(out, name, seed)) for name in judging} for seed in numbers
    ]
    with busy("Looking for hidden dislikes"):
        finding = find_disliked(runs, dataset, shares)
    if json:
        print_json({"finding": _as_json(finding), "correcting": _as_json(compared)})
        return
    for found in (finding, compared):
        for name in next(iter(found.values())):
            output.print(_table(name, found))
    note(f"{_PAIRED} Areas are compared with those of user and item rates.")


@app.command(no_args_is_help=True)
@computes
@with_settings(_DENOISER)
def gates(
    context: typer.Context,
    out: _Out,
    methods: Annotated[str, _methods("What is done to attention", GATING)] = ", ".join(GATING),
    seeds: _Seeds = "0,1,2,3,4",
    json: JsonOption = False,
) -> None:
    """Compare the paper's gates and Jacobian penalty with the plain backbone, and with controls.

    Gates that are frozen at what other gates learned, the same in a random order, and a window
    with as many edges say whether a gain comes from learning, from sparsity or from chance.
    """
    check_folder(out)
    base = _base(context)
    numbers = [_number(text) for text in seeds.split(",")]
    names = with_sources(_words(methods))
    _show(_run(base, read_dataset(base), out, chosen(GATING, names), numbers), json)


@app.command(no_args_is_help=True)
@computes
@with_settings((*_DENOISER, "backbone"))
def models(
    context: typer.Context,
    out: _Out,
    methods: Annotated[
        str | None,
        _methods("The models; if not given, all that the log has the data for", MODELS),
    ] = None,
    seeds: _Seeds = "0",
    json: JsonOption = False,
) -> None:
    """Compare the paper's models: baselines, backbones, and backbones with its denoiser.

    All have the same data, objective and number of epochs; "plain" is SASRec.
    """
    check_folder(out)
    base = _base(context)
    numbers, dataset = [_number(text) for text in seeds.split(",")], read_dataset(base)
    names = fitting_models(dataset) if methods is None else _words(methods)
    _show(_run(base, dataset, out, chosen(MODELS, [PLAIN, *names]), numbers), json)


_PAIRED = "±: standard errors over seeds and over users; p: t-test over seeds."


def _base(context: typer.Context, defaults: Mapping[str, Any] | None = None) -> Settings:
    """The plain run's settings: what the command line says, without the denoiser.

    `defaults` are values of settings that no flag has, unless `--set` or a file says otherwise.
    """
    base = Settings().replace({**_VALIDATION, **defaults_of(context), **(defaults or {})})
    return settings_of(context, base).plain()


def _show(found: dict[str, dict[str, Comparison]], json: bool) -> None:
    if json:
        print_json(_as_json(found))
        return
    for name in next(iter(found.values())):
        output.print(_table(name, found))
    note(_PAIRED)
    _note_disliked(found)


def _note_disliked(found: dict[str, dict[str, Comparison]]) -> None:
    if any(DISLIKED in name for name in found[PLAIN]):
        note(ABOUT_DISLIKED)


def _run(
    base: Settings, dataset: Dataset, out: Path, methods: Mapping[str, Method], seeds: list[int]
) -> dict[str, dict[str, Comparison]]:
    with ShowRun(errors, sys.argv[1:]) as observer:
        return run_paired(base, dataset, out, methods, seeds, observer)


def _words(text: str) -> list[str]:
    return [name.strip() for name in text.split(",")]


def _as_json(found: dict[str, dict[str, Comparison]]) -> dict[str, Any]:
    return {
        method: {name: dataclasses.asdict(one) for name, one in by_name.items()}
        for method, by_name in found.items()
    }


def _one_of_each_kind(runs: Iterable[Path]) -> Iterable[Path]:
    """A run with each kind of detector and of gates."""
    found: dict[str | None, Path] = {}
    for path in runs:
        settings = RunDirectory(path).settings()
        if settings.looks_for_noise:
            found.setdefault(settings.detector, path)
        if settings.gates.name != NO_GATES:
            found.setdefault(settings.gates.name, path)
    return dict.fromkeys(found.values())


def _finding_table(finding: dict[str, dict[str, float]]) -> Table:
    table = Table("score", title="Noise found in test histories", title_justify="left")
    table.add_column("ROC AUC", justify="right")
    table.add_column("precision", justify="right")
    for name, found in finding.items():
        table.add_row(name, f"{found['roc_auc']:.3f}", f"{found['precision']:.3f}")
    return table


def _share(text: str) -> float:
    try:
        share = float(text)
    except ValueError:
        share = math.nan
    if not 0 < share < 1:
        raise RunError(f"`--labelled` takes shares above 0 and below 1. Received: {text!r}")
    return share


def _number(text: str) -> int:
    if not text.strip().isdecimal():
        raise RunError(f"`--seeds` takes whole numbers from 0 on. Received: {text!r}")
    return int(text)


def _table(
    name: str,
    found: dict[str, dict[str, Comparison]],
    gaps: dict[str, tuple[float, float]] | None = None,
) -> Table:
    table = Table("method", title=name, title_justify="left")
    for column in ("mean", "difference", "± seeds", "± users", "p", *(["gap"] if gaps else [])):
        table.add_column(column, justify="right")
    for method, by_name in found.items():
        one = by_name[name]
        table.add_row(
            method,
            f"{one.mean:.4f}",
            f"{one.difference:+.4f}",
            _number_or_dash(one.seed_error, ".4f"),
            _number_or_dash(one.user_error, ".4f"),
            _number_or_dash(one.p_value, ".2g"),
            *(["{:.0%} ± {:.0%}".format(*gaps[method])] if gaps else []),
        )
    return table


def _number_or_dash(value: float, form: str) -> str:
    """A number, or a dash where one seed is too few to say."""
    return "-" if math.isnan(value) else format(value, form)
