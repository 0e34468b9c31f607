"""Histories typed on a command line."""

from __future__ import annotations

import contextlib
import json
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
        help="When each interaction happened, in seconds since 1970 and separated by commas, for "
        "backbones that read times.",
    ),
]
HistoryOption = Annotated[
    list[str],
    Option(
        "--history",
        help="Item ids as in the log, oldest first: `ID,ID,…`, or a JSON list. Given several "
        "times, each is one id, commas included.",
    ),
]


def parse_history(
    run: Run, texts: list[str], user: str | None = None, times: str | None = None
) -> tuple[np.ndarray, Inputs]:
    """The codes of the known ids in `texts`, `[L]`, and what the model reads of them.

    Unknown ids are reported.

    Raises
    ------
    RunError
        If no id is known, `times` are not numbers, or `Run.inputs` refuses something.
    """
    raw_ids = _ids(texts)
    try:
        codes = run.codes(raw_ids)
    except TypeError as error:
        raise RunError(f"`--history` cannot be used. {error}") from error
    unknown = [raw for raw, code in zip(raw_ids, codes, strict=True) if code == 0]
    if len(unknown) == len(raw_ids):
        some = ", ".join(str(raw) for raw in run.item_ids[:3].tolist())
        raise RunError(
            f"`--history` must name at least one item of the log, such as {some}. "
            f"Received: {', '.join(map(repr, texts))}"
        )
    if unknown:
        note(f"Ignored, since the log has no such items: {', '.join(map(str, unknown))}", errors)
    if user is not None and run.user_ids is not None and user not in map(str, run.user_ids):
        note(f"Taken for a user who is not known, since the model has no {user}.", errors)
    inputs = run.inputs(codes, user, None if times is None else _numbers(times))
    return codes[codes > 0], inputs


def _ids(texts: list[str]) -> list[str | int]:
    """The ids that `--history` gives: a list in one text, or one in each of several."""
    if len(texts) > 1:
        return [text.strip() for text in texts]
    with contextlib.suppress(ValueError):
        found = json.loads(texts[0])
        if isinstance(found, list):
            return found
    return [*_parts(texts[0])]


def _parts(text: str) -> list[str]:
    return [part.strip() for part in text.split(",") if part.strip()]


def _numbers(text: str) -> np.ndarray:
    try:
        times = np.array([float(part) for part in _parts(text)])
    except ValueError as error:
        raise RunError(f"`--times` must be numbers. Received: {text!r}") from error
    if not np.isfinite(times).all():
        raise RunError(f"`--times` must be finite. Received: {text!r}")
    return times
