"""A log that has grown: begin with what was learned of its older part, or train anew.

    python benchmarks/warm_start.py [--data LOG] [--seeds 0,1] [--patience 10]

The older part has the first nine tenths of the users, and of their items the first nine tenths;
the whole log has all. Both runs train on the whole log with the same settings, until validation
NDCG@10 no longer rises, and are measured on the same users. Logs and runs lie in `runs/warm_start`,
and what is finished there is not done again.
"""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import numpy as np
import polars as pl
import typer
from rich.console import Console
from rich.table import Table

from tf_recdenoiser.data import Dataset
from tf_recdenoiser.runs import RunDirectory, Settings, load_dataset, train

FOLDER = Path("runs/warm_start")
SHARED = Path("../shared/data/ml-1m.txt")


def older_part(dataset: Dataset) -> pl.DataFrame:
    """The first nine tenths of the users, and of each one's items, as a log."""
    known = np.repeat(np.arange(dataset.user_count), np.diff(dataset.offsets))
    place = np.arange(len(dataset.items)) - dataset.offsets[known]
    kept = (known < 0.9 * dataset.user_count) & (place < 0.9 * np.diff(dataset.offsets)[known])
    users, items = dataset.user_ids[known[kept]], dataset.item_ids[dataset.items[kept] - 1]
    return pl.DataFrame({"user": users, "item": items})


def finished(settings: Settings, name: str) -> dict[str, Any]:
    """The metrics of a run, which is trained if it is not there, with its seconds to the best."""
    run = RunDirectory(FOLDER / name)
    if not run.is_finished():
        train(settings, load_dataset(settings), run, resume=True)
    metrics = run.metrics()
    to_best = run.history()[: metrics["best_epoch"]]
    return {**metrics, "to_best": sum(row["seconds"] for row in to_best)}


def main(
    data: Annotated[Path, typer.Option(help="The whole log.")] = SHARED,
    seeds: Annotated[str, typer.Option(help="Of the runs, `N,N,…`.")] = "0,1",
    patience: Annotated[int, typer.Option(help="As `train` takes it.")] = 10,
) -> None:
    """Train three runs for each seed, and show what a beginning with the older part is worth."""
    FOLDER.mkdir(parents=True, exist_ok=True)
    older = FOLDER / "older.csv"
    older_part(load_dataset(Settings.of(data))).write_csv(older)
    table = Table("seed", "run", "best epoch", "seconds to it", "seconds", "test NDCG@10 (full)")
    for seed in map(int, seeds.split(",")):
        changes = {"seed": seed, "fit.patience": patience, "noise.detector": "none"}
        whole = Settings.of(data, changes)
        finished(Settings.of(older, changes), f"older-{seed}")
        warm = whole.replace({"fit.warm_start": str(FOLDER / f"older-{seed}")})
        for name, settings in (("anew", whole), ("from the older part", warm)):
            found = finished(settings, f"{name.split()[0]}-{seed}")
            ndcg = found["test"]["full"]["ndcg@10"]
            numbers = (f"{found['to_best']:.0f}", f"{found['seconds']:.0f}", f"{ndcg:.4f}")
            table.add_row(str(seed), name, str(found["best_epoch"]), *numbers)
    Console().print(table)


if __name__ == "__main__":
    typer.run(main)
