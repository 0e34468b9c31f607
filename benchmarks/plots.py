"""Curves of what was measured at several sizes."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from matplotlib.figure import Figure

from benchmarks.reports import Report


def curves(reports: Sequence[Report]) -> dict[str, list[Report]]:
    """The reports of each series, by the name of what changes in it."""
    found: dict[str, list[Report]] = {}
    for report in reports:
        if report.at is not None:
            found.setdefault(report.at[0], []).append(report)
    return found


def plot(reports: Sequence[Report], path: Path) -> None:
    """Draw each series: medians by the size, with the least and the greatest, both logarithmic."""
    series = curves(reports)
    if not series:
        return
    figure = Figure(figsize=(5 * len(series), 4), layout="constrained")
    for axes, (of, members) in zip(
        figure.subplots(1, len(series), squeeze=False)[0], series.items(), strict=True
    ):
        for name in dict.fromkeys(name for one in members for name in one.rows):
            there = [(one.at, one.spreads()[name]) for one in members if name in one.rows]
            sizes = [at[1] for at, _ in there if at is not None]
            medians = [spread.median for _, spread in there]
            below = [spread.median - spread.least for _, spread in there]
            above = [spread.greatest - spread.median for _, spread in there]
            axes.errorbar(sizes, medians, [below, above], marker="o", capsize=2, label=name)
        axes.set(xscale="log", yscale="log", xlabel=of, ylabel=members[0].unit)
        axes.legend(fontsize="x-small")
    figure.savefig(path)
