"""`tf-recdenoiser experiment`."""

from __future__ import annotations

import contextlib
import dataclasses
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.table import Table
from typer import Argument, Option
from typer.models import OptionInfo

from tf_recdenoiser.cli.choices import one_of
from tf_recdenoiser.cli.console import errors, note, output, print_json
from tf_recdenoiser.cli.progress import ShowProgress, looking_for_noise
from tf_recdenoiser.data import NOISE_LAWS, PLACES, Dataset
from tf_recdenoiser.experiments import (
    GATING,
    MENDING,
    SYSTEMS,
    Comparison,
    Method,
    chosen,
    closed_gap,
    find_planted,
    fitting_systems,
    run_directory,
    run_paired,
    with_sources,
)
from tf_recdenoiser.runs import NO_DENOISER, RunError, Settings, load_dataset
from tf_recdenoiser.training import OBJECTIVES

app = typer.Typer(no_args_is_help=True, help="Compare systems on the same data and seeds.")


@app.callback()
def describe() -> None:
    """Compare systems on the same data and seeds."""


_Data = Annotated[str, Argument(help="An interaction log, as `train` takes it.")]
_Out = Annotated[Path, Option(help="Directory for the runs; finished ones are kept.")]
_Seeds = Annotated[str, Option(help="Seeds of the runs, `N,N,…`.")]
_MaxLength = Annotated[int, Option(min=1, help="n.")]
_Dropout = Annotated[float, Option(min=0, max=0.99, help="Rate.")]
_Epochs = Annotated[int, Option(min=1, help="Of each run, at most.")]
_Patience = Annotated[
    int, Option(min=0, help="Stop when validation NDCG@10 has not risen for so many epochs.")
]
_Every = Annotated[int, Option(min=1, help="Epochs from one validation on.")]
_Objective = Annotated[str, Option(**one_of(OBJECTIVES, "What is minimised."))]
_BatchSize = Annotated[int, Option(min=1, help="Users in a batch.")]
_Json = Annotated[bool, Option("--json", help="Print JSON instead of a table.")]


def _methods(what: str, table: Mapping[str, Method]) -> OptionInfo:
    return Option(
        help=f"{what}, `NAME,NAME,…`: {', '.join(table)}. `NAME:SETTING=VALUE` is a method with "
        "another setting, for example `NAME:beta=0.03`."
    )


@app.command(no_args_is_help=True)
def planted(
    context: typer.Context,
    data: _Data,
    out: _Out,
    law: Annotated[
        str, Option(**one_of(NOISE_LAWS, "What the noise is like."))
    ] = Settings.planted_law,
    rate: Annotated[
        float, Option(min=0, max=0.99, help="How much of the log it is; 0: the log as it is.")
    ] = 0.25,
    places: Annotated[
        str, Option(**one_of(PLACES, "Where it is planted."))
    ] = Settings.planted_places,
    planted_seed: Annotated[int, Option(min=0, help="Of the noise.")] = Settings.planted_seed,
    methods: Annotated[str, _methods("What is done about it", MENDING)] = ",".join(MENDING),
    seeds: _Seeds = "0,1,2,3,4",
    max_length: _MaxLength = Settings.max_length,
    dropout: _Dropout = Settings.dropout,
    objective: _Objective = Settings.objective,
    batch_size: _BatchSize = Settings.batch_size,
    epochs: _Epochs = 60,
    patience: _Patience = 0,
    validate_every: _Every = 5,
    json: _Json = False,
) -> None:
    """Plant noise in a log, and see how much of it is found and mended.

    Every method trains plain SASRec with the same seeds, and is compared with doing nothing.
    Oracles know where the noise is: what they gain is what there is to be gained.
    """
    base = _base(context, planted_rate=rate, planted_law=law, planted_places=places, noise_law=law)
    names, numbers = _words(methods), [_number(text) for text in seeds.split(",")]
    found = _run(base, load_dataset(base), out, chosen(MENDING, names), numbers)
    finding = {}
    if rate > 0:
        finding = find_planted(run_directory(out, _richest(names), numbers[0]))
    if json:
        print_json({"finding": finding, "mending": _as_json(found)})
        return
    if finding:
        output.print(_finding_table(finding))
    for name in next(iter(found.values())):
        output.print(_table(name, found, closed_gap(found, name)))
    note(f"{_PAIRED} gap: the share of the best oracle's gain.")


