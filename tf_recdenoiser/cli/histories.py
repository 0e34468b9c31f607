"""Histories typed on a command line."""

from __future__ import annotations

from typing import Annotated

import numpy as np
from typer import Option

from tf_recdenoiser.cli.console import errors
from tf_recdenoiser.runs import Run, RunError

HistoryOption = Annotated[
    str, Option("--history", help="Item ids as in the log, oldest first: `ID,ID,…`.")
]


def parse_history(run: Run, text: str) -> tuple[list[str], np.ndarray]:
    """Raw ids and their codes (0 for unknown ones), `[L]` each; unknown ids are reported.

    Raises
    ------
    RunError
        If no id is known.
    """
    raw_ids = [part.strip() for part in text.split(",") if part.strip()]
    codes = run.codes(raw_ids)
    unknown = [raw for raw, code in zip(raw_ids, codes, strict=True) if code == 0]
    if len(unknown) == len(raw_ids):
        some = ", ".join(str(raw) for raw in run.item_ids[:3].tolist())
        raise RunError(
            f"`--history` must name at least one item of the log, such as {some}. "
            f"Received: {text!r}"
        )
    if unknown:
        errors.print(f"Ignored, since the log has no such items: {', '.join(unknown)}")
    return raw_ids, codes
