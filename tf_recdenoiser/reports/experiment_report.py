"""The page of an experiment."""

from __future__ import annotations

import functools
import math
from collections.abc import Callable, Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.ticker import NullFormatter

from tf_recdenoiser.experiments import (
    Comparison,
    Curve,
    Experiment,
    Gains,
    Line,
    Plot,
    Results,
    Values,
)
from tf_recdenoiser.reports.page import write_page
from tf_recdenoiser.reports.pictures import COLOURS, MARKERS, drawing, new_figure
from tf_recdenoiser.reports.sections import Picture, Section, Table

_HOW = (
    "Mean ± standard deviation over seeds. The gain is that over the baseline, with its 95 % "
    "confidence interval in brackets: over seeds by Student's t, or over users where there is one "
    "seed. p: of paired t-tests, over seeds and over users."
)


def write_experiment_report(
    experiment: Experiment, results: Results, tasks: int, path: Path
) -> None:
    """Write what came out of an experiment as one HTML file.

    Parameters
    ----------
    experiment, results
        What was asked, and what there is of it.
    tasks
        How many trainings it has in all.
    path
        Of the file.
    """
    done = len({(row.data, row.trial.name, row.seed) for row in results.rows})
    about = experiment.about
    if done < tasks:
        about += f"\n\nNot finished: {done} of {tasks} trainings are done."
    sections = [
        section for data in results.subjects for section in _sections(experiment, results, data)
    ]
    values = {
        "title": experiment.title,
        "about": about,
        "sections": sections,
        "origin": _origin(results),
    }
    write_page(path, "page.html", values)


def _sections(experiment: Experiment, results: Results, data: str) -> Iterator[Section]:
    lines = results.lines(data)
    of_trials = [line for line in lines if set(line.factors) == set(line.trial.factors)]
    yield Section(
        "results",
        data,
        _described(results, data),
        pictures=[one for plot in experiment.plots for one in _pictures(plot, lines, data)],
        tables=[_table(experiment, of_trials)] if of_trials else [],
        note=_HOW,
    )
    others = [line for line in lines if line not in of_trials]
    if others:
        tables = [_table(experiment, group) for group in _alike(others)]
        yield Section("besides", f"{data}: what was measured besides", "", tables=tables)


def _alike(lines: Iterable[Line]) -> list[list[Line]]:
    """Lines that are told apart by the same factors, together."""
    groups: dict[tuple[str, ...], list[Line]] = {}
    for line in lines:
        groups.setdefault(tuple(line.factors), []).append(line)
    return list(groups.values())


def _described(results: Results, data: str) -> str:
    row = next(one for one in results.rows if one.data == data)
    found = row.directory.metrics()["data"]
    return (
        f"{found['users']:,} users, {found['items']:,} items, {found['interactions']:,} "
        f"interactions (sha256 {found['sha256'][:8]})."
    )


def _table(experiment: Experiment, lines: Sequence[Line]) -> Table:
    """A row for each line; columns in which nothing would stand are left out."""
    columns: dict[str, list[str]] = {"method": [line.name for line in lines]}
    columns["over"] = [_over(line) for line in lines]
    columns["seeds"] = [str(len(line.seeds)) for line in lines]
    for metric in dict.fromkeys(name for line in lines for name in line.means):
        columns[metric] = [_mean(line, metric) for line in lines]
        compared = [line.comparisons.get(metric) if line.is_compared else None for line in lines]
        columns[f"gain in {metric}"] = ["" if one is None else _gain(one) for one in compared]
        columns[f"p of {metric}"] = ["" if one is None else _p_values(one) for one in compared]
        claims = [experiment.claims.get(line.trial.method, {}).get(metric) for line in lines]
        columns[f"the paper's gain in {metric}"] = [
            "" if claim is None else f"{claim:+.2f} %" for claim in claims
        ]
    shown = {name: cells for name, cells in columns.items() if any(cells)}
    return Table(list(shown), [*zip(*shown.values(), strict=True)])


def _over(line: Line) -> str:
    return (line.trial.baseline or "") if line.is_compared else ""


def _mean(line: Line, metric: str) -> str:
    if metric not in line.means:
        return ""
    values = line.means[metric]
    spread = f" ± {np.std(values, ddof=1):.4f}" if len(values) > 1 else ""
    return f"{np.mean(values):.4f}{spread}"


def _p_values(one: Comparison) -> str:
    """Those over seeds and over users; empty where there is neither."""
    if math.isnan(one.p_value) and math.isnan(one.user_p_value):
        return ""
    return f"{_p(one.p_value)}, {_p(one.user_p_value)}"


def _gain(one: Comparison) -> str:
    if math.isnan(one.gain):
        return ""
    low, high = one.gain_interval
    interval = "" if math.isnan(low) else f" [{low:+.1f}, {high:+.1f}]"
    return f"{one.gain:+.1f} %{interval}"


def _p(value: float) -> str:
    """A p-value, or a dash where there are too few to have one."""
    if math.isnan(value):
        return "–"
    return "< 0.001" if value < 0.001 else f"{value:.3f}"


def _pictures(plot: Plot, lines: Sequence[Line], data: str) -> Iterator[Picture]:
    for metric in plot.metrics:
        known = [line for line in lines if metric in line.means]
        draw: Callable[..., Picture]
        match plot:
            case Curve(x=x):
                shown = [line for line in known if x in line.factors]
                draw = functools.partial(_curves, plot)
            case Gains():
                shown = [one for one in known if one.is_compared and metric in one.comparisons]
                draw = _gains
            case Values(log=log):
                shown, draw = known, functools.partial(_values, log)
        if shown:
            yield draw(metric, shown, data)


