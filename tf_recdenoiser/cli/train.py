"""`tf-recdenoiser train`."""

from __future__ import annotations

import contextlib
import dataclasses
import importlib.util
import shlex
from pathlib import Path
from typing import Annotated, Any, get_args

import typer
from typer import Argument, Option

from tf_recdenoiser._keras import keras
from tf_recdenoiser.backbones import BACKBONES, Backbone
from tf_recdenoiser.backbones.base import default
from tf_recdenoiser.cli.choices import one_of
from tf_recdenoiser.cli.console import PROTOCOL_NOTE, busy, errors, metrics_table, note, output
from tf_recdenoiser.cli.progress import ShowProgress, looking_for_noise
from tf_recdenoiser.data import MENDS, NOISE_LAWS, PLACES, READERS, WINDOWS, OnBadRow
from tf_recdenoiser.estimators import ESTIMATORS
from tf_recdenoiser.layers import ATTENTIONS, DROPPING, GATES, NORMS, PENALTIES
from tf_recdenoiser.ops import INFERENCE_GATES
from tf_recdenoiser.runs import (
    DENOISER,
    FINDERS,
    NO_GATES,
    RunDirectory,
    RunError,
    Settings,
    load_dataset,
    load_log,
)
from tf_recdenoiser.runs import train as train_run
from tf_recdenoiser.training import OBJECTIVES, GateTraining

_DATA, _MODEL, _DENOISING, _TRAINING = "Data", "Model", "Denoising", "Training"
_OBJECTIVE = "Objective"
_NOISE, _PLANTED = "Noise found and mended", "Noise planted, to see what is found"
# Typer cannot say None on the command line; 0 stands for it.
_ZERO_IS_ALL = ("jacobian_rows", "estimator_rows")
_SUITING = "; ".join(
    [
        str(default(GateTraining.compile, "estimator")),
        *(f"for gates of kind {name} {kind.suits}" for name, kind in GATES.items() if kind.suits),
    ]
)
_DRAWING = {name: kind() for name, kind in OBJECTIVES.items() if kind().negatives}
_NEGATIVES = ", ".join(f"{one.negatives} ({name})" for name, one in _DRAWING.items())
_BETA = ", ".join(
    [
        str(Backbone.usual_beta),
        *(
            f"{kind.usual_beta} for {name}"
            for name, kind in BACKBONES.items()
            if kind.usual_beta != Backbone.usual_beta
        ),
    ]
)
_SHARED = " and ".join(name for name, one in _DRAWING.items() if one.share_negatives)


