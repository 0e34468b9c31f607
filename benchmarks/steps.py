"""Training steps a second of gates' estimators and objectives, turn by turn with plain SASRec.

    python benchmarks/steps.py [--data LOG] [--rounds 9] [--steps 40]

Every round trains each model for the same number of steps, one after the other, so that a
machine whose speed drifts slows all of them; the ratios are medians over rounds of the time of
a model's step divided by that of plain SASRec in the same round. Batches are made while
training, as in a real run. TF_USE_LEGACY_KERAS=1 measures tf_keras, without it Keras 3.
"""

from __future__ import annotations

import statistics
import time
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.console import Console
from rich.progress import track
from rich.table import Table

from tf_recdenoiser._keras import keras
from tf_recdenoiser.data import Histories, TrainingBatches, leave_one_out
from tf_recdenoiser.runs import Settings, build_recommender, load_dataset
from tf_recdenoiser.training import OBJECTIVES

# The size of ml-1m, for where it is absent.
SYNTHETIC = {"log": {"users": 6040, "items": 3416, "clusters": 60}}
SHARED = Path("../shared/data/ml-1m.txt")


def compared(log: str) -> dict[str, Settings]:
    """What is compared, by name; the first is what the others are compared with."""
    plain = Settings.of(log, SYNTHETIC if log == "synthetic" else {})
    gated = plain.replace({"gates": "positional"})
    ways = {
        "plain": plain,
        "AR": gated.replace({"gates.estimator": "ar"}),
        "ARM": gated.replace({"gates.estimator": "arm", "gates.credit": False}),
        "DisARM + credit": gated.replace({"gates.estimator": "disarm", "gates.credit": True}),
    }
    relative = {"relative gates": plain.replace({"gates": "relative"})}
    jacobian = {
        f"{name}, Jacobian on {rows or 'all'} rows": settings.replace(
            {"model.gamma": 1e-4, "model.jacobian_batch_size": rows}
        )
        for rows in (16, None)
        for name, settings in ways.items()
    }
    fewer = {
        "DisARM + credit on 32 rows": ways["DisARM + credit"].replace(
            {"gates.estimator_batch_size": 32}
        )
    }
    objectives = {
        f"plain, {name}": plain.replace({"objective": name})
        for name in OBJECTIVES
        if name != plain.objective.name
    }
    return {**ways, **relative, **fewer, **jacobian, **objectives}


def seconds_per_step(model: Any, train: Histories, steps: int) -> float:
    """The time of one of `steps` steps of `fit`, batches included."""
    objective, item_count = model.objective, model.backbone.item_count
    batches = TrainingBatches(
        *(train, item_count, 50, 128, objective.negatives),
        seed=0,
        share_negatives=objective.share_negatives,
    )
    epochs = -(-steps // batches.steps_per_epoch)
    examples = batches.dataset(0, epochs).map(objective.example)
    started = time.perf_counter()
    model.fit(examples, epochs=1, steps_per_epoch=steps, shuffle=False, verbose=0)
    return (time.perf_counter() - started) / steps


def main(
    data: Annotated[str, typer.Option(help="An interaction log, or `synthetic`.")] = (
        str(SHARED) if SHARED.exists() else "synthetic"
    ),
    rounds: Annotated[int, typer.Option(min=1)] = 9,
    steps: Annotated[int, typer.Option(min=1, help="Steps of each model in a round.")] = 40,
) -> None:
    """Measure, and print a table."""
    chosen = compared(data)
    plain = next(iter(chosen))
    dataset = load_dataset(chosen[plain])
    train = leave_one_out(dataset).train
    keras.utils.set_random_seed(0)
    models = {name: build_recommender(s, dataset.item_count) for name, s in chosen.items()}
    for model in track(models.values(), "building"):
        seconds_per_step(model, train, steps=3)
    times: dict[str, list[float]] = {name: [] for name in models}
    for _ in track(range(rounds), "measuring"):
        for name, model in models.items():
            times[name].append(seconds_per_step(model, train, steps))
    table = Table(title=f"{data}, n = 50, d = 50, L = 2, H = 2, batch 128; {rounds} rounds")
    for heading in ("model", "steps/s", "ratio to plain", "min", "max"):
        table.add_column(heading, justify="left" if heading == "model" else "right")
    for name, measured in times.items():
        ratios = [mine / other for mine, other in zip(measured, times[plain], strict=True)]
        table.add_row(
            name,
            f"{1 / statistics.median(measured):.1f}",
            *(f"{value:.2f}" for value in (statistics.median(ratios), min(ratios), max(ratios))),
        )
    Console(width=100).print(table)


if __name__ == "__main__":
    typer.run(main)
