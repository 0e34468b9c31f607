"""The options of the command line that are settings of a run, written once for all commands."""

from __future__ import annotations

import dataclasses
import functools
import inspect
from collections.abc import Callable, Collection, Mapping
from typing import Annotated, Any, get_args, get_type_hints

import typer
from typer import Argument, Option
from typer.models import OptionInfo

from tf_recdenoiser.backbones import BACKBONES, Backbone
from tf_recdenoiser.backbones.base import default
from tf_recdenoiser.cli.choices import one_of
from tf_recdenoiser.data import READERS, WINDOWS, OnBadRow
from tf_recdenoiser.estimators import ESTIMATORS
from tf_recdenoiser.layers import ATTENTIONS, DROPPING, GATES, NORMS, PENALTIES, Gates
from tf_recdenoiser.noise import CORRECTIONS, NOISE_DISTRIBUTIONS, PLACES
from tf_recdenoiser.ops import INFERENCE_GATES
from tf_recdenoiser.runs import (
    EDGES_PER_ENTRY,
    FINDERS,
    NO_GATES,
    PRESETS,
    RunError,
    Settings,
    idle_settings,
)
from tf_recdenoiser.training import OBJECTIVES, GateTraining

DATA, MODEL, DENOISING, OBJECTIVE, TRAINING = "Data", "Model", "Denoising", "Objective", "Training"
NOISE, PLANTED = "Noise found and mended", "Noise planted, to see what is found"

Command = Callable[..., None]

# Typer cannot say None on the command line; 0 stands for it.
_ZERO_IS_ALL = ("jacobian_batch_size", "estimator_batch_size")
_SUITING = "; ".join(
    [
        str(default(GateTraining.compile, "estimator")),
        *(
            f"for gates of kind {name} {kind.default_estimator}"
            for name, kind in GATES.items()
            if kind.default_estimator
        ),
    ]
)
_DRAWING = {name: kind() for name, kind in OBJECTIVES.items() if kind().negatives}
_NEGATIVES = ", ".join(f"{one.negatives} ({name})" for name, one in _DRAWING.items())
_SHARED = " and ".join(name for name, one in _DRAWING.items() if one.share_negatives)


def _usual(attribute: str, base: type, kinds: Mapping[str, type]) -> str:
    """What `base` has, and those of the `kinds` that have something else."""
    usual = getattr(base, attribute)
    own = {name: getattr(kind, attribute) for name, kind in kinds.items()}
    others = [f"{value} for {name}" for name, value in own.items() if value != usual]
    return ", ".join([str(usual), *others])


_BETA = _usual("default_beta", Backbone, BACKBONES)
_UNPRICED = ", ".join(name for name, kind in GATES.items() if not kind.sparse_by_default)
_PENALTY = _usual("default_penalty", Gates, GATES)

_LOG = Argument(
    help="An interaction log: `user item` lines, RecBole `.inter`, CSV, Parquet, or one line per "
    "user with times; or `synthetic`, also with options (`users`, `items`, `clusters`, `noise`, "
    "`seed`), as in `synthetic:users=500,items=200,noise=0.3`."
)