def train(
    context: typer.Context,
    data: Annotated[
        str,
        Argument(
            help="An interaction log: `user item` lines, RecBole `.inter`, CSV or Parquet; or "
            "`synthetic`, or for example `synthetic:users=500,items=200,noise=0.3,seed=1`."
        ),
    ],
    out: Annotated[Path, Option(help="The run directory to write.")],
    resume: Annotated[
        bool,
        Option(
            "--resume",
            help="Go on with the run in `--out` from its last epoch, or begin it if there is "
            "none; it keeps its settings, only `--epochs` and `--patience` may change.",
        ),
    ] = False,
    tensorboard: Annotated[
        bool, Option("--tensorboard", help="Also write event files for TensorBoard.")
    ] = False,
    format: Annotated[
        str | None,
        Option(
            **one_of(READERS, "Of the log; found from the file if not given."),
            rich_help_panel=_DATA,
        ),
    ] = Settings.format,
    on_bad_row: Annotated[
        str,
        Option(
            **one_of(get_args(OnBadRow), "Refuse a log with bad rows, or skip and list them."),
            rich_help_panel=_DATA,
        ),
    ] = Settings.on_bad_row,
    user_column: Annotated[
        str | None, Option(help="Name of the user column.", rich_help_panel=_DATA)
    ] = Settings.user_column,
    item_column: Annotated[
        str | None, Option(help="Name of the item column.", rich_help_panel=_DATA)
    ] = Settings.item_column,
    time_column: Annotated[
        str | None, Option(help="Name of the time column.", rich_help_panel=_DATA)
    ] = Settings.time_column,
    rating_column: Annotated[
        str | None, Option(help="Name of the rating column.", rich_help_panel=_DATA)
    ] = Settings.rating_column,
    k_core: Annotated[
        int,
        Option(
            min=0,
            help="Drop users and items with fewer rows, again and again.",
            rich_help_panel=_DATA,
        ),
    ] = Settings.k_core,
    backbone: Annotated[
        str, Option(**one_of(BACKBONES, "The sequence encoder."), rich_help_panel=_MODEL)
    ] = Settings.backbone,
    max_length: Annotated[
        int,
        Option(
            min=1, help="n: how many of a user's newest items are read.", rich_help_panel=_MODEL
        ),
    ] = Settings.max_length,
    width: Annotated[
        int, Option(min=1, help="d: width of item and hidden vectors.", rich_help_panel=_MODEL)
    ] = Settings.width,
    blocks: Annotated[
        int, Option(min=1, help="L: Transformer blocks.", rich_help_panel=_MODEL)
    ] = Settings.blocks,
    heads: Annotated[
        int,
        Option(min=1, help="H: attention heads; must divide the width.", rich_help_panel=_MODEL),
    ] = Settings.heads,
    dropout: Annotated[
        float, Option(min=0, max=0.99, help="Rate.", rich_help_panel=_MODEL)
    ] = Settings.dropout,
    norm: Annotated[
        str,
        Option(
            **one_of(NORMS, "Layer normalisation before each part of a block, or after."),
            rich_help_panel=_MODEL,
        ),
    ] = Settings.norm,
    attention: Annotated[
        str,
        Option(
            **one_of(
                ATTENTIONS,
                "How links get their weights: by a softmax; by a sparser relative of it "
                "(entmax15, sparsemax; entmax with a learned alpha for each head); by a softmax "
                "over a static pattern of links, with options as in sliding_window:width=4; or "
                "with a cost that grows with n alone (linear), which goes with gates that are "
                "the same for every query.",
                with_options=True,
            ),
            rich_help_panel=_MODEL,
        ),
    ] = Settings.attention,
    user_width: Annotated[
        int, Option(min=1, help="Width of user vectors (sse_pt).", rich_help_panel=_MODEL)
    ] = Settings.user_width,
    user_swap: Annotated[
        float,
        Option(
            min=0,
            max=1,
            help="How often a user is replaced by another in training (sse_pt).",
            rich_help_panel=_MODEL,
        ),
    ] = Settings.user_swap,
    item_swap: Annotated[
        float,
        Option(min=0, max=1, help="The same for items read (sse_pt).", rich_help_panel=_MODEL),
    ] = Settings.item_swap,
    target_swap: Annotated[
        float,
        Option(min=0, max=1, help="The same for items scored (sse_pt).", rich_help_panel=_MODEL),
    ] = Settings.target_swap,
    mask_share: Annotated[
        float,
        Option(
            help="Share of items to mask in training, above 0 and below 1 (bert4rec).",
            rich_help_panel=_MODEL,
        ),
    ] = Settings.mask_share,
    last_share: Annotated[
        float,
        Option(
            min=0,
            max=1,
            help="Share of windows of which the newest item alone is masked (bert4rec).",
            rich_help_panel=_MODEL,
        ),
    ] = Settings.last_share,
    max_interval: Annotated[
        int,
        Option(
            min=1,
            help="Longest interval told from longer ones, in the user's least (tisasrec).",
            rich_help_panel=_MODEL,
        ),
    ] = Settings.max_interval,
    gru_width: Annotated[
        int, Option(min=1, help="Width of recurrent states (gru4rec).", rich_help_panel=_MODEL)
    ] = Settings.gru_width,
    gru_layers: Annotated[
        int, Option(min=1, help="Recurrent layers (gru4rec).", rich_help_panel=_MODEL)
    ] = Settings.gru_layers,
    recent: Annotated[
        int,
        Option(min=1, help="How many newest items are looked at (caser).", rich_help_panel=_MODEL),
    ] = Settings.recent,
    horizontal_filters: Annotated[
        int,
        Option(
            min=1,
            help="Filters for each number of items in a row (caser).",
            rich_help_panel=_MODEL,
        ),
    ] = Settings.horizontal_filters,
    vertical_filters: Annotated[
        int,
        Option(min=1, help="Filters that weigh items by place (caser).", rich_help_panel=_MODEL),
    ] = Settings.vertical_filters,
    gates: Annotated[
        str | None,
        Option(
            **one_of(
                (*GATES, *DROPPING, NO_GATES),
                "Trainable gates on attention links: the paper's, one for each pair of "
                "positions (positional); one for each distance (relative); of each "
                "history, by the two items (pairwise) or by how an item goes with the others "
                "(item); or one for each attended position (key). Or nothing but random "
                f"dropping of whole layers or heads. If not given: {DENOISER['gates']}, or none "
                "for a backbone without attention.",
            ),
            rich_help_panel=_DENOISING,
        ),
    ] = Settings.gates,
    beta: Annotated[
        float | None,
        Option(
            min=0,
            help=f"β: the price of an open gate; a higher one prunes more. If not given: {_BETA}.",
            rich_help_panel=_DENOISING,
        ),
    ] = Settings.beta,
    penalty: Annotated[
        str,
        Option(
            **one_of(
                PENALTIES,
                "β for each entry of the gates' matrix (the paper's), or for each link in "
                "use, which means the same on every data set.",
            ),
            rich_help_panel=_DENOISING,
        ),
    ] = Settings.penalty,
    gates_from: Annotated[
        str | None,
        Option(
            help="A run whose gates are taken over and not trained: the same kind, in the same "
            "layers.",
            rich_help_panel=_DENOISING,
        ),
    ] = Settings.gates_from,
    shuffle_gates: Annotated[
        bool,
        Option(
            "--shuffle-gates",
            help="Put the gates taken over into a random order, a control.",
            rich_help_panel=_DENOISING,
        ),
    ] = Settings.shuffle_gates,
    initial_keep: Annotated[
        float,
        Option(
            min=0.5,
            max=1,
            help="Keep probability before training, above 0.5.",
            rich_help_panel=_DENOISING,
        ),
    ] = Settings.initial_keep,
    inference: Annotated[
        str,
        Option(
            **one_of(
                INFERENCE_GATES,
                "Gates when not training: their probability, but 0 where that is at most "
                "0.5 (clip); 0 or 1 (hard); or their probability (expectation).",
            ),
            rich_help_panel=_DENOISING,
        ),
    ] = Settings.inference,
    target_density: Annotated[
        float | None,
        Option(
            help="Mean keep probability of the gates to be reached in each layer, above 0 and "
            "below 1; --beta is then ignored, and the price of an open gate found on the way.",
            rich_help_panel=_DENOISING,
        ),
    ] = Settings.target_density,
    drop_rate: Annotated[
        float,
        Option(
            min=0,
            max=0.99,
            help="Of the gates that drop layers or heads at random.",
            rich_help_panel=_DENOISING,
        ),
    ] = Settings.drop_rate,
    gamma: Annotated[
        float | None,
        Option(
            min=0,
            help="γ: weight of the Jacobian penalty; 0 for none. If not given: "
            f"{DENOISER['gamma']}, or 0 for a backbone without attention.",
            rich_help_panel=_DENOISING,
        ),
    ] = Settings.gamma,
    jacobian_rows: Annotated[
        int | None,
        Option(
            min=0,
            help="Sequences of a batch that the Jacobian penalty uses; 0 for all.",
            rich_help_panel=_DENOISING,
        ),
    ] = Settings.jacobian_rows,
    estimator: Annotated[
        str | None,
        Option(
            **one_of(ESTIMATORS, f"Of the gates' gradient. If not given: {_SUITING}."),
            rich_help_panel=_DENOISING,
        ),
    ] = Settings.estimator,
    credit: Annotated[
        bool | None,
        Option(
            "--credit/--no-credit",
            help="Hold a gate to account only for losses it can change. On for causal "
            "backbones if not given.",
            rich_help_panel=_DENOISING,
        ),
    ] = Settings.credit,
    estimator_rows: Annotated[
        int | None,
        Option(
            min=0,
            help="Sequences of a batch in the second evaluation of the loss; 0 for all.",
            rich_help_panel=_DENOISING,
        ),
    ] = Settings.estimator_rows,
    detect: Annotated[
        str | None,
        Option(
            **one_of(
                FINDERS,
                "How noise is found: not at all; by how well each item fits what stands around "
                "it; by how much it surprises a recommender trained on other users, which takes "
                "as long as training; or by knowing where it was planted. If not given: context, "
                "if enough users have items to learn from.",
            ),
            rich_help_panel=_NOISE,
        ),
    ] = Settings.detect,
    noise_law: Annotated[
        str,
        Option(
            **one_of(
                NOISE_LAWS,
                "What noise is like: items drawn by popularity, or uniformly, or runs of "
                "somebody else's items.",
            ),
            rich_help_panel=_NOISE,
        ),
    ] = Settings.noise_law,
    mend: Annotated[
        str,
        Option(
            **one_of(
                MENDS,
                "In training, weigh each target by its probability of being meant; leave items "
                "out of whole sequences with their probability of being noise; take the share of "
                "noise found for noise that any target may be; or soften items by that "
                "probability, in the input, in attention, or in both and as targets.",
            ),
            rich_help_panel=_NOISE,
        ),
    ] = Settings.mend,
    least_weight: Annotated[
        float,
        Option(
            min=0,
            max=1,
            help="What a target weighs at the least where targets are weighed.",
            rich_help_panel=_NOISE,
        ),
    ] = Settings.least_weight,
    clean_above: Annotated[
        float,
        Option(
            min=0,
            help="Leave items with a probability of noise above this out of the histories that "
            "recommendations start from; from 1 on none.",
            rich_help_panel=_NOISE,
        ),
    ] = Settings.clean_above,
    clean_newest_above: Annotated[
        float,
        Option(
            min=0,
            help="The same for the newest items: one after the other, until one stays.",
            rich_help_panel=_NOISE,
        ),
    ] = Settings.clean_newest_above,
    planted_rate: Annotated[
        float,
        Option(
            min=0,
            max=0.99,
            help="Replace this share of what users did by noise.",
            rich_help_panel=_PLANTED,
        ),
    ] = Settings.planted_rate,
    planted_law: Annotated[
        str, Option(**one_of(NOISE_LAWS, "What it is like."), rich_help_panel=_PLANTED)
    ] = Settings.planted_law,
    planted_places: Annotated[
        str,
        Option(
            **one_of(PLACES, "In training sequences, in histories to recommend from, or in both."),
            rich_help_panel=_PLANTED,
        ),
    ] = Settings.planted_places,
    planted_seed: Annotated[
        int, Option(min=0, help="Of the planted noise.", rich_help_panel=_PLANTED)
    ] = Settings.planted_seed,
    windows: Annotated[
        str,
        Option(
            **one_of(
                WINDOWS,
                "What of a longer history an epoch trains on: the newest n items, as SASRec "
                "does, or a random window.",
            ),
            rich_help_panel=_TRAINING,
        ),
    ] = Settings.windows,
    objective: Annotated[
        str, Option(**one_of(OBJECTIVES, "What is minimised."), rich_help_panel=_OBJECTIVE)
    ] = Settings.objective,
    negatives: Annotated[
        int | None,
        Option(
            min=1,
            help=f"m: unseen items for each true one. If not given: {_NEGATIVES}.",
            rich_help_panel=_OBJECTIVE,
        ),
    ] = Settings.negatives,
    share_negatives: Annotated[
        bool | None,
        Option(
            "--share-negatives/--no-share",
            help="Draw m unseen items for all positions of a sequence together, which is much "
            f"cheaper for many. On for {_SHARED} if not given.",
            rich_help_panel=_OBJECTIVE,
        ),
    ] = Settings.share_negatives,
    calibration: Annotated[
        float,
        Option(
            min=0,
            max=1,
            help="t of gBCE: 0 for binary cross-entropy, 1 for calibrated scores.",
            rich_help_panel=_OBJECTIVE,
        ),
    ] = Settings.calibration,
    l2: Annotated[
        float,
        Option(
            "--l2", min=0, help="α: weight decay of the paper's Eq. 6.", rich_help_panel=_TRAINING
        ),
    ] = Settings.l2,
    learning_rate: Annotated[
        float, Option(help="Of the weights' Adam.", rich_help_panel=_TRAINING)
    ] = Settings.learning_rate,
    gate_learning_rate: Annotated[
        float, Option(help="Of the gates' own Adam.", rich_help_panel=_TRAINING)
    ] = Settings.gate_learning_rate,
    batch_size: Annotated[
        int, Option(min=1, help="Users in a batch.", rich_help_panel=_TRAINING)
    ] = Settings.batch_size,
    epochs: Annotated[
        int, Option(min=1, help="At most so many.", rich_help_panel=_TRAINING)
    ] = Settings.epochs,
    patience: Annotated[
        int,
        Option(
            min=0,
            help="Stop when validation NDCG@10 has not risen for so many epochs; 0: never.",
            rich_help_panel=_TRAINING,
        ),
    ] = Settings.patience,
    validate_every: Annotated[
        int, Option(min=1, help="Validate every so many epochs.", rich_help_panel=_TRAINING)
    ] = Settings.validate_every,
    seed: Annotated[
        int,
        Option(
            min=0,
            help="The same seed and settings give the same numbers.",
            rich_help_panel=_TRAINING,
        ),
    ] = Settings.seed,
) -> None:
    """Train a recommender on an interaction log, and show how good it is.

    A user's last item is the test, the one before it validation, the rest is trained on. The
    epoch with the best validation NDCG@10 is kept. The run directory then holds settings, data
    fingerprint, package versions, training log, checkpoints, vocabulary and `metrics.json`.

    Plain SASRec, to compare with: `--gates none --gamma 0 --detect none`.
    """
    settings = settings_of(context)
    directory = RunDirectory(out)
    if resume and directory.exists():
        stated = stated_settings(context, settings)
        settings = dataclasses.replace(directory.settings(), **stated)
    else:
        directory.require_free()
    metrics = train_and_show(settings, directory, resume, tensorboard)
    output.print(metrics_table("Test metrics", {settings.backbone: metrics["test"]}))
    note(PROTOCOL_NOTE)
    if metrics["density"]:
        shares = ", ".join(f"{share:.2f}" for share in metrics["density"])
        note(f"Share of gates kept, by layer: {shares}")
    show_detection(metrics)
    note(f"Best epoch {metrics['best_epoch']} of {metrics['epochs']}. The run lies in {out}.")