@app.command(no_args_is_help=True)
def gates(
    context: typer.Context,
    data: _Data,
    out: _Out,
    methods: Annotated[str, _methods("What is done to attention", GATING)] = ",".join(GATING),
    seeds: _Seeds = "0,1,2,3,4",
    max_length: _MaxLength = Settings.max_length,
    dropout: _Dropout = Settings.dropout,
    objective: _Objective = Settings.objective,
    batch_size: _BatchSize = Settings.batch_size,
    epochs: _Epochs = Settings.epochs,
    patience: _Patience = Settings.patience,
    validate_every: _Every = 5,
    json: _Json = False,
) -> None:
    """Compare the paper's gates and Jacobian penalty with plain SASRec, and with controls.

    Gates that are frozen at what other gates learned, the same in a random order, and a window
    with as many links say whether a gain comes from learning, from sparsity or from chance.
    """
    base = _base(context)
    numbers = [_number(text) for text in seeds.split(",")]
    names = with_sources(_words(methods))
    _show(_run(base, load_dataset(base), out, chosen(GATING, names), numbers), json)


@app.command(no_args_is_help=True)
def systems(
    context: typer.Context,
    data: _Data,
    out: _Out,
    methods: Annotated[
        str | None,
        _methods("The systems; if not given, all that the log has the data for", SYSTEMS),
    ] = None,
    seeds: _Seeds = "0",
    max_length: _MaxLength = Settings.max_length,
    dropout: _Dropout = Settings.dropout,
    objective: _Objective = Settings.objective,
    batch_size: _BatchSize = Settings.batch_size,
    epochs: _Epochs = Settings.epochs,
    patience: _Patience = Settings.patience,
    validate_every: _Every = 5,
    json: _Json = False,
) -> None:
    """Compare the paper's systems: baselines, backbones, and backbones with its denoiser.

    All have the same data, objective and number of epochs; "plain" is SASRec.
    """
    base = _base(context)
    numbers, dataset = [_number(text) for text in seeds.split(",")], load_dataset(base)
    names = fitting_systems(dataset) if methods is None else _words(methods)
    _show(_run(base, dataset, out, chosen(SYSTEMS, names), numbers), json)


_PAIRED = "±: standard errors over seeds and over users; p: t-test over seeds."


def _base(context: typer.Context, **further: Any) -> Settings:
    """The plain run's settings: the command's options of that name, and `further` ones."""
    names = context.params.keys() & Settings.__dataclass_fields__.keys()
    return Settings(
        **{name: context.params[name] for name in names}, **NO_DENOISER, **further, detect="none"
    )


def _show(found: dict[str, dict[str, Comparison]], json: bool) -> None:
    if json:
        print_json(_as_json(found))
        return
    for name in next(iter(found.values())):
        output.print(_table(name, found))
    note(_PAIRED)


def _run(
    base: Settings, dataset: Dataset, out: Path, methods: Mapping[str, Method], seeds: list[int]
) -> dict[str, dict[str, Comparison]]:
    with (
        contextlib.closing(ShowProgress(errors, base.epochs)) as progress,
        looking_for_noise(errors) as report,
    ):
        return run_paired(base, dataset, out, methods, seeds, [progress], report)


def _words(text: str) -> list[str]:
    return [name.strip() for name in text.split(",")]


def _as_json(found: dict[str, dict[str, Comparison]]) -> dict[str, Any]:
    return {
        method: {name: dataclasses.asdict(one) for name, one in by_name.items()}
        for method, by_name in found.items()
    }


def _richest(methods: list[str]) -> str:
    """The method whose run knows the most ways to find noise."""
    return next((name for name in methods if "context" in name), "plain")


def _finding_table(finding: dict[str, dict[str, float]]) -> Table:
    table = Table("score", title="Noise found in test histories", title_justify="left")
    table.add_column("area under ROC", justify="right")
    table.add_column("precision", justify="right")
    for name, found in finding.items():
        table.add_row(name, f"{found['roc_area']:.3f}", f"{found['precision']:.3f}")
    return table


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
            f"{one.seed_error:.4f}",
            f"{one.user_error:.4f}",
            f"{one.p_value:.2g}",
            *(["{:.0%} ± {:.0%}".format(*gaps[method])] if gaps else []),
        )
    return table
