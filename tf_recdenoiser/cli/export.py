"""`tf-recdenoiser export`."""

from __future__ import annotations

import shlex
from pathlib import Path
from typing import Annotated

from rich.console import Console
from typer import Argument, Option

from tf_recdenoiser._files import check_folder
from tf_recdenoiser._settings import default
from tf_recdenoiser.cli.console import busy, note, output
from tf_recdenoiser.cli.device import computes
from tf_recdenoiser.retrieval import export_saved_model, prune_versions
from tf_recdenoiser.runs import load_run


@computes
def export(
    run: Annotated[Path, Argument(help="A run directory that `train` wrote.")],
    to: Annotated[Path, Option(help="Directory of the model, such as `saved_models/NAME`.")],
    version: Annotated[
        int | None,
        Option(min=1, help="Version number; one more than the highest there, if not given."),
    ] = None,
    max_k: Annotated[
        int, Option(min=1, help="The most items that a history is answered with.")
    ] = default(export_saved_model, "max_k"),
    keep: Annotated[
        int | None,
        Option(min=1, help="Leave so many versions, the new one included; all, if not given."),
    ] = None,
) -> None:
    """Write a SavedModel that TensorFlow Serving loads, as the next version of a model.

    Signatures: `serving_default` recommends, `explain` tells how much of each history item
    was kept. Histories are raw ids, as in the log. `models.config` and `batching.config`,
    beside the versions, are for the server's command line, and yours to edit.
    """
    export_and_show(run, to, version, max_k, keep)


def export_and_show(
    run: Path,
    to: Path,
    version: int | None = None,
    max_k: int = default(export_saved_model, "max_k"),
    keep: int | None = None,
    console: Console = output,
) -> Path:
    """Export a run, and say on a console how it is served; what was written."""
    check_folder(to)
    with busy(f"Exporting {run}"):
        loaded = load_run(run)
        written = loaded.export(to, version, max_k)
        pruned = [] if keep is None else prune_versions(written, keep)
    note(f"SavedModel: {written}", console)
    if pruned:
        note(f"Deleted versions: {', '.join(path.name for path in pruned)}", console)
    for how, command in serving_commands(written.parent).items():
        note(f"{how}: {shlex.join(command)}", console)
    return written


def serving_commands(model: Path) -> dict[str, list[str]]:
    """The commands that serve a model over gRPC and REST, with and without a container.

    Parameters
    ----------
    model
        Its directory, absolute.
    """
    mount = f"type=bind,source={model},target=/models/{model.name},readonly"
    ports = ("-p", "8500:8500", "-p", "8501:8501")
    served = (f"--model_name={model.name}", f"--model_base_path={model}")
    return {
        "Serve it": ["tensorflow_model_server", "--port=8500", "--rest_api_port=8501", *served],
        "In a container": [
            *("docker", "run", "--rm", *ports, "--mount", mount, "tensorflow/serving"),
            f"--model_config_file=/models/{model.name}/models.config",
        ],
    }
