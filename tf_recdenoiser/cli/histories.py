"""Histories typed on a command line."""

from __future__ import annotations

import contextlib
import json
from typing import Annotated, NamedTuple

import numpy as np
import polars as pl
from typer import Option

from tf_recdenoiser.cli.console import errors, note
from tf_recdenoiser.data.times import iso_seconds
from tf_recdenoiser.runs import Run, RunError

UserOption = Annotated[
    str | None,
    Option("--user", help="The user's id as in the log, for backbones that know users."),
]
TimesOption = Annotated[
    str | None,
    Option(
        "--times",
        help="When each interaction happened, as seconds since 1970 or as dates in ISO 8601, "
        "separated by commas, for backbones that read times.",
    ),
]
DislikedOption = Annotated[
    list[str] | None,
    Option(
        "--disliked",
        help="Items of the history that the user disliked, given as in `--history`, for runs that "
        "looked for noise.",
        show_default=False,
    ),
]
LikedOption = Annotated[
    list[str] | None,
    Option("--liked", help="Items of the history that the user liked.", show_default=False),
]
_HISTORY = Option(
    "--history",
    help="Item ids as in the log, oldest first: `ID,ID,…`, or a JSON list. Given several times, "
    "each is one id, commas included.",
    show_default=False,
)
HistoryOption = Annotated[list[str], _HISTORY]
OptionalHistory = Annotated[list[str] | None, _HISTORY]


class History(NamedTuple):
    """A history that was typed: raw item ids, some of them known, and what is given of each.

    `disliked` is 1 for an item that the user disliked, 0 for one they liked, and NaN for others.
    """

    ids: list[str | int]
    times: np.ndarray | None
    disliked: np.ndarray | None


def parse_history(
    run: Run,
    texts: list[str],
    user: str | None = None,
    times: str | None = None,
    disliked: list[str] | None = None,
    liked: list[str] | None = None,
) -> History:
    """The history in `texts`; ids that the run does not know, and an unknown user, are reported.

    Raises
    ------
    RunError
        If no id is known, `times` are not numbers, or `disliked` and `liked` are not of the history
        or contradict each other.
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
    seconds = None if times is None else _seconds(times)
    return History(raw_ids, seconds, _disliked(raw_ids, disliked, liked))


def _disliked(
    ids: list[str | int], disliked: list[str] | None, liked: list[str] | None
) -> np.ndarray | None:
    """What `--disliked` and `--liked` say of each item, `[L]`; None if they are not given."""
    if disliked is None and liked is None:
        return None
    names = np.array([str(raw) for raw in ids])
    known = np.full(len(ids), np.nan, np.float32)
    for option, texts, level in (("--disliked", disliked, 1.0), ("--liked", liked, 0.0)):
        for raw in map(str, _ids(texts or [])):
            places = names == raw
            if not places.any():
                raise RunError(f"`{option}` must name items of the history. Received: {raw!r}")
            if (known[places] == 1.0 - level).any():
                raise RunError(
                    "An item must be in one of `--disliked` and `--liked` alone. "
                    f"Received: {raw!r} in both"
                )
            known[places] = level
    return known


def _ids(texts: list[str]) -> list[str | int]:
    """The ids that an option gives: a list in one text, or one in each of several."""
    if len(texts) != 1:
        return [text.strip() for text in texts]
    with contextlib.suppress(ValueError):
        found = json.loads(texts[0])
        if isinstance(found, list):
            return found
    return [*_parts(texts[0])]


def _parts(text: str) -> list[str]:
    return [part.strip() for part in text.split(",") if part.strip()]


def _seconds(text: str) -> np.ndarray:
    """Times in seconds since 1970, of numbers and of dates."""
    parts = _parts(text)
    texts = pl.Series(parts, dtype=pl.String)
    times = texts.cast(pl.Float64, strict=False).fill_null(iso_seconds(texts))
    if times.null_count() or not times.is_finite().all():
        raise RunError(
            "`--times` must be seconds since 1970, or dates in ISO 8601, such as "
            f"2024-05-17T08:30. Received: {text!r}"
        )
    return times.to_numpy()
