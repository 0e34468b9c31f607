"""`tf-recdenoiser demo`."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

from typer import Option

from tf_recdenoiser._files import check_folder
from tf_recdenoiser.cli.console import (
    JsonOption,
    errors,
    note,
    print_json,
    show_metrics,
)
from tf_recdenoiser.cli.export import export_and_show
from tf_recdenoiser.cli.train import train_and_show
from tf_recdenoiser.runs import RunDirectory, Settings


def demo(
    out: Annotated[Path, Option(help="Directory for the two runs.")] = Path("runs/demo"),
    to: Annotated[Path, Option(help="Directory of the SavedModel.")] = Path("saved_models/demo"),
    users: Annotated[int, Option(min=10, help="Users in the synthetic log.")] = 2500,
    epochs: Annotated[int, Option(min=1, help="At most so many, for each model.")] = 40,
    seed: Annotated[int, Option(min=0, help="Of the data and of training.")] = 0,
    json: JsonOption = False,
) -> None:
    """The main job on synthetic data with injected noise: train, compare, export.

    Trains SASRec, and SASRec with gates by distance and noise found and corrected, on the same log,
    of which a quarter is noise; shows both; and exports the denoised one. Earlier demo runs in
    `--out` are replaced.
    """
    check_folder(out)
    check_folder(to)
    denoised = Settings.of(
        "synthetic",
        {
            "log": {"users": users, "seed": seed},
            "gates": "relative",
            "fit": {"epochs": epochs, "patience": 10},
            "seed": seed,
        },
    )
    models = {"SASRec": denoised.plain(), "SASRec + denoiser": denoised}
    metrics = {}
    for name, settings in models.items():
        errors.rule(name)
        directory = RunDirectory(out / ("plain" if settings.gates.name == "none" else "denoised"))
        with directory.locked():
            directory.clear()
        metrics[name] = train_and_show(settings, directory)
    if json:
        export_and_show(out / "denoised", to, console=errors)
        print_json(metrics)
        return
    show_metrics(
        "Test metrics, synthetic log with 25 % noise",
        {name: found["test"] for name, found in metrics.items()},
    )
    shares = ", ".join(f"{share:.2f}" for share in metrics["SASRec + denoiser"]["density"])
    note(f"Share of gates the denoiser kept, by layer: {shares}")
    export_and_show(out / "denoised", to)