_OPTIONS: dict[str, dict[str, OptionInfo]] = {
    DATA: {
        "format": Option(**one_of(READERS, "Of the log; found from the file if not given.")),
        "on_bad_row": Option(
            **one_of(get_args(OnBadRow), "Refuse a log with bad rows, or skip and list them.")
        ),
        "user_column": Option(help="Name of the user column."),
        "item_column": Option(help="Name of the item column."),
        "time_column": Option(help="Name of the time column."),
        "rating_column": Option(help="Name of the rating column."),
        "k_core": Option(min=0, help="Drop users and items with fewer rows, again and again."),
    },
    MODEL: {
        "backbone": Option(**one_of(BACKBONES, "The sequence encoder.")),
        "max_length": Option(min=1, help="n: how many of a user's newest items are read."),
        "hidden_dim": Option(min=1, help="d: width of item and hidden vectors."),
        "num_layers": Option(min=1, help="L: Transformer blocks."),
        "num_heads": Option(min=1, help="H: attention heads; must divide the width."),
        "dropout": Option(min=0, max=0.99, help="Rate."),
        "norm": Option(
            **one_of(NORMS, "Layer normalisation before each part of a block, or after.")
        ),
        "attention": Option(
            **one_of(
                ATTENTIONS,
                "How edges get their weights: by a softmax; by a sparser relative of it "
                "(entmax15, sparsemax; entmax with a learned alpha for each head); by a softmax "
                "over a static pattern of edges, with options as in sliding_window:width=4; or "
                "with a cost that grows with n alone (linear), which goes with gates that are "
                "the same for every query.",
                with_options=True,
            )
        ),
        "user_dim": Option(min=1, help="Width of user vectors (sse_pt)."),
        "user_swap": Option(
            min=0, max=1, help="How often a user is replaced by another in training (sse_pt)."
        ),
        "item_swap": Option(min=0, max=1, help="The same for items read (sse_pt)."),
        "target_swap": Option(min=0, max=1, help="The same for items scored (sse_pt)."),
        "mask_share": Option(
            help="Share of items to mask in training, above 0 and below 1 (bert4rec)."
        ),
        "last_share": Option(
            min=0,
            max=1,
            help="Share of windows of which the newest item alone is masked (bert4rec).",
        ),
        "max_interval": Option(
            min=1, help="Longest interval told from longer ones, in the user's least (tisasrec)."
        ),
        "gru_units": Option(min=1, help="Width of recurrent states (gru4rec)."),
        "num_gru_layers": Option(min=1, help="Recurrent layers (gru4rec)."),
        "recent": Option(min=1, help="How many newest items are looked at (caser)."),
        "horizontal_filters": Option(
            min=1, help="Filters for each number of items in a row (caser)."
        ),
        "vertical_filters": Option(min=1, help="Filters that weigh items by place (caser)."),
    },
    DENOISING: {
        "gates": Option(
            **one_of(
                (*GATES, *DROPPING, NO_GATES),
                "Trainable gates on attention edges: the paper's, one for each pair of "
                "positions (positional); one for each distance (relative); of each "
                "history, by the two items (pairwise) or by how an item goes with the others "
                "(item); or one for each attended position (key). Or nothing but random "
                "dropping of whole layers or heads.",
            )
        ),
        "beta": Option(
            min=0,
            help=f"β: the price of an open gate; a higher one prunes more. If not given: {_BETA}; "
            f"divided by {EDGES_PER_ENTRY} with --penalty edges; 0 for gates of kind {_UNPRICED}.",
        ),
        "penalty": Option(
            **one_of(
                PENALTIES,
                "β for each entry of the gates' matrix (the paper's), or for each edge in "
                "use, which means the same on every data set. If not given: "
                f"{_PENALTY}.",
            )
        ),
        "gates_from": Option(
            help="A run whose gates are taken over and not trained: the same kind, in the same "
            "layers."
        ),
        "shuffle_gates": Option(
            "--shuffle-gates", help="Put the gates taken over into a random order, a control."
        ),
        "initial_keep": Option(min=0.5, max=1, help="Keep probability before training, above 0.5."),
        "inference": Option(
            **one_of(
                INFERENCE_GATES,
                "Gates when not training: their probability, but 0 where that is at most "
                "0.5 (clip); 0 or 1 (hard); or their probability (expectation).",
            )
        ),
        "target_density": Option(
            help="Mean keep probability of the gates to be reached in each layer, above 0 and "
            "below 1, in the place of --beta: the price of an open gate is found on the way."
        ),
        "drop_rate": Option(
            min=0, max=0.99, help="Of the gates that drop layers or heads at random."
        ),
        "gamma": Option(min=0, help="γ: weight of the Jacobian penalty; 0 for none."),
        "jacobian_batch_size": Option(
            min=0, help="Sequences of a batch that the Jacobian penalty uses; 0 for all."
        ),
        "estimator": Option(
            **one_of(ESTIMATORS, f"Of the gates' gradient. If not given: {_SUITING}.")
        ),
        "credit": Option(
            "--credit/--no-credit",
            help="Hold a gate to account only for losses it can change. On for causal "
            "backbones if not given.",
        ),
        "estimator_batch_size": Option(
            min=0, help="Sequences of a batch in the second evaluation of the loss; 0 for all."
        ),
    },
    NOISE: {
        "detect": Option(
            **one_of(
                FINDERS,
                "How noise is found: not at all; by how well each item fits what stands around "
                "it; by how much it surprises a recommender trained on other users, which takes "
                "as long as training; or by knowing where it was planted. If not given: context "
                "for train, if enough users have items to learn from, and none for tune.",
            )
        ),
        "noise_distribution": Option(
            **one_of(
                NOISE_DISTRIBUTIONS,
                "What noise is like: items drawn by popularity, or uniformly, or runs of "
                "somebody else's items.",
            )
        ),
        "correction": Option(
            **one_of(
                CORRECTIONS,
                "In training, weigh each target by its probability of being meant; leave items "
                "out of whole sequences with their probability of being noise; take the share of "
                "noise found for noise that any target may be; or soften items by that "
                "probability, in the input, in attention, or in both and as targets.",
            )
        ),
        "least_weight": Option(
            min=0, max=1, help="What a target weighs at the least where targets are weighed."
        ),
        "clean_above": Option(
            min=0,
            help="Leave items with a probability of noise above this out of the histories that "
            "recommendations start from; from 1 on none.",
        ),
        "clean_newest_above": Option(
            min=0, help="The same for the newest items: one after the other, until one stays."
        ),
    },
    PLANTED: {
        "injection_rate": Option(
            min=0, max=0.99, help="Replace this share of what users did by noise."
        ),
        "injection_distribution": Option(**one_of(NOISE_DISTRIBUTIONS, "What it is like.")),
        "injection_places": Option(
            **one_of(PLACES, "In training sequences, in histories to recommend from, or in both.")
        ),
        "injection_seed": Option(min=0, help="Of the planted noise."),
    },
    OBJECTIVE: {
        "objective": Option(**one_of(OBJECTIVES, "What is minimised.")),
        "negatives": Option(
            min=1, help=f"m: unseen items for each true one. If not given: {_NEGATIVES}."
        ),
        "share_negatives": Option(
            "--share-negatives/--no-share",
            help="Draw m unseen items for all positions of a sequence together, which is much "
            f"cheaper for many. On for {_SHARED} if not given.",
        ),
        "calibration": Option(
            min=0, max=1, help="t of gBCE: 0 for binary cross-entropy, 1 for calibrated scores."
        ),
    },
    TRAINING: {
        "windows": Option(
            **one_of(
                WINDOWS,
                "What of a longer history an epoch trains on: the newest n items, as SASRec "
                "does, or a random window.",
            )
        ),
        "l2": Option("--l2", min=0, help="α: weight decay of the paper's Eq. 6."),
        "learning_rate": Option(help="Of the weights' Adam."),
        "gate_learning_rate": Option(help="Of the gates' own Adam."),
        "gate_delay": Option(
            min=0,
            help="Epochs before the gates begin to learn, so that attention learns first.",
        ),
        "batch_size": Option(min=1, help="Users in a batch."),
        "epochs": Option(min=1, help="At most so many."),
        "patience": Option(
            min=0, help="Stop when validation NDCG@10 has not risen for so many epochs; 0: never."
        ),
        "validate_every": Option(min=1, help="Validate every so many epochs."),
        "seed": Option(min=0, help="The same seed and settings give the same numbers."),
    },
}

