"""`tf-recdenoiser report`."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

from typer import Argument, Option

from tf_recdenoiser._files import check_folder
from tf_recdenoiser.cli.console import JsonOption, busy, errors, note, output, print_json
from tf_recdenoiser.cli.device import computes
from tf_recdenoiser.runs import RunError, load_run


@computes
def report(
    run: Annotated[Path, Argument(help="A run directory that `train` wrote.")],
    out: Annotated[
        Path | None,
        Option(help="The HTML file. Default: `report.html` in the run directory."),
    ] = None,
    json: JsonOption = False,
) -> None:
    """Write a page about a trained run: how good it is, what it keeps, and what it drops.

    One HTML file that needs nothing but a browser: test metrics, training curves, what the gates
    keep, attention with and without them, what was taken for noise and why, and for whom and for
    which items it works. What does not apply to a run is left out. The run's data are read again
    from where they lay.
    """
    # Imported here since Matplotlib takes a second.
    from tf_recdenoiser.reports.run_report import write_run_report

    path = run / "report.html" if out is None else out
    if path.is_dir():
        raise RunError(
            f"`--out` must be a file, such as report.html. Received: {path}, which is a folder"
        )
    with busy(f"Looking at {run}"):
        loaded = load_run(run)
        check_folder(path.parent)
        sections = write_run_report(loaded, path)
    if json:
        print_json(
            {
                "run": str(run),
                "page": str(path),
                **{section.name: section.numbers for section in sections},
            }
        )
    note(f"The page is {path}.", errors if json else output)
