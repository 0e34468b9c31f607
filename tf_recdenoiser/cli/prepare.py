"""`tf-recdenoiser prepare`."""

from __future__ import annotations

import contextlib
import dataclasses
from collections.abc import Callable
from pathlib import Path
from typing import Annotated

import typer
from typer import Option

from tf_recdenoiser._files import check_folder
from tf_recdenoiser._settings import NAME
from tf_recdenoiser.cli.console import JsonOption, counting, errors, note, print_json
from tf_recdenoiser.cli.engines import HERE, EngineOption, EngineOptionsOption, engine_of
from tf_recdenoiser.cli.options import OF_DATA, settings_of, with_settings
from tf_recdenoiser.data import PreparedDataset, prepare_files
from tf_recdenoiser.runs import RunError, Settings
from tf_recdenoiser.runs.settings import SYNTHETIC


@with_settings(only=OF_DATA)
def prepare(
    context: typer.Context,
    out: Annotated[Path, Option(help="The folder to write.")],
    shards: Annotated[
        int | None,
        Option(
            min=1,
            help="Parts of about as many users; one for each 16 MB of the log if left out.",
            show_default=False,
        ),
    ] = None,
    engine: EngineOption = HERE,
    engine_options: EngineOptionsOption = "",
    json: JsonOption = False,
) -> None:
    """Write a log's sequences into a folder, which `train` then takes in the place of the log.

    For logs of many files, such as `'logs/*.parquet'`, that are too large for memory: each file is
    read and checked by itself, and so is each shard of users. If it is interrupted, the same
    command goes on where it was. A run on the folder is the run on the log, bit for bit.

    `tf-recdenoiser prepare 'logs/*.parquet' --out data/clicks`, then
    `tf-recdenoiser train data/clicks --out runs/first`.
    """
    settings = settings_of(context)
    if settings.log == Settings().log or settings.log.name == SYNTHETIC:
        raise RunError(
            "The files of a log must be given, or a `--config` that names them. "
            f"Received: {'none' if settings.log == Settings().log else SYNTHETIC}"
        )
    does = engine_of(engine, engine_options)
    check_folder(out)
    reading = {name: value for name, value in vars(settings.log).items() if name != NAME}
    path, k_core, _ = (reading.pop(name) for name in ("path", "k_core", "stream"))
    with _Bars() as observer:
        try:
            manifest = prepare_files(path, out, k_core, shards, does, observer, **reading)
        except KeyboardInterrupt:
            note("Interrupted. The same command goes on where it was.", errors)
            raise
        except ValueError as error:
            raise RunError(str(error)) from error
    if json:
        print_json({"folder": str(out), **dataclasses.asdict(manifest)})
        return
    note(PreparedDataset(out).describe())
    note(f"It lies in {out}: tf-recdenoiser train {out} --out runs/first")


class _Bars(contextlib.ExitStack):
    """Shows a bar for each stage of a preparation."""

    _advance: Callable[[int], None]

    def begin(self, what: str, count: int) -> None:
        self.close()
        self._advance = self.enter_context(counting(what, count))

    def advance(self) -> None:
        self._advance(1)
