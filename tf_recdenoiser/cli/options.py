"""The options that are settings of a run, written once for all commands."""

from __future__ import annotations

import copy
import functools
import inspect
from collections.abc import Callable, Collection, Mapping
from pathlib import Path
from typing import Annotated, Any, get_args

import typer
from typer import Argument, Option
from typer.models import OptionInfo

from tf_recdenoiser._settings import NAME
from tf_recdenoiser.backbones import BACKBONES
from tf_recdenoiser.cli.choices import one_of
from tf_recdenoiser.data import OnBadRow
from tf_recdenoiser.estimators import ESTIMATORS
from tf_recdenoiser.layers import DROPPING, GATES
from tf_recdenoiser.noise import CORRECTIONS, DETECTORS, NO_DETECTOR, ORACLE
from tf_recdenoiser.runs import PRESETS, RunError, Settings, assignment, read_settings
from tf_recdenoiser.runs.resolve import idle_settings
from tf_recdenoiser.runs.settings import NO_GATES
from tf_recdenoiser.training import OBJECTIVES

DATA, MODEL, DENOISING, TRAINING = "Data", "Model", "Denoising", "Training"

Command = Callable[..., None]

_LOG = Argument(
    help="An interaction log: `user item` lines, RecBole `.inter`, CSV, Parquet, or one line per "
    "user with times; or `synthetic`. May be left out where `--config` names one.",
    show_default=False,
)
_CONFIG = Option(
    help="A TOML file of settings, such as the `settings.toml` of a run. Options and `--set` go "
    "before it.",
    rich_help_panel="Settings",
)
_SET = Option(
    "--set",
    metavar="PATH=VALUE",
    help="Any other setting by its path, as `--set model.attention=entmax15`; may be given for "
    "several. `tf-recdenoiser settings` lists them all, with their defaults.",
    rich_help_panel="Settings",
)
_PRESET = Option(
    **one_of(
        PRESETS,
        "Settings that go together, where nothing else says otherwise: the paper's method and no "
        "more, or the backbone alone.",
    ),
    rich_help_panel="Settings",
)

# The panel, the path of the setting, its type, and the option.
_FLAGS: dict[str, tuple[str, str, Any, OptionInfo]] = {
    "user_column": (DATA, "log.user_column", str, Option(help="Name of the user column.")),
    "item_column": (DATA, "log.item_column", str, Option(help="Name of the item column.")),
    "time_column": (DATA, "log.time_column", str, Option(help="Name of the time column.")),
    "rating_column": (DATA, "log.rating_column", str, Option(help="Name of the rating column.")),
    "on_bad_row": (
        DATA,
        "log.on_bad_row",
        str,
        Option(**one_of(get_args(OnBadRow), "Refuse a log with bad rows, or skip and list them.")),
    ),
    "backbone": (MODEL, "model", str, Option(**one_of(BACKBONES, "The sequence encoder."))),
    "max_length": (MODEL, "model.max_length", int, Option(help="How many newest items it reads.")),
    "hidden_dim": (MODEL, "model.hidden_dim", int, Option(help="Size of its vectors.")),
    "num_layers": (MODEL, "model.num_layers", int, Option(help="Transformer blocks.")),
    "num_heads": (MODEL, "model.num_heads", int, Option(help="Attention heads of a block.")),
    "dropout": (MODEL, "model.dropout", float, Option(help="Dropout rate.")),
    "objective": (TRAINING, "objective", str, Option(**one_of(OBJECTIVES, "What is minimised."))),
    "gates": (
        DENOISING,
        "gates",
        str,
        Option(**one_of((NO_GATES, *GATES, *DROPPING), "Gates on the edges of attention.")),
    ),
    "estimator": (
        DENOISING,
        "gates.estimator",
        str,
        Option(**one_of(ESTIMATORS, "Of the gates' gradient.")),
    ),
    "beta": (
        DENOISING,
        "gates.beta",
        float,
        Option(help="β, the sparsity weight: more of it prunes more."),
    ),
    "gamma": (DENOISING, "model.gamma", float, Option(help="γ, weight of the Jacobian penalty.")),
    "detector": (
        DENOISING,
        "noise.detector",
        str,
        Option(**one_of((NO_DETECTOR, *DETECTORS, ORACLE), "How noise in the log is found.")),
    ),
    "correction": (
        DENOISING,
        "noise.correction",
        str,
        Option(**one_of(CORRECTIONS, "What is done in training about noise that was found.")),
    ),
    "epochs": (TRAINING, "fit.epochs", int, Option(help="At most so many.")),
    "batch_size": (TRAINING, "fit.batch_size", int, Option(help="Users in a batch.")),
    "learning_rate": (TRAINING, "fit.learning_rate", float, Option(help="Of the weights.")),
    "gate_learning_rate": (TRAINING, "gates.learning_rate", float, Option(help="Of the gates.")),
    "patience": (
        TRAINING,
        "fit.patience",
        int,
        Option(help="Stop when NDCG@10 has not risen for so many epochs; 0: never."),
    ),
    "seed": (TRAINING, "seed", int, Option(help="The same seed gives the same numbers.")),
}


