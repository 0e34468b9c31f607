"""`tf-recdenoiser explain`."""

from __future__ import annotations

import importlib.util
from pathlib import Path
from typing import Annotated, Any

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
    noise = loaded.noise_scores(inputs["item_ids"], known)
    kept = found.kept_per_layer[0, :, -len(codes) :].T
    items = loaded.item_ids[codes - 1].tolist()
    rows = [
        {"item": item, "kept": [float(value) for value in values]}
        for item, values in zip(items, kept, strict=True)
    ]
    if loaded.titles is not None:
        for row, title in zip(rows, loaded.titles[codes - 1].tolist(), strict=True):
            row["title"] = title
    if noise is not None:
        stays = loaded.settings.treatment.stays(
            tf.constant(inputs["item_ids"]), tf.constant(noise)
        ).numpy()
        for row, probability, kept_one in zip(
            rows, noise[0, -len(codes) :], stays[0, -len(codes) :], strict=True
        ):
            row |= {"noise": float(probability), "stays": bool(kept_one)}
    if picture is not None:
        treatment = loaded.settings.treatment
        _draw(picture, rows, treatment.above if isinstance(treatment, Cleaning) else None)
    if json:
        print_json(rows)
        return
    gated = bool(loaded.recommender.gate_layers)
    if not gated:
        note("This run has no gates: what is not left out is kept in every layer.")
    if gated or loaded.detection is not None:
        output.print(_table(rows, kept.shape[1] if gated else 0, loaded.detection))
        note("Oldest item first; the last row is the newest item.")


def _check_picture(path: Path, run: Run) -> None:
    if run.detection is None:
        raise RunError(
            "`--picture` shows what is noise: train with `--detector context` for it. Received: "
            f"{run.directory.path}, a run that did not look for noise"
        )
    if importlib.util.find_spec("matplotlib") is None:
        raise RunError(
            "`--picture` needs matplotlib: install tf_recdenoiser[plots]. Received: an "
            "environment without it"
        )
    if path.suffix not in _PICTURES:
        raise RunError(f"`--picture` must end in {', '.join(_PICTURES)}. Received: {path}")


def _draw(path: Path, rows: list[dict[str, Any]], above: float | None) -> None:
    """The picture of a history that is cleaned, or softened where nothing is left out."""
    # Imported here since matplotlib is an extra.
    from tf_recdenoiser.reports import history_figure

    noise = np.array([row["noise"] for row in rows])
    items = [row.get("title") or str(row["item"]) for row in rows]
    stays = None if above is None else np.array([row["stays"] for row in rows])
    history_figure(items, noise, stays, above).savefig(path, dpi=100)
    note(f"The picture is {path}.", errors)


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
