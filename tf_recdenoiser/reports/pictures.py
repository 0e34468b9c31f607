"""Matplotlib's figures as SVG that stands in a page, light or dark, wide or narrow."""

from __future__ import annotations

import contextlib
import io
import re
import warnings
from collections.abc import Iterator
from typing import Any

import matplotlib as mpl
import numpy as np
from cycler import cycler
from markupsafe import Markup
from matplotlib.colors import LinearSegmentedColormap
from matplotlib.figure import Figure

COLOURS = ("#3b78c3", "#d1495b", "#2a9d6f", "#c98a1b", "#8a63c9", "#4aa3b5", "#b05f9e", "#8a8f3c")
"""Of lines and dots: to be told apart on white and on black, and by the colour-blind."""

MARKERS = ("o", "s", "^", "D", "v", "P", "X", "*")
"""Of the same lines, for those who see no colours."""

WIDTH = 4.4
"""Inches of a figure across: its text is still readable on a telephone."""

HEAT = LinearSegmentedColormap.from_list(
    "heat", [(*mpl.colors.to_rgb(COLOURS[0]), a) for a in (0, 1)]
)
"""From nothing at all, so that the page shows through, to a full colour."""

KEPT = LinearSegmentedColormap.from_list(
    "kept",
    [
        (*mpl.colors.to_rgb(colour), opacity)
        for colour, opacity in (
            (COLOURS[1], 1),
            (COLOURS[1], 0.25),
            (COLOURS[0], 0.25),
            (COLOURS[0], 1),
        )
    ],
)
"""Red up to the middle, blue above, the fainter the nearer to it."""

# Colours that no figure has otherwise, and what the page has in their place.
_TEXT, _LINES = "#010203", "#040506"
_STYLE = {
    "svg.fonttype": "none",
    "svg.hashsalt": "tf_recdenoiser",
    "font.family": "sans-serif",
    "font.size": 9,
    "axes.prop_cycle": cycler(color=COLOURS, marker=MARKERS),
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.grid": True,
    "axes.titlesize": 10,
    "axes.titlelocation": "left",
    "axes.axisbelow": True,
    "lines.markersize": 4,
    "legend.frameon": False,
    "legend.fontsize": 8,
    **dict.fromkeys(
        ("text.color", "axes.labelcolor", "xtick.color", "ytick.color", "axes.titlecolor"), _TEXT
    ),
    **dict.fromkeys(("axes.edgecolor", "grid.color"), _LINES),
}


@contextlib.contextmanager
def drawing() -> Iterator[None]:
    """Figures that are made within look alike."""
    with mpl.rc_context(_STYLE):
        yield


def new_figure(height: float = 3.0, width: float = WIDTH) -> Figure:
    """An empty figure, so many inches high and wide."""
    return Figure(figsize=(width, height), layout="constrained")


def shortened(text: str, longest: int = 26) -> str:
    """A text of so many characters at most; the end of a longer one is "…".

    Examples
    --------
    >>> shortened("The Lord of the Rings", 10)
    'The Lord…'
    """
    return text if len(text) <= longest else f"{text[: longest - 1].rstrip()}…"


def literal(text: str) -> str:
    r"""A text that Matplotlib shows as it is, where it would take what is between dollars for TeX.

    Examples
    --------
    >>> print(literal("Tea for $2"))
    Tea for \$2
    """
    return text.replace("$", r"\$")


def heat_map(axes: Any, values: np.ndarray, colours: Any, least: float, most: float) -> Any:
    """Values `[n, m]` as squares of colour, row 0 above; NaN is left empty. Gives the image."""
    axes.grid(False)
    # As it is, to be scaled by the browser: it takes the least room.
    return axes.imshow(values, cmap=colours, vmin=least, vmax=most, interpolation="none")


def as_svg(figure: Figure, description: str) -> Markup:
    """The figure as an `<svg>` that takes the width it is given and the page's colours.

    Parameters
    ----------
    figure
        Made within `drawing()`.
    description
        What is to be seen, for those who do not see it.

    Examples
    --------
    >>> with drawing():
    ...     figure = new_figure()
    ...     _ = figure.subplots().plot([1, 2], [3, 4])
    ...     found = as_svg(figure, "a line")
    >>> found.startswith('<svg role="img" aria-label="a line"'), "currentColor" in found
    (True, True)
    """
    with drawing(), warnings.catch_warnings():
        written = io.StringIO()
        # Texts stay texts: the browser has fonts for those that are not in Matplotlib's.
        warnings.filterwarnings("ignore", "Glyph .* missing", UserWarning)
        figure.savefig(written, format="svg", transparent=True, metadata={"Date": None})
    svg = written.getvalue()
    svg = svg[svg.index("<svg") :].replace(_TEXT, "currentColor").replace(_LINES, "var(--lines)")
    label = Markup.escape(description)
    svg = re.sub(r'^<svg[^>]*?viewBox="([^"]*)"[^>]*>', r'<svg viewBox="\1">', svg, count=1)
    head = f'<svg role="img" aria-label="{label}"'
    return Markup(_without_unused_ids(svg).replace("<svg", head, 1))


def _without_unused_ids(svg: str) -> str:
    """Without the ids that nothing in it refers to: several figures in a page have the same."""
    used = set(re.findall(r'(?:url\(#|href="#)([^)"]+)', svg))
    return re.sub(
        r' id="([^"]*)"', lambda found: found.group(0) if found.group(1) in used else "", svg
    )