def show_detection(metrics: dict[str, Any]) -> None:
    """Say how much noise was found, and how well, where it is known."""
    if (found := metrics.get("noise")) is None:
        return
    if "rate" in found:
        note(
            f"Share of noise, as estimated: {found['rate']:.2f}; items are told from drawn noise "
            f"with an area under the ROC curve of {found['area']:.3f}."
        )
    if "roc_area" in found:
        note(
            f"Noise in test histories: area under the ROC curve {found['roc_area']:.3f}, "
            f"precision {found['precision']:.3f}."
        )


def settings_of(context: typer.Context) -> Settings:
    """The settings of a command line that takes the options of `train`."""
    values = {field.name: context.params[field.name] for field in dataclasses.fields(Settings)}
    values.update({name: values[name] or None for name in _ZERO_IS_ALL})
    return Settings(**values)


def stated_settings(context: typer.Context, given: Settings) -> dict[str, Any]:
    """Those of the given settings that the command line states in so many words, by name."""
    return {
        field.name: getattr(given, field.name)
        for field in dataclasses.fields(Settings)
        if is_stated(context, field.name)
    }


def is_stated(context: typer.Context, name: str) -> bool:
    """Whether the command line gives a parameter in so many words."""
    source = context.get_parameter_source(name)
    return source is not None and source.name == "COMMANDLINE"


def train_and_show(
    settings: Settings, directory: RunDirectory, resume: bool = False, tensorboard: bool = False
) -> dict[str, Any]:
    """Train with a progress display; the run's metrics."""
    if tensorboard and importlib.util.find_spec("tensorboard") is None:
        raise RunError(
            "`--tensorboard` needs the package of that name: install tf_recdenoiser[tensorboard]. "
            "Received: an environment without it"
        )
    with busy(f"Reading {settings.data}"):
        log = load_log(settings)
        dataset = load_dataset(settings, log)
    note(log.report.describe(), errors)
    further = [keras.callbacks.TensorBoard(str(directory.tensorboard))] if tensorboard else []
    try:
        with (
            contextlib.closing(ShowProgress(errors, settings.epochs)) as progress,
            looking_for_noise(errors) as report,
        ):
            return train_run(
                settings, dataset, directory, resume, [progress, *further], report=report
            )
    except KeyboardInterrupt:
        command = ["train", settings.data, "--out", str(directory.path), "--resume"]
        note(
            f"Stopped after {len(directory.history())} epochs. "
            f"Go on with: tf-recdenoiser {shlex.join(command)}",
            errors,
        )
        raise
