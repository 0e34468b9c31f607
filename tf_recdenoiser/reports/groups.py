"""For whom a run recommends well, and which items it finds."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence

import numpy as np
from matplotlib.figure import Figure

from tf_recdenoiser.reports.pictures import drawing, new_figure
from tf_recdenoiser.reports.sections import Picture, Section, Table
from tf_recdenoiser.reports.subject import Subject

_METRICS = {"ndcg@10": "NDCG@10", "hit@10": "Hit@10"}
_GROUPS = 4
PARTS = ("head", "middle", "tail")
"""Of a catalogue, the items that are taken most often first."""


@dataclasses.dataclass(frozen=True)
class Mean:
    """A mean over users.

    Attributes
    ----------
    mean
        NaN of no users.
    error
        The standard error, s / sqrt(N); NaN of fewer than two.
    count
        N, how many users.
    """

    mean: float
    error: float
    count: int

    @classmethod
    def of(cls, values: np.ndarray) -> Mean:
        """Of values `[N]`.

        Examples
        --------
        >>> Mean.of(np.array([0.0, 1.0, 1.0, 0.0]))
        Mean(mean=0.5, error=0.28867513459481287, count=4)
        """
        count = len(values)
        error = values.std(ddof=1) / np.sqrt(count) if count > 1 else np.nan
        return cls(float(values.mean()) if count else np.nan, float(error), count)

    def __str__(self) -> str:
        return f"{self.mean:.4f} ± {self.error:.4f}" if self.count else "-"


def quantile_groups(values: np.ndarray, count: int = _GROUPS) -> tuple[np.ndarray, np.ndarray]:
    """About equally large groups of users, by a number of each.

    Equal numbers are in one group, so that there may be fewer groups.

    Parameters
    ----------
    values
        `[E]` whole numbers.
    count
        How many groups at most; 4 by default.

    Returns
    -------
    The group of each user, `[E]`, from 0, and the least and the largest number of each group,
    `[groups, 2]`.

    Examples
    --------
    >>> groups, ranges = quantile_groups(np.array([1, 9, 2, 3, 8, 7]), count=2)
    >>> groups.tolist(), ranges.tolist()
    ([0, 1, 0, 0, 1, 1], [[1, 3], [7, 9]])
    """
    quantiles = np.quantile(values, np.arange(1, count) / count, method="higher")
    _, groups = np.unique(np.searchsorted(quantiles, values, side="right"), return_inverse=True)
    ranges = [[values[groups == g].min(), values[groups == g].max()] for g in np.unique(groups)]
    return groups, np.array(ranges)


def popularity_parts(counts: np.ndarray) -> np.ndarray:
    """The part of the catalogue that each item is in, `[I]`: 0 head, 1 middle, 2 tail.

    The head is made of the items that are taken most often, as few as have a third of all
    interactions; the middle of the next ones, up to two thirds.

    Parameters
    ----------
    counts
        How often each item was taken, `[I]`.

    Examples
    --------
    >>> popularity_parts(np.array([10, 60, 30, 20, 0]))
    array([2, 0, 1, 2, 2])
    """
    order = np.argsort(-counts, kind="stable")
    before = np.cumsum(counts[order]) - counts[order]
    parts = np.empty(len(counts), int)
    # An item is in the part in which its first interaction is; the never taken are in the tail.
    parts[order] = np.minimum(3 * before // max(counts.sum(), 1), 2)
    return parts


def means_figure(means: Sequence[Mean], labels: Sequence[str], axis: str, metric: str) -> Figure:
    """A bar for each group, with two standard errors to each side."""
    figure = new_figure(2.6)
    axes = figure.subplots()
    heights = [one.mean for one in means]
    errors = [2 * one.error if one.count > 1 else 0.0 for one in means]
    axes.bar(labels, heights, 0.6)
    axes.errorbar(labels, heights, errors, fmt="none", ecolor="gray", capsize=4)
    axes.grid(False, axis="x")
    axes.set(xlabel=axis, ylabel=metric, ylim=(0, None))
    return figure


def by_group(subject: Subject) -> Section:
    """NDCG@10 and Hit@10 by how much users did, and by how popular their next item is."""
    result = subject.result
    values = {name: result.per_user(name) for name in _METRICS}
    lengths = subject.histories.lengths[result.rows]
    by_length, ranges = quantile_groups(lengths)
    part = popularity_parts(subject.counts[1:])
    of_target = part[subject.targets[result.rows] - 1]
    activity = [f"{least} to {most}" if least < most else f"{least}" for least, most in ranges]
    groupings = (
        ("activity", "items in the history", activity, by_length),
        ("popularity", "popularity of the next item", list(PARTS), of_target),
    )
    pictures, tables, numbers = [], [], {}
    for name, axis, labels, groups in groupings:
        found = {
            metric: [Mean.of(of_user[groups == g]) for g in range(len(labels))]
            for metric, of_user in values.items()
        }
        with drawing():
            figure = means_figure(found["ndcg@10"], labels, axis, "NDCG@10")
        pictures.append(Picture.of(figure, f"NDCG@10 by {axis}", f"By {axis}."))
        tables.append(_table(axis, labels, found))
        numbers[name] = [
            {"group": label, **{metric: vars(means[g]) for metric, means in found.items()}}
            for g, label in enumerate(labels)
        ]
    items = np.bincount(part, minlength=3)
    return Section(
        name="groups",
        title="For whom it works",
        about=(
            "A mean hides who is served well. Users are grouped by how many items they have, in "
            "groups of about the same size; and by how popular the item was that they took next. "
            "Lines show two standard errors to each side: the mean of other such users would be "
            "within them about 19 times of 20."
        ),
        numbers=numbers,
        pictures=pictures,
        tables=tables,
        note=(
            f"Head: the {items[0]:,} most popular items, which have a third of all training "
            f"interactions; middle: the next {items[1]:,}; tail: the other {items[2]:,}. Ranked "
            "among all items (full)."
        ),
    )


def _table(axis: str, labels: Sequence[str], found: dict[str, list[Mean]]) -> Table:
    first = next(iter(found.values()))
    rows = [
        [label, f"{first[g].count:,}", *(str(means[g]) for means in found.values())]
        for g, label in enumerate(labels)
    ]
    return Table([axis, "users", *(_METRICS[name] for name in found)], rows)
