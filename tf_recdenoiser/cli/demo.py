"""`tf-recdenoiser demo`."""

from __future__ import annotations

import dataclasses
import shlex
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any

from rich.table import Table
from typer import Option

from tf_recdenoiser._files import check_folder
from tf_recdenoiser.cli.console import (
    JsonOption,
    errors,
    explain_protocols,
    note,
    output,
    print_json,
)
from tf_recdenoiser.cli.explain import draw_history, judge
from tf_recdenoiser.cli.export import export_and_show
from tf_recdenoiser.cli.progress import ShowRun
from tf_recdenoiser.cli.reading import read_dataset
from tf_recdenoiser.cli.train import show_detection
from tf_recdenoiser.data import Dataset
from tf_recdenoiser.experiments import PLAIN, Comparison, closed_gap, run_directory, run_paired
from tf_recdenoiser.noise.settings import ORACLE
from tf_recdenoiser.runs import RunDirectory, Settings, load_run, load_split
from tf_recdenoiser.runs.settings import DENOISER

_GATES, _DETECTOR = "gates", "detector"
_MODELS: Mapping[str, Mapping[str, Any]] = {
    PLAIN: {},
    _GATES: DENOISER,
    _DETECTOR: {"noise.detector": "context"},
    ORACLE: {"noise.detector": ORACLE},
}
_MEANINGS = (
    "plain: SASRec as it is; gates: with the paper's gates and Jacobian penalty; detector: with "
    "noise found and left out; oracle: with noise left out that is known, which is all there is to "
    "gain."
)

Found = Mapping[str, Mapping[str, Comparison]]
"""Comparisons by model and metric, as `run_paired` gives them."""

_METRIC = "full ndcg@10"
_METRICS = (_METRIC, "full hit@10", "paper ndcg@10", "paper hit@10")
_NOISE = 0.25
# Twice the default, to be done in so few epochs.
_LEARNING_RATE = 2e-3
# Of a history, to recommend by.
_RECENT = 3
# Of the history in the picture, as near as there is one.
_ITEMS, _MISTAKES = 20, 5


def demo(
    out: Annotated[Path, Option(help="Directory for the four runs.")] = Path("runs/demo"),
    to: Annotated[Path, Option(help="Directory of the SavedModel.")] = Path("saved_models/demo"),
    users: Annotated[int, Option(min=10, help="Users in the synthetic log.")] = 1500,
    epochs: Annotated[int, Option(min=1, help="For each model.")] = 40,
    seed: Annotated[int, Option(min=0, help="Of the data and of training.")] = 0,
    json: JsonOption = False,
) -> None:
    """The main job on a synthetic log, a quarter of it noise: train, compare, export.

    Trains SASRec four times: as it is; with the paper's gates and Jacobian penalty; with noise
    found and left out; and with noise left out that is known, which is all there is to be gained.
    Shows them side by side, draws a history before and after it is cleaned, and exports the model
    that finds noise. Earlier demo runs in `--out` are replaced.
    """
    check_folder(out)
    check_folder(to)
    base = _base(users, epochs, seed)
    dataset = read_dataset(base)
    runs = {name: run_directory(out, name, seed) for name in _MODELS}
    found = _trained(base, dataset, out, runs)
    metrics = RunDirectory(runs[_DETECTOR]).metrics()
    picture = out / "history.png"
    history = _draw(runs[_DETECTOR], dataset, picture)
    if json:
        written = export_and_show(runs[_DETECTOR], to, console=errors)
        print_json(_as_json(found, metrics, runs, picture, written))
        return
    output.print(_table(found))
    note(_MEANINGS)
    explain_protocols(metric.split()[0] for metric in _METRICS)
    note(sentence(found))
    show_detection(metrics)
    note(f"A history before and after: {picture}")
    command = ["recommend", str(runs[_DETECTOR]), "--history", ",".join(history[-_RECENT:])]
    note(f"Recommend: tf-recdenoiser {shlex.join(command)}")
    export_and_show(runs[_DETECTOR], to)


