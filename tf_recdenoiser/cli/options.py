"""The options that are settings of a run, written once for all commands."""

from __future__ import annotations

import dataclasses
import functools
import inspect
from collections.abc import Callable, Collection, Iterable, Mapping
from pathlib import Path
from typing import Annotated, Any, NamedTuple

import typer
from typer import Argument, Option
from typer.models import OptionInfo

from tf_recdenoiser._settings import NAME, all_paths
from tf_recdenoiser.cli.choices import one_of
from tf_recdenoiser.data.readers import absolute_path
from tf_recdenoiser.runs import PRESETS, RunError, Settings, assignment, read_settings
from tf_recdenoiser.runs.resolve import idle_settings

Command = Callable[..., None]

_LOG = Argument(
    help="An interaction log: CSV (also with tabs, semicolons, `::` or spaces), JSON lines, "
    "Parquet, RecBole `.inter`, `user item` lines, or one line per user with times; packed or not; "
    "several files as a pattern in quotes, `'logs/*.csv'`; or `synthetic`. May be left out where "
    "`--config` names one.",
    show_default=False,
)
_LOGS = Argument(
    metavar="DATA…", help="One or more logs, as `train` takes them.", show_default=False
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


class _Flag(NamedTuple):
    """A setting that has an option of its own: its path, the panel of the help, what is said."""

    path: str
    panel: str
    help: str


_FLAGS = {
    "user_column": _Flag("log.user_column", "Data", "Name of the user column."),
    "item_column": _Flag("log.item_column", "Data", "Name of the item column."),
    "time_column": _Flag("log.time_column", "Data", "Name of the time column."),
    "rating_column": _Flag("log.rating_column", "Data", "Name of the rating column."),
    "feedback_column": _Flag(
        "log.feedback_column", "Data", "Name of a column that says what was disliked."
    ),
    "disliked_below": _Flag("log.disliked_below", "Data", "Feedback below this is disliked."),
    "disliked_above": _Flag("log.disliked_above", "Data", "Feedback above this is disliked."),
    "liked_from": _Flag("log.liked_from", "Data", "From this on it is liked; between, neither."),
    "columns": _Flag(
        "log.columns", "Data", "All columns, where no header names them: `user,item,_,time`."
    ),
    "time_unit": _Flag("log.time_unit", "Data", "Of numeric times."),
    "repeats": _Flag(
        "log.repeats", "Data", "Rows that repeat a user, an item and its time: kept or dropped."
    ),
    "on_bad_row": _Flag("log.on_bad_row", "Data", "What becomes of bad rows."),
    "backbone": _Flag("model.name", "Model", "The sequence encoder."),
    "max_length": _Flag("model.max_length", "Model", "How many newest items it reads."),
    "hidden_dim": _Flag("model.hidden_dim", "Model", "Size of its vectors."),
    "num_layers": _Flag("model.num_layers", "Model", "Transformer blocks."),
    "num_heads": _Flag("model.num_heads", "Model", "Attention heads of a block."),
    "dropout": _Flag("model.dropout", "Model", "Dropout rate."),
    "objective": _Flag("objective.name", "Training", "The loss."),
    "gates": _Flag("gates.name", "Denoising", "Gates on attention."),
    "estimator": _Flag("gates.estimator.name", "Denoising", "Of the gates' gradient."),
    "beta": _Flag("gates.beta", "Denoising", "β, the sparsity weight: more of it prunes more."),
    "gamma": _Flag("model.gamma", "Denoising", "γ, weight of the Jacobian penalty."),
    "detector": _Flag("noise.detector.name", "Denoising", "How noise is found."),
    "correction": _Flag("noise.correction.name", "Denoising", "What is done about noise."),
    "epochs": _Flag("fit.epochs", "Training", "At most so many."),
    "batch_size": _Flag("fit.batch_size", "Training", "Users in a batch."),
    "learning_rate": _Flag("fit.learning_rate", "Training", "Of the weights."),
    "gate_learning_rate": _Flag("gates.learning_rate", "Training", "Of the gates."),
    "patience": _Flag(
        "fit.patience", "Training", "Stop after so many epochs without a higher NDCG@10; 0: never."
    ),
    "precision": _Flag("fit.precision", "Training", "Keras' dtype policy, for accelerators."),
    "targets": _Flag("evaluation.targets", "Training", "Users' items to find."),
    "seed": _Flag("seed", "Training", "The same seed gives the same numbers."),
}


_SETTINGS = all_paths(Settings)
FLAG_OF = {flag.path: name for name, flag in _FLAGS.items()}
"""The flag of each setting that has one."""

OF_DATA = frozenset(name for name, flag in _FLAGS.items() if flag.panel == "Data")
"""The flags that say how a log is read."""


def _option(flag: _Flag, defaults: Mapping[str, Any]) -> tuple[Any, OptionInfo]:
    setting = _SETTINGS[flag.path]
    words = one_of(setting.words, flag.help) if setting.words else {"help": flag.help}
    default = {**Settings().paths(), **defaults}.get(flag.path)
    if default is not None:
        words["help"] += f" Default: {default}."
    return setting.type | None, Option(**words, show_default=False, rich_help_panel=flag.panel)


def with_settings(
    without: Collection[str] = (),
    only: Collection[str] = frozenset(_FLAGS),
    presets: bool = False,
    several: bool = False,
    **defaults: Any,
) -> Callable[[Command], Command]:
    """Give a command the log and the options of settings, after its own options.

    Parameters
    ----------
    without
        Flags that the command does not have.
    only
        Flags that it has, if not `without`; all by default.
    presets
        Whether it has `--preset`; False by default.
    several
        Whether it takes several logs, as `logs`; False by default.
    defaults
        Values, by flag, where the command has others than `Settings`.
    """
    flags = {name: flag for name, flag in _FLAGS.items() if name in only and name not in without}

    def decorate(command: Command) -> Command:
        own = inspect.signature(command, eval_str=True).parameters
        by_path = {_FLAGS[name].path: value for name, value in defaults.items()}
        shared = {
            **({"logs": (list[str], _LOGS)} if several else {"log": (str | None, _LOG)}),
            "config": (Path | None, _CONFIG),
            "assignments": (list[str] | None, _SET),
            **({"preset": (str | None, _PRESET)} if presets else {}),
        }
        shared |= {name: _option(flag, by_path) for name, flag in flags.items()}
        parameters = [
            *(one.replace(kind=inspect.Parameter.KEYWORD_ONLY) for one in own.values()),
            *(
                inspect.Parameter(
                    name,
                    inspect.Parameter.KEYWORD_ONLY,
                    default=inspect.Parameter.empty if name == "logs" else None,
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


def settings_of(
    context: typer.Context, base: Settings | None = None, log: str | None = None
) -> Settings:
    """The settings that a command line asks for, made of `base` or else of the defaults.

    A file of settings comes first, then a preset, then what the command line states. The `log` is
    the command line's by default.
    """
    settings = Settings() if base is None else base
    config, preset = context.params.get("config"), context.params.get("preset")
    if base is None:
        settings = settings.replace(defaults_of(context))
    if config is not None:
        settings = settings.replace(read_settings(config))
    if preset is not None:
        settings = settings.replace(PRESETS[preset])
    log = context.params.get("log") if log is None else log
    if log is not None and absolute_path(log) != absolute_path(settings.source):
        settings = dataclasses.replace(settings, log=Settings.of(log).log)
    return settings.replace(stated(context))


def defaults_of(context: typer.Context) -> Mapping[str, Any]:
    """The command's own defaults of settings, by their paths."""
    defaults: Mapping[str, Any] = getattr(context.command.callback, "defaults", {})
    return defaults


def stated(context: typer.Context) -> dict[str, Any]:
    """The settings that the command line itself states, by their paths."""
    given = [(flag.path, context.params.get(name)) for name, flag in _FLAGS.items()]
    given = [(path, value) for path, value in given if value is not None]
    return once([*given, *map(assignment, context.params.get("assignments") or [])])


def fixed(context: typer.Context) -> set[str]:
    """The paths of the settings that the command line states, or the file that it names."""
    config = context.params.get("config")
    return {*stated(context), *(_paths(read_settings(config)) if config is not None else ())}


def _paths(settings: Mapping[str, Any], before: str = "") -> list[str]:
    """The paths of the settings in a tree of them.

    Examples
    --------
    >>> _paths({"seed": 1, "gates": {"beta": 0.1, "estimator": {"name": "arm"}}})
    ['seed', 'gates.beta', 'gates.estimator.name']
    """
    found = []
    for name, value in settings.items():
        path = f"{before}{name}"
        found += _paths(value, f"{path}.") if isinstance(value, Mapping) else [path]
    return found


def once(given: Iterable[tuple[str, Any]]) -> dict[str, Any]:
    """Values by path; RunError if a path is given twice."""
    found: dict[str, Any] = {}
    for path, value in given:
        path = path.removesuffix(f".{NAME}")
        if path in found:
            raise RunError(
                f"`{path}` must be given once. Received: {path}={found[path]!r} and {value!r}"
            )
        found[path] = value
    return found


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
    """Whether a parameter stands on the command line."""
    source = context.get_parameter_source(name)
    return source is not None and source.name == "COMMANDLINE"
