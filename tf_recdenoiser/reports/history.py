"""One history before and after it is cleaned."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from matplotlib.figure import Figure

_MEANT, _NOISE, _PALE = "#4477aa", "#cc3311", "#bbbbbb"


def history_figure(
    items: Sequence[str], noise: np.ndarray, meant: np.ndarray, above: float
) -> Figure:
    """A picture of a history: how probable noise is, and what of it the recommender reads.

    Above, a bar for each item, oldest first, as high as its probability of noise; below, the
    items that stay, closed up towards the newest, each joined to where it stood.

    Parameters
    ----------
    items
        Names of the L items.
    noise
        P(noise) of each, `[L]`.
    meant
        Which of them stay, bool `[L]`.
    above
        The probability above which an item is left out: drawn as a line.

    Examples
    --------
    >>> figure = history_figure(["a", "b"], np.array([0.1, 0.9]), np.array([True, False]), 0.5)
    >>> [axes.get_ylabel() for axes in figure.axes]
    ['P(noise)', '']
    """
    count = len(items)
    figure = Figure(figsize=(2 + 0.3 * count, 4.2), layout="constrained")
    bars, closed = figure.subplots(2, 1, sharex=True, height_ratios=[3, 2])
    colours = np.where(meant, _MEANT, _NOISE)
    bars.bar(range(count), noise, color=colours)
    bars.axhline(above, color=_PALE, linewidth=1, linestyle="--")
    bars.set(ylim=(0, 1.02), ylabel="P(noise)", title="Before: the history as it was logged")
    bars.tick_params(bottom=False, labelbottom=False)

    places = np.flatnonzero(meant)
    after = np.arange(count - len(places), count)
    closed.scatter(range(count), np.ones(count), marker="s", s=60, color=colours)
    closed.scatter(after, np.zeros(len(places)), marker="s", s=60, color=_MEANT)
    closed.plot([places, after], [0.92, 0.08], color=_PALE, linewidth=1)
    closed.set_xticks(range(count), items, rotation=90)
    for label, kept in zip(closed.get_xticklabels(), meant, strict=True):
        label.set_color("black" if kept else _NOISE)
    closed.set_yticks([1, 0], ["logged", "read"])
    closed.set(ylim=(-0.4, 1.4), title="After: what recommendations start from")
    for axes in (bars, closed):
        axes.spines[["top", "right", "left", "bottom"]].set_visible(False)
    return figure
