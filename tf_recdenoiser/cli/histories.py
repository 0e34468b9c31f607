"""Histories typed on a command line."""

from __future__ import annotations

from typing import Annotated

import numpy as np
from typer import Option

from tf_recdenoiser.cli.console import errors, note
from tf_recdenoiser.runs import Run, RunError
from tf_recdenoiser.runs.scoring import Inputs

UserOption = Annotated[
    str | None,
    Option("--user", help="The user's id as in the log, for backbones that know users."),
]
TimesOption = Annotated[
    str | None,
    Option(
        "--times",
        help="When each interaction happened, in the log's unit and separated by commas, for "
        "backbones that read times.",
    ),
]
HistoryOption = Annotated[
    str, Option("--history", help="Item ids as in the log, oldest first: `ID,ID,…`.")
]


def parse_history(
    run: Run, text: str, user: str | None = None, times: str | None = None
) -> tuple[np.ndarray, Inputs]:
    """The codes of the known ids in `text`, `[L]`, and what the model reads of them.

    Unknown ids are reported.

    Raises
    ------
    RunError
        If no id is known, `times` are not numbers, or `Run.inputs` refuses something.
    """
    raw_ids = _parts(text)
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
    if user is not None and run.user_ids is not None and user not in map(str, run.user_ids):
        note(f"Taken for a user who is not known, since the model has no {user}.", errors)
    inputs = run.inputs(codes, user, None if times is None else _numbers(times))
    return codes[codes > 0], inputs


def _parts(text: str) -> list[str]:
    return [part.strip() for part in text.split(",") if part.strip()]


def _numbers(text: str) -> np.ndarray:
    try:
        return np.array([float(part) for part in _parts(text)])
    except ValueError as error:
        raise RunError(f"`--times` must be numbers. Received: {text!r}") from error