def _with_default(path: str, option: OptionInfo, defaults: Mapping[str, Any]) -> OptionInfo:
    known = {**Settings().paths(), **defaults}
    usual = known.get(path, known.get(f"{path}.{NAME}"))
    option = copy.copy(option)
    option.show_default = False
    if usual is not None:
        option.help = f"{option.help} Default: {usual}."
    return option


def with_settings(
    without: Collection[str] = (), presets: bool = False, **defaults: Any
) -> Callable[[Command], Command]:
    """Give a command the log and the options of settings, after its own options.

    Parameters
    ----------
    without
        Flags that the command does not have.
    presets
        Whether it has `--preset`; False by default.
    defaults
        Values, by flag, where the command has others than `Settings`.
    """
    flags = {name: flag for name, flag in _FLAGS.items() if name not in without}

    def decorate(command: Command) -> Command:
        own = inspect.signature(command, eval_str=True).parameters
        by_path = {_FLAGS[name][1]: value for name, value in defaults.items()}
        shared = {
            "log": (str | None, _LOG),
            "config": (Path | None, _CONFIG),
            "assignments": (list[str] | None, _SET),
            **({"preset": (str | None, _PRESET)} if presets else {}),
        }
        for name, (panel, path, kind, option) in flags.items():
            shared[name] = (kind | None, _with_default(path, option, by_path))
            shared[name][1].rich_help_panel = panel
        parameters = [
            *(one.replace(kind=inspect.Parameter.KEYWORD_ONLY) for one in own.values()),
            *(
                inspect.Parameter(
                    name,
                    inspect.Parameter.KEYWORD_ONLY,
                    default=None,
                    annotation=Annotated[kind, option],
                )
                for name, (kind, option) in shared.items()
            ),
        ]

        @functools.wraps(command)
        def run(**values: Any) -> None:
            command(**{name: values[name] for name in own})

        run.__signature__ = inspect.Signature(parameters)  # type: ignore[attr-defined]
        run.__annotations__ = {one.name: one.annotation for one in parameters}
        run.defaults = by_path  # type: ignore[attr-defined]
        return run

    return decorate


def settings_of(context: typer.Context, base: Settings | None = None) -> Settings:
    """The settings that a command line asks for, made of `base` or else of the defaults.

    A file of settings comes first, then a preset, then what the command line states.
    """
    settings = Settings() if base is None else base
    config, preset = context.params.get("config"), context.params.get("preset")
    if base is None:
        settings = settings.replace(defaults_of(context))
    if config is not None:
        settings = settings.replace(read_settings(config))
    if preset is not None:
        settings = settings.replace(PRESETS[preset])
    settings = settings.replace(_log_of(context)).replace(stated(context))
    if settings.log == Settings().log:
        raise RunError("A log must be given, or a `--config` that names one. Received: none")
    return settings


def defaults_of(context: typer.Context) -> Mapping[str, Any]:
    """The command's own defaults of settings, by their paths."""
    defaults: Mapping[str, Any] = getattr(context.command.callback, "defaults", {})
    return defaults


def _log_of(context: typer.Context) -> dict[str, Any]:
    log = context.params.get("log")
    return {} if log is None else {"log": Settings.of(log).log}


def stated(context: typer.Context) -> dict[str, Any]:
    """The settings that the command line states in so many words, by their paths."""
    flags = {
        path: context.params[name]
        for name, (_, path, _, _) in _FLAGS.items()
        if context.params.get(name) is not None
    }
    return {**flags, **dict(map(assignment, context.params.get("assignments") or []))}


def refuse_idle(context: typer.Context, settings: Settings, searched: Collection[str] = ()) -> None:
    """Raise RunError if the command line states what has no effect beside the other settings.

    Those that are `searched` will have other values.
    """
    given = stated(context)
    for path, beside in idle_settings(settings).items():
        if path in given and beside.partition("=")[0] not in searched:
            raise RunError(
                f"`{path}` has no effect with {beside}: leave it out, or choose otherwise. "
                f"Received: {path}={given[path]!r}"
            )


def is_stated(context: typer.Context, name: str) -> bool:
    """Whether the command line gives a parameter in so many words."""
    source = context.get_parameter_source(name)
    return source is not None and source.name == "COMMANDLINE"
