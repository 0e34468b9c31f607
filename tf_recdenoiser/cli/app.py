"""The commands, and what happens when one fails."""

from __future__ import annotations

import os
from collections.abc import Sequence
from typing import Annotated

import typer
from rich.text import Text

from tf_recdenoiser import __version__
from tf_recdenoiser._files import FolderError
from tf_recdenoiser.cli.commands import MARKUP, Commands
from tf_recdenoiser.cli.console import errors, note, output

_NAME = "tf-recdenoiser"

app = typer.Typer(
    name=_NAME,
    cls=Commands,
    no_args_is_help=True,
    add_completion=True,
    rich_markup_mode=MARKUP,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)


def _show_version(wanted: bool) -> None:
    if wanted:
        output.print(__version__)
        raise typer.Exit()


@app.callback()
def describe(
    version: Annotated[
        bool,
        typer.Option("--version", callback=_show_version, is_eager=True, help="Show the version."),
    ] = False,
) -> None:
    """Train sequential recommenders that ignore the noise in interaction logs.

    From a log to a served model:

    * `tf-recdenoiser train log.csv --out runs/first` trains, and shows how good it is;
    * `tf-recdenoiser tune log.csv --out runs/tuned` searches for better settings;
    * `tf-recdenoiser recommend runs/first --history ID,ID` recommends;
    * `tf-recdenoiser similar runs/first ID` shows the items most like one;
    * `tf-recdenoiser explain runs/first --history ID,ID` shows what was pruned;
    * `tf-recdenoiser report runs/first` writes a page about what was learned;
    * `tf-recdenoiser serve runs/first` shows all this on a page, and answers over HTTP;
    * `tf-recdenoiser export runs/first --to saved_models/first` writes a SavedModel for
      TensorFlow Serving.

    No log at hand: `tf-recdenoiser demo`.
    """


def run(arguments: Sequence[str] | None = None) -> int:
    """Run one command; the exit status. What a person did wrong is said in one sentence."""
    try:
        # Typer itself turns wrong options into messages and exit status 2, and Ctrl-C into 130.
        status = app(arguments, prog_name=_NAME, standalone_mode=False)
    except Exception as error:
        return _fail(error)
    return status if isinstance(status, int) else 0


def _fail(error: Exception) -> int:
    """Explain what a person can put right; let through what is a fault of ours."""
    if isinstance(error, typer.TyperException):
        error.show()  # type: ignore[attr-defined]  # what Typer raises has it
        if "extra argument" in str(error):
            note("Several files are one argument: a pattern in quotes, as 'logs/*.csv'.", errors)
        return error.exit_code
    if os.environ.get("TRACEBACK") or not isinstance(error, (ValueError, RuntimeError, OSError)):
        raise error
    errors.print(Text("Error:", "bold red"), str(error), soft_wrap=True, highlight=False)
    # Whoever raised one of these has imported them already.
    from tf_recdenoiser.data import DataError
    from tf_recdenoiser.runs import RunError, SettingsError

    if not isinstance(error, (DataError, FolderError, RunError, SettingsError)):
        note("(With TRACEBACK=1 in the environment, where it was raised is shown.)", errors)
    return 1
