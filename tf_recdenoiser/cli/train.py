"""`tf-recdenoiser train`."""

from __future__ import annotations

import importlib.util
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated, Any

import typer
from typer import Option

from tf_recdenoiser._files import check_folder
from tf_recdenoiser._keras import keras
from tf_recdenoiser.cli.choices import one_of
from tf_recdenoiser.cli.console import (
    JsonOption,
    errors,
    note,
    print_json,
    show_metrics,
)
from tf_recdenoiser.cli.device import PANEL, computes, stated_computing
from tf_recdenoiser.cli.options import refuse_idle, settings_of, with_settings
from tf_recdenoiser.cli.progress import ShowRun
from tf_recdenoiser.cli.reading import read_dataset
from tf_recdenoiser.data import read_titles
from tf_recdenoiser.runs import (
    ALONE,
    STRATEGIES,
    Cluster,
    RunDirectory,
    RunError,
    Settings,
    cluster_of,
)
from tf_recdenoiser.runs import train as train_run


@computes
@with_settings(presets=True)
def train(
    context: typer.Context,
    out: Annotated[Path, Option(help="The run directory to write.")],
    resume: Annotated[
        bool,
        Option(
            "--resume",
            help="Go on with the run in `--out`, or begin it; only `--epochs` and `--patience` "
            "may change.",
        ),
    ] = False,
    begin_with: Annotated[
        Path | None,
        Option(
            "--from",
            metavar="RUN",
            help="Begin with what this run learned, and with its settings: for a log that has "
            "grown, or tomorrow's alone. Items and users may be new, and what is known stays.",
            show_default=False,
        ),
    ] = None,
    titles: Annotated[
        Path | None,
        Option(
            help="A table of the items' titles, such as `movies.csv`, to be kept with the run and "
            "shown wherever items are.",
            show_default=False,
        ),
    ] = None,
    json: JsonOption = False,
    tensorboard: Annotated[
        bool, Option("--tensorboard", help="Also write event files for TensorBoard.")
    ] = False,
    strategy: Annotated[
        str | None,
        Option(
            **one_of(
                STRATEGIES,
                "Share batches among devices, or workers, each with its TF_CONFIG.",
            ),
            show_default=False,
            rich_help_panel=PANEL,
        ),
    ] = None,
) -> None:
    """Train a recommender on an interaction log, and show how good it is.

    A user's last item is the test, the one before it validation, the rest is trained on. The
    epoch with the best validation NDCG@10 is kept. The run directory then holds settings, data
    fingerprint, package versions, training log, checkpoints, vocabulary and `metrics.json`.

    `train log.csv --out runs/first` needs nothing else. Plain SASRec, to compare with:
    `--preset plain`. The settings of a run lie in its `settings.toml`, which `--config` takes.
    With tomorrow's data: `train new.csv --from runs/first --out runs/second`.
    """
    directory = RunDirectory(out)
    check_folder(out)
    goes_on = resume and directory.exists()
    if resume and not goes_on:
        note(f"There is no run in {out} to go on with: one is begun.", errors)
    if not resume:
        directory.require_free()
    settings = settings_of(context, directory.settings() if goes_on else _base(begin_with))
    refuse_idle(context, settings)
    if titles is not None and goes_on:
        raise RunError("`--titles` is for a run that begins: leave it out. Received: --resume")
    computing = stated_computing(context)
    if strategy is not None:
        computing += ["--strategy", strategy]
    cluster = cluster_of(strategy)
    metrics = train_and_show(settings, directory, resume, tensorboard, computing, titles, cluster)
    if json:
        print_json({"run": str(out), **metrics})
        return
    show_metrics("Test metrics", {settings.model.name: metrics["test"]})
    if metrics["density"]:
        shares = ", ".join(f"{share:.2f}" for share in metrics["density"])
        note(f"Share of gates kept, by layer: {shares}")
    show_detection(metrics)
    note(f"Best epoch {metrics['best_epoch']} of {metrics['epochs']}. The run lies in {out}.")


def _base(begin_with: Path | None) -> Settings | None:
    """The settings to begin with; None for the defaults."""
    if begin_with is None:
        return None
    return RunDirectory(begin_with).settings().replace({"fit.warm_start": str(begin_with)})


def show_detection(metrics: dict[str, Any]) -> None:
    """Say how much noise was found, and how well, where it is known."""
    if (found := metrics.get("noise")) is None:
        return
    rate, area = found["rate"], found["cross_fit_roc_auc"]
    if found.get("detector") == "feedback":
        note(
            f"Share of dislikes among items that users judged: {rate:.2f}. They are told from "
            f"the others with a ROC AUC of {area:.3f}."
        )
    else:
        note(
            f"Share of noise, as estimated: {rate:.2f}. Items are separated from drawn noise with "
            f"a ROC AUC of {area:.3f}."
        )
    if "roc_auc" in found:
        note(
            f"Noise in test histories: ROC AUC {found['roc_auc']:.3f}, "
            f"precision {found['precision']:.3f}."
        )


def train_and_show(
    settings: Settings,
    directory: RunDirectory,
    resume: bool = False,
    tensorboard: bool = False,
    computing: Sequence[str] = (),
    titles: Path | None = None,
    cluster: Cluster = ALONE,
) -> dict[str, Any]:
    """Train with a progress display; the run's metrics."""
    if tensorboard and importlib.util.find_spec("tensorboard") is None:
        raise RunError(
            "`--tensorboard` needs the package of that name: install tf_recdenoiser[tensorboard]. "
            "Received: an environment without it"
        )
    dataset = read_dataset(settings)
    texts = None if titles is None else read_titles(titles, dataset.item_ids)
    go_on = ["train", settings.source, "--out", str(directory.path), "--resume"]
    # All else is among the settings, which the run holds.
    go_on += ["--tensorboard"] if tensorboard else []
    go_on += computing
    if not cluster.is_chief:
        note(f"Worker {cluster.index} of {cluster.workers} trains; worker 0 shows how.", errors)
        return train_run(settings, dataset, directory, resume, titles=texts, cluster=cluster)
    with ShowRun(errors, go_on) as observer:
        if tensorboard:
            log = keras.callbacks.TensorBoard(str(directory.tensorboard))
            observer.callbacks = [*observer.callbacks, log]
        return train_run(
            settings, dataset, directory, resume, observer, titles=texts, cluster=cluster
        )
