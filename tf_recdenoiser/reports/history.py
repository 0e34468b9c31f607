"""One history before and after something is done about its noise."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import matplotlib as mpl
import numpy as np
from matplotlib.figure import Figure

from tf_recdenoiser.reports.pictures import COLOURS, literal

_MEANT, _NOISE, _PALE = *COLOURS[:2], "#bbbbbb"


def history_figure(
    items: Sequence[str],
    noise: np.ndarray,
    stays: np.ndarray | None = None,
    above: float | None = None,
    known: np.ndarray | None = None,
) -> Figure:
    """A picture of a history: how probable noise is, and what of it the recommender reads.

    Above, a bar for each item, oldest first, as high as its probability of noise. Below, where
    histories are cleaned, the items that stay, closed up towards the newest, each joined to where
    it stood; where they are softened, a bar as high as the weight that is left of each item.

    Parameters
    ----------
    items
        Names of the L items.
    noise
        P(noise) of each, `[L]`.
    stays
        Which of them stay, bool `[L]`; None (default) where items are softened.
    above
        The probability above which an item is left out: drawn as a line. None (default) for none.
    known
        Which of them are noise, as is known, bool `[L]`: marked with a cross each. None (default)
        where it is not known.

    Examples
    --------
    >>> figure = history_figure(["a", "b"], np.array([0.1, 0.9]), np.array([True, False]), 0.5)
    >>> [axes.get_ylabel() for axes in figure.axes]
    ['P(noise)', '']
    >>> figure = history_figure(["a", "b"], np.array([0.1, 0.9]))
    >>> [axes.get_ylabel() for axes in figure.axes]
    ['P(noise)', 'weight']
    """
    clean_probability = noise <= 0.5 if stays is None else stays
    colours = np.where(clean_probability, _MEANT, _NOISE)
    figure = Figure(figsize=(2 + 0.3 * len(items), 4.2), layout="constrained")
    before, after = figure.subplots(2, 1, sharex=True, height_ratios=[3, 2])
    before.bar(range(len(items)), noise, color=colours)
    if above is not None:
        before.axhline(above, color=_PALE, linewidth=1, linestyle="--", marker="")
    title = "Before: the history as it was logged"
    if known is not None:
        places = np.flatnonzero(known)
        before.scatter(
            places, np.full(len(places), 1.08), marker="x", color=mpl.rcParams["text.color"], s=30
        )
        title += " (×: noise)"
    before.set(ylim=(0, 1.02 if known is None else 1.16), ylabel="P(noise)", title=title)
    before.tick_params(bottom=False, labelbottom=False)
    if stays is None:
        after.bar(range(len(items)), 1 - noise, color=colours)
        after.set(ylim=(0, 1.02), ylabel="weight")
    else:
        _draw_closed_up(after, stays, colours)
    after.set(title="After: what recommendations start from")
    after.set_xticks(range(len(items)), [*map(literal, items)], rotation=90)
    for label, is_meant in zip(after.get_xticklabels(), clean_probability, strict=True):
        label.set_color(mpl.rcParams["text.color"] if is_meant else _NOISE)
    for axes in (before, after):
        axes.grid(False)
        axes.spines[["top", "right", "left", "bottom"]].set_visible(False)
    return figure


def _draw_closed_up(axes: Any, stays: np.ndarray, colours: np.ndarray) -> None:
    """Join what stays to the place where it is read, of the last ones."""
    count, places = len(stays), np.flatnonzero(stays)
    read = np.arange(count - len(places), count)
    axes.scatter(range(count), np.ones(count), marker="s", s=60, color=colours)
    axes.scatter(read, np.zeros(len(places)), marker="s", s=60, color=_MEANT)
    axes.plot([places, read], [0.92, 0.08], color=_PALE, linewidth=1, marker="")
    axes.set(ylim=(-0.4, 1.4))
    axes.set_yticks([1, 0], ["logged", "read"])
