"""The commands by name; what is called is imported then, and TensorFlow with it."""

from __future__ import annotations

import ast
import contextlib
import importlib
import os
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import typer
from typer.core import TyperCommand, TyperGroup

COMMANDS = (
    "prepare",
    "train",
    "tune",
    "evaluate",
    "recommend",
    "similar",
    "explain",
    "report",
    "serve",
    "export",
    "settings",
    "demo",
    "experiment",
)
"""In the order of `--help`. That of a name is in the module of that name."""

MARKUP: Any = "markdown"

_NEED_NOTHING = ("settings", "demo")


class Commands(TyperGroup):
    """Knows what `--help` says of each command, and imports the one that is called."""

    def __init__(self, **attributes: Any) -> None:
        known = {name: _described(name) for name in COMMANDS}
        super().__init__(**{**attributes, "commands": known})

    def resolve_command(self, ctx: Any, args: list[str]) -> Any:
        if args[0] in COMMANDS:
            self.commands[args[0]] = _imported(args[0])
        return super().resolve_command(ctx, args)


def _described(name: str) -> TyperCommand:
    """A command that can do nothing, with the docstring of the one of that name."""
    source = Path(__file__).with_name(f"{name}.py").read_text("utf-8")
    functions = {
        node.name: node for node in ast.parse(source).body if isinstance(node, ast.FunctionDef)
    }
    function = functions.get(name) or functions["describe"]
    return TyperCommand(name, help=ast.get_docstring(function), rich_markup_mode=MARKUP)


def _imported(name: str) -> Any:
    """The command of that name."""
    with _quiet_unless_it_fails():
        import tensorflow as tf

        tf.config.list_physical_devices()
    module = importlib.import_module(f"tf_recdenoiser.cli.{name}")
    app = getattr(module, "app", None)
    if app is None:
        app = typer.Typer(add_completion=False, rich_markup_mode=MARKUP)
        app.command(no_args_is_help=name not in _NEED_NOTHING)(getattr(module, name))
    command = typer.main.get_command(app)
    command.name = name
    return command


@contextlib.contextmanager
def _quiet_unless_it_fails() -> Iterator[None]:
    """Hold back what native code writes to standard error, and show it if an error is raised.

    TensorFlow greets every process with lines about missing accelerators that no setting
    silences.
    """
    if "tensorflow" in sys.modules:
        yield
        return
    sys.stderr.flush()
    kept = os.dup(2)
    with tempfile.TemporaryFile() as held_back:
        os.dup2(held_back.fileno(), 2)
        try:
            yield
        except Exception:
            held_back.seek(0)
            os.write(kept, held_back.read())
            raise
        finally:
            os.dup2(kept, 2)
            os.close(kept)