for _panel, _options in _OPTIONS.items():
    for _option in _options.values():
        _option.rich_help_panel = _panel

PANELS = tuple(_OPTIONS)
"""All groups of options, in the order of their help."""

_TYPES = get_type_hints(Settings)


def with_settings(
    *panels: str, without: Collection[str] = (), **defaults: Any
) -> Callable[[Command], Command]:
    """Give a command, after its own options, those of some panels; `settings_of` reads them.

    Parameters
    ----------
    panels
        Of `PANELS`; beside their options the command takes the log.
    without
        Settings that have no option all the same.
    defaults
        Of settings, where the command has others than `Settings`.
    """
    shared = {"data": _LOG} | {
        name: option
        for panel in panels
        for name, option in _OPTIONS[panel].items()
        if name not in without
    }

    def decorate(command: Command) -> Command:
        own = inspect.signature(command, eval_str=True).parameters
        parameters = [
            *(one.replace(kind=inspect.Parameter.KEYWORD_ONLY) for one in own.values()),
            *(_parameter(name, option, defaults) for name, option in shared.items()),
        ]

        @functools.wraps(command)
        def run(**values: Any) -> None:
            command(**{name: values[name] for name in own})

        run.__signature__ = inspect.Signature(parameters)  # type: ignore[attr-defined]
        run.__annotations__ = {one.name: one.annotation for one in parameters}
        return run

    return decorate


def _parameter(name: str, option: Any, defaults: dict[str, Any]) -> inspect.Parameter:
    usual = getattr(Settings, name, inspect.Parameter.empty)
    return inspect.Parameter(
        name,
        inspect.Parameter.KEYWORD_ONLY,
        default=defaults.get(name, usual),
        annotation=Annotated[_TYPES[name], option],
    )


def settings_of(context: typer.Context, **decided: Any) -> Settings:
    """The settings of a command that was made by `with_settings`, and `decided` ones."""
    values = {name: context.params[name] for name in _names() if name in context.params}
    values.update({name: values[name] or None for name in _ZERO_IS_ALL if name in values})
    return Settings(**{**values, **decided})


def preset_settings(context: typer.Context, preset: str | None) -> dict[str, Any]:
    """What a preset says of settings that the command line leaves open."""
    chosen = {} if preset is None else PRESETS[preset]
    return {name: value for name, value in chosen.items() if not is_stated(context, name)}


def stated_settings(context: typer.Context, given: Settings) -> dict[str, Any]:
    """Those of the given settings that the command line states in so many words, by name."""
    return {name: getattr(given, name) for name in _names() if is_stated(context, name)}


def refuse_idle(context: typer.Context, settings: Settings, searched: Collection[str] = ()) -> None:
    """Raise RunError if the command line states what has no effect beside the other settings.

    Those that are `searched` will have other values.
    """
    for name, beside in idle_settings(settings).items():
        if is_stated(context, name) and beside.partition("=")[0] not in searched:
            raise RunError(
                f"`{name}` has no effect with {beside}: leave it out, or choose otherwise. "
                f"Received: {name}={getattr(settings, name)!r}"
            )


def is_stated(context: typer.Context, name: str) -> bool:
    """Whether the command line gives a parameter in so many words."""
    source = context.get_parameter_source(name)
    return source is not None and source.name == "COMMANDLINE"


def _names() -> list[str]:
    return [field.name for field in dataclasses.fields(Settings)]
