"""`tf-recdenoiser experiment`."""

from __future__ import annotations

import contextlib
import dataclasses
from pathlib import Path
from typing import Annotated

import typer
from rich.table import Table
from typer import Argument, Option

from tf_recdenoiser.cli.choices import one_of
from tf_recdenoiser.cli.console import errors, note, output, print_json
from tf_recdenoiser.cli.progress import ShowProgress, looking_for_noise
from tf_recdenoiser.data import NOISE_LAWS, PLACES
from tf_recdenoiser.experiments import (
    METHODS,
    Comparison,
    closed_gap,
    find_planted,
    run_directory,
    run_planted,
)
from tf_recdenoiser.runs import RunError, Settings

app = typer.Typer(no_args_is_help=True, help="Compare systems on the same data and seeds.")


@app.callback()
def describe() -> None:
    """Compare systems on the same data and seeds."""


@app.command(no_args_is_help=True)
def planted(
    data: Annotated[str, Argument(help="An interaction log, as `train` takes it.")],
    out: Annotated[Path, Option(help="Directory for the runs; finished ones are kept.")],
    law: Annotated[
        str, Option(**one_of(NOISE_LAWS, "What the noise is like."))
    ] = Settings.planted_law,
    rate: Annotated[float, Option(min=0.01, max=0.99, help="How much of the log it is.")] = 0.25,
    places: Annotated[
        str, Option(**one_of(PLACES, "Where it is planted."))
    ] = Settings.planted_places,
    planted_seed: Annotated[int, Option(min=0, help="Of the noise.")] = Settings.planted_seed,
    methods: Annotated[
        str, Option(help=f"What is done about it, `NAME,NAME,…`: {', '.join(METHODS)}.")
    ] = ",".join(METHODS),
    seeds: Annotated[str, Option(help="Seeds of the runs, `N,N,…`.")] = "0,1,2,3,4",
    max_length: Annotated[int, Option(min=1, help="n.")] = Settings.max_length,
    dropout: Annotated[float, Option(min=0, max=0.99, help="Rate.")] = Settings.dropout,
    epochs: Annotated[int, Option(min=1, help="Of each run.")] = 60,
    validate_every: Annotated[int, Option(min=1, help="Epochs from one validation on.")] = 5,
    json: Annotated[bool, Option("--json", help="Print JSON instead of a table.")] = False,
) -> None:
    """Plant noise in a log, and see how much of it is found and mended.

    Every method trains plain SASRec with the same seeds, and is compared with doing nothing.
    Oracles know where the noise is: what they gain is what there is to be gained.
    """
    base = Settings(
        data,
        gates="none",
        gamma=0.0,
        planted_rate=rate,
        planted_law=law,
        planted_places=places,
        planted_seed=planted_seed,
        noise_law=law,
        max_length=max_length,
        dropout=dropout,
        epochs=epochs,
        patience=0,
        validate_every=validate_every,
    )
    chosen = [name.strip() for name in methods.split(",")]
    unknown = [name for name in chosen if name not in METHODS]
    if unknown:
        raise RunError(f"`--methods` takes {', '.join(METHODS)}. Received: {', '.join(unknown)}")
    numbers = [_number(text) for text in seeds.split(",")]
    with (
        contextlib.closing(ShowProgress(errors, epochs)) as progress,
        looking_for_noise(errors) as report,
    ):
        found = run_planted(base, out, chosen, numbers, [progress], report)
    finding = find_planted(run_directory(out, _richest(chosen), numbers[0]))
    if json:
        mending = {
            method: {name: dataclasses.asdict(one) for name, one in by_name.items()}
            for method, by_name in found.items()
        }
        print_json({"finding": finding, "mending": mending})
        return
    output.print(_finding_table(finding))
    for name in next(iter(found.values())):
        output.print(_table(name, found))
    note(
        "±: standard errors over seeds and over users; p: t-test over seeds; gap: the share of "
        "the best oracle's gain."
    )


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


def _table(name: str, found: dict[str, dict[str, Comparison]]) -> Table:
    table = Table("method", title=name, title_justify="left")
    for column in ("mean", "difference", "± seeds", "± users", "p", "gap"):
        table.add_column(column, justify="right")
    gaps = closed_gap(found, name)
    for method, by_name in found.items():
        one = by_name[name]
        share = "{:.0%} ± {:.0%}".format(*gaps[method]) if method in gaps else "-"
        table.add_row(
            method,
            f"{one.mean:.4f}",
            f"{one.difference:+.4f}",
            f"{one.seed_error:.4f}",
            f"{one.user_error:.4f}",
            f"{one.p_value:.2g}",
            share,
        )
    return table
