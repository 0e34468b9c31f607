"""Histories typed on a command line."""

from __future__ import annotations

from typing import Annotated

import numpy as np
from typer import Option

from tf_recdenoiser.cli.console import errors, note
from tf_recdenoiser.runs import Run, RunError

HistoryOption = Annotated[
    str, Option("--history", help="Item ids as in the log, oldest first: `ID,ID,…`.")
]


def parse_history(run: Run, text: str) -> np.ndarray:
    """The codes of the known ids in `text`, `[L]`; unknown ids are reported.

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
        note(f"Ignored, since the log has no such items: {', '.join(unknown)}", errors)
    return codes[codes > 0]