def _base(users: int, epochs: int, seed: int) -> Settings:
    return Settings.of(
        "synthetic",
        {
            # Injected, since then the newest item may be noise too, as in life.
            "log": {"users": users, "noise": 0.0, "seed": seed},
            "noise.injection": {"rate": _NOISE, "seed": seed},
            "fit": {"epochs": epochs, "patience": 0, "learning_rate": _LEARNING_RATE},
            "evaluation.validate_every": 5,
            "seed": seed,
        },
    ).plain()


class _ShowRuns(ShowRun):
    """Shows several runs, each under its name."""

    def begin_run(self, settings: Settings, directory: RunDirectory) -> None:
        self._console.rule(directory.path.name)
        super().begin_run(settings, directory)

    def _what_next(self) -> str:
        return f"Begin anew with: tf-recdenoiser {shlex.join(self._go_on)}"


def _trained(base: Settings, dataset: Dataset, out: Path, runs: Mapping[str, Path]) -> Found:
    """Train the models, and compare them."""
    for path in runs.values():
        directory = RunDirectory(path)
        with directory.locked():
            directory.clear()
    with _ShowRuns(errors, sys.argv[1:]) as observer:
        return run_paired(base, dataset, out, _MODELS, [base.seed], observer)


def _table(found: Found) -> Table:
    title = f"Test metrics, {_NOISE:.0%} of the log is noise"
    table = Table("model", title=title, title_justify="left")
    for protocol, metric in map(str.split, _METRICS):
        name = metric.replace("hit", "Hit").replace("ndcg", "NDCG")
        table.add_column(f"{name}\n{protocol}", justify="right")
    table.add_column("share of\nthe gain", justify="right")
    gaps = closed_gap(found, _METRIC)
    for name, by_metric in found.items():
        share = "{:.0%} ± {:.0%}".format(*gaps[name]) if gaps else "-"
        table.add_row(name, *(f"{by_metric[metric].mean:.4f}" for metric in _METRICS), share)
    return table


def sentence(found: Found) -> str:
    """What is to be seen in a comparison of the models, whatever it is."""
    gaps = closed_gap(found, _METRIC)
    if not gaps:
        return "Knowing the noise gains nothing here: let there be more users, or more epochs."
    shares = {name: f"{share:.0%}" for name, (share, _) in gaps.items()}
    return (
        "Of what knowing all noise gains in NDCG@10 (full), finding it gains "
        f"{shares[_DETECTOR]}; the paper's gates gain {shares[_GATES]}."
    )


def _draw(run: Path, dataset: Dataset, picture: Path) -> list[str]:
    """Draw the history of one test user; the history as it is cleaned.

    Of all users it is the first whose history comes nearest to twenty items with five mistakes.
    """
    loaded = load_run(run)
    noisy = load_split(loaded.settings, dataset)
    length = loaded.settings.model.max_length
    items, marks = noisy.split.test.histories.last(length), noisy.test.last(length)
    distance = abs((items > 0).sum(axis=1) - _ITEMS) + abs(marks.sum(axis=1) - _MISTAKES)
    user = int(distance.argmin())
    codes = items[user][items[user] > 0]
    judged = judge(loaded, loaded.inputs(codes))
    assert judged is not None
    ids = loaded.item_ids[codes - 1]
    cleaned = ids[judged.stays].tolist()
    draw_history(picture, ids.tolist(), judged, known=marks[user, -len(codes) :] > 0)
    return cleaned


def _as_json(
    found: Found,
    metrics: Mapping[str, Any],
    runs: Mapping[str, Path],
    picture: Path,
    saved_model: Path,
) -> dict[str, Any]:
    gaps = closed_gap(found, _METRIC)
    return {
        "models": {
            name: {
                "run": str(runs[name]),
                "share_of_gain": gaps[name][0] if gaps else None,
                **{metric: dataclasses.asdict(by_metric[metric]) for metric in _METRICS},
            }
            for name, by_metric in found.items()
        },
        "noise": metrics["noise"],
        "picture": str(picture),
        "saved_model": str(saved_model),
    }
