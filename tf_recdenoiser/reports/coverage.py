"""Which items are recommended at all, and how unevenly."""

from __future__ import annotations

import numpy as np
import tensorflow as tf
from matplotlib.figure import Figure

from tf_recdenoiser.reports.pictures import drawing, new_figure
from tf_recdenoiser.reports.sections import Picture, Section, Table
from tf_recdenoiser.reports.subject import Subject
from tf_recdenoiser.retrieval.top_k import nearest_items

K = 10
"""How many items are recommended to each user."""


def gini(counts: np.ndarray) -> float:
    """The Gini coefficient of how often items occur, `[I]`: 0 all alike, near 1 few have it all.

    G = sum over items, in rising order, of (2 i - I - 1) c_i / (I sum c), i from 1; 0 if nothing
    occurs.

    Examples
    --------
    >>> gini(np.array([5, 5, 5])), gini(np.array([0, 0, 0, 8]))
    (0.0, 0.75)
    """
    total, items = counts.sum(), len(counts)
    if total == 0:
        return 0.0
    weights = 2 * np.arange(1, items + 1) - items - 1
    return float((weights * np.sort(counts)).sum() / (items * total))


def lorenz(counts: np.ndarray) -> np.ndarray:
    """What share of all falls to the least frequent items, `[I + 1]`, from 0 to 1."""
    sums = np.concatenate([[0], np.cumsum(np.sort(counts))])
    return sums / max(sums[-1], 1)


def recommended(subject: Subject) -> np.ndarray:
    """The ten best new items for each test user, codes `[E, 10]`; 0 where there are no more."""
    recommender, histories = subject.run.recommender, subject.histories
    table = tf.constant(recommender.item_vectors())
    handicap = tf.zeros([len(table)])
    best = []
    for rows in subject.batches():
        vectors = recommender.encode(**{name: one[rows] for name, one in subject.inputs.items()})
        seen = tf.constant(histories.last(max(int(histories.lengths[rows].max()), 1), rows))
        wanted = tf.fill([len(rows)], K)
        best.append(nearest_items(tf.constant(vectors), table, seen, wanted, handicap)[0].numpy())
    return np.concatenate(best)


def lorenz_figure(curves: dict[str, np.ndarray]) -> Figure:
    """Shares of what is recommended and taken that fall to the least frequent items."""
    figure = new_figure(3.0)
    axes = figure.subplots()
    for name, values in curves.items():
        axes.plot(np.linspace(0, 100, len(values)), 100 * values, label=name, marker="")
    axes.plot([0, 100], [0, 100], "--", color="gray", linewidth=1, marker="", label="all alike")
    axes.set(xlabel="% of the items, the rarest first", ylabel="% of what falls to them")
    axes.legend()
    return figure


def coverage(subject: Subject) -> Section:
    """How much of the catalogue the first ten cover, how evenly, and how popular they are."""
    best = recommended(subject)
    items, counts = subject.item_count, subject.counts[1:]
    shown = np.bincount(best[best > 0], minlength=items + 1)[1:]
    taken = np.bincount(subject.targets, minlength=items + 1)[1:]
    numbers = {
        "users": len(best),
        "items": items,
        "recommended_items": int(np.count_nonzero(shown)),
        "coverage": float(np.count_nonzero(shown) / items),
        "gini": gini(shown),
        "taken_gini": gini(taken),
        "log_gini": gini(counts),
        "mean_popularity": _weighted(counts, shown),
        "taken_mean_popularity": _weighted(counts, taken),
    }
    with drawing():
        curves = {"recommended": lorenz(shown), "taken in training": lorenz(counts)}
        figure = lorenz_figure(curves)
    return Section(
        name="coverage",
        title="What is recommended",
        about=(
            "A model can score well and recommend the same few items to everybody. Coverage is the "
            "share of all items that are among the first ten of somebody. The Gini coefficient is "
            "0 if all items are recommended alike, and near 1 if a few take it all. In the "
            "picture, the further a line hangs below the diagonal, the more uneven it is."
        ),
        numbers=numbers,
        pictures=[Picture.of(figure, "Lorenz curves of items", "Lorenz curves of all items.")],
        tables=[_table(numbers)],
        note=f"The first {K} new items for each of {len(best):,} test users.",
    )


def _weighted(values: np.ndarray, weights: np.ndarray) -> float:
    return float((values * weights).sum() / max(weights.sum(), 1))


def _table(found: dict[str, float]) -> Table:
    rows = [
        [
            "items that somebody gets",
            f"{found['recommended_items']:,} of {found['items']:,}: {found['coverage']:.1%}",
            "-",
        ],
        ["Gini coefficient", f"{found['gini']:.3f}", f"{found['log_gini']:.3f} in training"],
        [
            "mean popularity: how often an item was taken in training",
            f"{found['mean_popularity']:,.1f}",
            f"{found['taken_mean_popularity']:,.1f} of the items taken next",
        ],
    ]
    return Table(["measure", "recommended", "for comparison"], rows)