def _curves(plot: Curve, metric: str, lines: Sequence[Line], data: str) -> Picture:
    groups: dict[str, list[Line]] = {}
    for line in lines:
        name = line.trial.method if plot.by == "method" else str(line.factors.get(plot.by))
        groups.setdefault(name, []).append(line)
    with drawing():
        figure = new_figure(3.2 + 0.18 * math.ceil(len(groups) / 2))
        axes = figure.subplots()
        for number, (name, its) in enumerate(groups.items()):
            _draw_curve(axes, plot, metric, name, its, number)
        if plot.log:
            _logarithmic(axes)
        axes.set(xlabel=plot.x, title=metric)
        figure.legend(loc="outside lower left", ncols=2)
        return Picture.of(figure, f"{metric} over {plot.x} on {data}")


def _draw_curve(
    axes: Axes, plot: Curve, metric: str, name: str, lines: Sequence[Line], number: int
) -> None:
    """A line with a band of a standard deviation over seeds."""
    lines = sorted(lines, key=lambda line: line.factors[plot.x])
    x = [line.factors[plot.x] for line in lines]
    means = np.array([line.means[metric].mean() for line in lines])
    spread = np.array(
        [line.means[metric].std(ddof=1) if len(line.seeds) > 1 else 0.0 for line in lines]
    )
    colour, marker = COLOURS[number % len(COLOURS)], MARKERS[number % len(MARKERS)]
    axes.plot(x, means, color=colour, marker=marker, label=name)
    axes.fill_between(x, means - spread, means + spread, color=colour, alpha=0.15, linewidth=0)


def _gains(metric: str, lines: Sequence[Line], data: str) -> Picture:
    names = [line.name for line in lines]
    found = [line.comparisons[metric] for line in lines]
    places = np.arange(len(lines))[::-1]
    with drawing():
        figure = new_figure(1.1 + 0.24 * len(lines))
        axes = figure.subplots()
        axes.axvline(0, color=COLOURS[7], linewidth=1)
        for place, one in zip(places, found, strict=True):
            low, high = one.gain_interval
            colour = COLOURS[2] if low > 0 else COLOURS[1] if high < 0 else COLOURS[0]
            axes.plot([low, high], [place, place], color=colour, marker="", linewidth=1.5)
            axes.plot([one.gain], [place], color=colour, marker="o")
        axes.set_yticks(places, names)
        axes.set(xlabel="gain over its baseline, %", title=metric)
        axes.grid(visible=False, axis="y")
        caption = (
            "Dots are gains, lines their 95 % confidence intervals; green: above zero, "
            "red: below, blue: neither."
        )
        return Picture.of(figure, f"Gains in {metric} on {data}", caption)


def _values(log: bool, metric: str, lines: Sequence[Line], data: str) -> Picture:
    places = np.arange(len(lines))[::-1]
    with drawing():
        figure = new_figure(1.1 + 0.24 * len(lines))
        axes = figure.subplots()
        for place, line in zip(places, lines, strict=True):
            values = line.means[metric]
            spread = values.std(ddof=1) if len(values) > 1 else 0.0
            axes.errorbar(values.mean(), place, xerr=spread, color=COLOURS[0], fmt="o")
        axes.set_yticks(places, [_short(line) for line in lines])
        if log:
            _logarithmic(axes)
        axes.set(xlabel=metric, title=metric)
        axes.grid(visible=False, axis="y")
        caption = "Dots are means over seeds, lines a standard deviation."
        return Picture.of(figure, f"{metric} on {data}", caption)


def _logarithmic(axes: Axes) -> None:
    """An axis with powers of ten alone, between which other labels would overlap."""
    axes.set_xscale("log")
    axes.xaxis.set_minor_formatter(NullFormatter())


def _short(line: Line) -> str:
    """What distinguishes a line: what was measured of a trial, or else the trial."""
    own = [str(value) for name, value in line.factors.items() if name not in line.trial.factors]
    return ", ".join(own) or line.name


def _origin(results: Results) -> dict[str, str]:
    records = [row.record() for row in results.rows]
    environments = [record["environment"] for record in records]
    commits = sorted({one.get("commit", "no checkout") for one in environments})
    packages = {
        f"{name} {version}"
        for one in environments
        for name, version in one.items()
        if name not in ("keras_in_use", "commit")
    }
    alike = set.intersection(*(set(map(str, _settings(record).items())) for record in records))
    return {
        "Settings that all have": ", ".join(
            f"{path}={value}"
            for path, value in _settings(records[0]).items()
            if str((path, value)) in alike
        ),
        "Seeds": ", ".join(map(str, sorted({row.seed for row in results.rows}))),
        "Commit": ", ".join(commits),
        "Versions": ", ".join(sorted(packages)),
        "All figures": "results.jsonl, beside this page: a JSON object for each training, with its "
        "settings, commit, data fingerprint and seed",
    }


def _settings(record: dict[str, Any]) -> dict[str, Any]:
    """Settings of a row, by path, but for where the data lie."""
    return {
        path: value for path, value in record["settings"].items() if not path.startswith("log.")
    }
