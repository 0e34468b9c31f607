"""`tf-recdenoiser explain`."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any, NamedTuple

import numpy as np
import tensorflow as tf
from rich.table import Table
from rich.text import Text
from typer import Argument, Option

from tf_recdenoiser.cli.console import (
    JsonOption,
    errors,
    item_column,
    note,
    output,
    print_json,
    title_column,
)
from tf_recdenoiser.cli.device import computes
from tf_recdenoiser.cli.histories import (
    DislikedOption,
    HistoryOption,
    LikedOption,
    TimesOption,
    UserOption,
    parse_history,
)
from tf_recdenoiser.noise import Cleaning, Detection
from tf_recdenoiser.runs import Run, RunError, load_run
from tf_recdenoiser.runs.scoring import Inputs

_PICTURES = (".png", ".svg", ".pdf")


@computes
def explain(
    run: Annotated[Path, Argument(help="A run directory that `train` wrote.")],
    history: HistoryOption,
    user: UserOption = None,
    times: TimesOption = None,
    disliked: DislikedOption = None,
    liked: LikedOption = None,
    json: JsonOption = False,
    picture: Annotated[
        Path | None,
        Option(
            help="Also draw the history before and after it is cleaned or softened: a file such as "
            "`history.png`, `.svg` or `.pdf`. For runs that looked for noise."
        ),
    ] = None,
) -> None:
    """Show what each layer kept of a history, and what is probably noise or was disliked.

    For each item and layer: how much of the attention that the newest position pays to the
    item passes its gate, from 0 (pruned) to 1, in the history that recommendations start from:
    what is left out of it as noise is kept in no layer. For runs that looked for noise: the
    probability that an item is noise, by how well it fits what stands around it (`train
    --detector context`), or that the user disliked it, by what is known of dislikes (`train
    --detector feedback`).
    """
    loaded = load_run(run)
    if picture is not None:
        _check_picture(picture, loaded)
    typed = parse_history(loaded, history, user, times, disliked, liked)
    past = loaded.history(typed.ids, typed.times, typed.disliked)
    inputs = loaded.inputs(past.items, user, past.times)
    length = loaded.settings.model.max_length
    codes, known = past.items[-length:], past.last_disliked(length)
    found = loaded.explain(inputs, known)
    judged = judge(loaded, inputs, known)
    kept = found.kept_per_layer[0, :, -len(codes) :].T
    items = loaded.item_ids[codes - 1].tolist()
    rows = [
        {"item": item, "kept": [float(value) for value in values]}
        for item, values in zip(items, kept, strict=True)
    ]
    if loaded.titles is not None:
        for row, title in zip(rows, loaded.titles[codes - 1].tolist(), strict=True):
            row["title"] = title
    if judged is not None:
        for row, probability, stays in zip(rows, judged.noise, judged.stays, strict=True):
            row |= {"noise": float(probability), "stays": bool(stays)}
        if picture is not None:
            draw_history(picture, [row.get("title") or str(row["item"]) for row in rows], judged)
            note(f"The picture is {picture}.", errors)
    if json:
        print_json(rows)
        return
    gated = bool(loaded.recommender.gate_layers)
    if not gated:
        note("This run has no gates: what is not left out is kept in every layer.")
    if gated or judged is not None:
        output.print(_table(rows, kept.shape[1] if gated else 0, loaded.detection))
        note("Oldest item first; the last row is the newest item.")


def _check_picture(path: Path, run: Run) -> None:
    if run.detection is None:
        raise RunError(
            "`--picture` shows what is noise: train with `--detector context` for it. Received: "
            f"{run.directory.path}, a run that did not look for noise"
        )
    if path.suffix not in _PICTURES:
        raise RunError(f"`--picture` must end in {', '.join(_PICTURES)}. Received: {path}")


class Judged(NamedTuple):
    """What a run makes of the L items of one history.

    Attributes
    ----------
    noise
        P(noise) of each, `[L]`.
    stays
        Which of them recommendations start from, bool `[L]`.
    above
        The probability above which an item is left out; None where items are softened.
    """

    noise: np.ndarray
    stays: np.ndarray
    above: float | None


def judge(run: Run, inputs: Inputs, disliked: np.ndarray | None = None) -> Judged | None:
    """What is probably noise in the one history of `inputs`; None if noise was not looked for.

    `disliked` is what is known of it, as `Run.noise_scores` has it.
    """
    item_ids, treatment = inputs["item_ids"], run.settings.treatment
    noise = run.noise_scores(item_ids, disliked)
    if noise is None:
        return None
    stays = treatment.stays(tf.constant(item_ids), tf.constant(noise)).numpy()
    above = treatment.above if isinstance(treatment, Cleaning) else None
    return Judged(noise[item_ids > 0], stays[item_ids > 0], above)


def draw_history(
    path: Path, items: list[str], judged: Judged, known: np.ndarray | None = None
) -> None:
    """Write the picture of a history that is cleaned, or softened where nothing is left out.

    Which items are noise may be `known`, bool `[L]`.
    """
    # Imported here since matplotlib takes a second.
    from tf_recdenoiser.reports import history_figure

    stays = None if judged.above is None else judged.stays
    history_figure(items, judged.noise, stays, judged.above, known).savefig(path, dpi=100)


def _table(rows: list[dict[str, Any]], layers: int, detection: Detection | None) -> Table:
    names = [f"layer {index + 1}" for index in range(layers)]
    if detection is not None:
        names.append("disliked" if detection.scorer.reads_feedback else "noise")
    titled = any("title" in row for row in rows)
    table = Table(item_column(), *([title_column()] if titled else []), *names)
    for row in rows:
        gone = Text("pruned" if row.get("stays", True) else "left out", "red")
        cells = [f"{v:.2f}" if v > 0 else gone for v in row["kept"][:layers]]
        if detection is not None:
            cells.append(Text(f"{row['noise']:.2f}", "" if row["stays"] else "red"))
        table.add_row(str(row["item"]), *([row["title"]] if titled else []), *cells)
    return table
