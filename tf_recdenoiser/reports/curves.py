"""How training went, epoch by epoch."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator

from tf_recdenoiser.reports.pictures import drawing, new_figure
from tf_recdenoiser.reports.sections import Picture, Section
from tf_recdenoiser.reports.subject import Subject
from tf_recdenoiser.runs.recording import best_epoch

Curve = tuple[np.ndarray, np.ndarray]


def curve(history: Sequence[Mapping[str, Any]], name: str) -> Curve:
    """The epochs that have a value of this name, and the values, `[R]` each.

    Examples
    --------
    >>> curve([{"epoch": 1, "loss": 3.0}, {"epoch": 2}, {"epoch": 3, "loss": 2.0}], "loss")
    (array([1, 3]), array([3., 2.]))
    """
    rows = [row for row in history if name in row]
    return np.array([row["epoch"] for row in rows]), np.array([row[name] for row in rows])


def curves_figure(curves: Mapping[str, Curve], label: str, best: int | None = None) -> Figure:
    """Lines by epoch, with names; the best epoch, if it is given, is marked."""
    figure = new_figure(2.6)
    axes = figure.subplots()
    for name, (epochs, values) in curves.items():
        axes.plot(epochs, values, label=name)
    if best is not None:
        axes.axvline(best, color="gray", linewidth=1, linestyle="--", marker="", label="best epoch")
    axes.set(xlabel="epoch", ylabel=label)
    axes.xaxis.set_major_locator(MaxNLocator(integer=True))
    axes.legend()
    return figure


def training_curves(subject: Subject) -> Section | None:
    """Loss, validation and gates by epoch; None for a run of one epoch."""
    history = subject.run.directory.history()
    if len(history) < 2:
        return None
    best = best_epoch(history)
    with drawing():
        pictures = [
            Picture.of(
                curves_figure(curves, label, best if label == "validation" else None),
                f"{', '.join(curves)} by epoch",
                caption,
            )
            for label, caption, names in _panels(history)
            if (curves := _varying(history, names))
        ]
    return Section(
        name="curves",
        title="Training curves",
        about=(
            "An epoch is one pass through the data. The loss, which training makes smaller, should "
            "fall. Validation, on items that training does not see, should rise; once it falls, "
            "the model learns its data by heart. The best epoch by validation is the one in use."
        ),
        numbers={"history": history, "best_epoch": best},
        pictures=pictures,
    )


def _panels(
    history: Sequence[Mapping[str, Any]],
) -> list[tuple[str, str, dict[str, str]]]:
    """What is drawn: the axis, what is said below, and the curves' names by those in the log."""
    layers = sum(name.startswith("density_") for name in history[0])
    penalties = "Parts of the loss that keep attention simple: sparsity, for few open gates"
    return [
        (
            "loss",
            "The loss as a whole, and the part of it that comes from the data.",
            {"loss": "loss", "data": "part of the data"},
        ),
        (
            "validation",
            "On each user's last item but one, among all items.",
            {"val_ndcg@10": "NDCG@10", "val_hit@10": "Hit@10"},
        ),
        (
            "penalty",
            f"{penalties}; Jacobian, for outputs that change little with the inputs.",
            {"sparsity": "sparsity", "jacobian": "Jacobian"},
        ),
        (
            "share of gates",
            "Open: kept with a probability above 1/2. Keep: the mean of these probabilities.",
            {
                f"{kind}_{layer}": f"{name}, layer {layer}"
                for layer in range(1, layers + 1)
                for kind, name in (("density", "open"), ("keep", "keep"))
            },
        ),
    ]


def _varying(history: Sequence[Mapping[str, Any]], names: Mapping[str, str]) -> dict[str, Curve]:
    """The curves that there are, by name: each once, and none that is 0 all along.

    That is a penalty without weight, and where there is none, the data have the whole loss.
    """
    found: dict[str, Curve] = {}
    for name, shown in names.items():
        epochs, values = curve(history, name)
        known = any(np.array_equal(values, other) for _, other in found.values())
        if values.any() and not (known and name == "data"):
            found[shown] = epochs, values
    return found
