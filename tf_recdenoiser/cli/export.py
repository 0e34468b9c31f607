"""`tf-recdenoiser export`."""

from __future__ import annotations

import shlex
from pathlib import Path
from typing import Annotated

from typer import Argument, Option

from tf_recdenoiser.cli.console import busy, note
from tf_recdenoiser.retrieval import export_saved_model
from tf_recdenoiser.runs import load_run


def export(
    run: Annotated[Path, Argument(help="A run directory that `train` wrote.")],
    to: Annotated[Path, Option(help="Directory of the model, such as `saved_models/NAME`.")],
    version: Annotated[
        int | None,
        Option(min=1, help="Version number; one more than the highest there, if not given."),
    ] = None,
) -> None:
    """Write a SavedModel that TensorFlow Serving loads, as the next version of a model.

    Signatures: `serving_default` recommends, `explain` tells how much of each history item
    was kept. Histories are raw ids, as in the log.
    """
    with busy(f"Exporting {run}"):
        loaded = load_run(run)
        written = export_saved_model(
            loaded.recommender,
            loaded.item_ids,
            to,
            version,
            noise=loaded.detection.scorer if loaded.detection else None,
            cleaning=loaded.settings.cleaning,
            user_ids=loaded.user_ids,
        )
    note(f"SavedModel: {written}")
    command = [f"--model_name={written.parent.name}", f"--model_base_path={written.parent}"]
    note(f"Serve it: tensorflow_model_server {shlex.join(command)}")
