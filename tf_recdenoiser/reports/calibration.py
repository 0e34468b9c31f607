"""Whether probabilities of noise are right."""

from __future__ import annotations

import dataclasses

import numpy as np
from matplotlib.figure import Figure

from tf_recdenoiser.reports.pictures import COLOURS, drawing, new_figure
from tf_recdenoiser.reports.sections import Picture, Section, Table
from tf_recdenoiser.reports.subject import Subject

BINS = 10
"""Of equal width, from 0 to 1."""


@dataclasses.dataclass(frozen=True, eq=False)
class Calibration:
    """Probabilities against what is so, in bins of equal width.

    Attributes
    ----------
    counts
        How many probabilities are in each bin, `[bins]`.
    said
        Their mean in each bin, `[bins]`; NaN in an empty one.
    found
        The share of noise in each bin, `[bins]`; NaN in an empty one.
    brier
        The Brier score: the mean square of probability minus truth, 0 the best. Who always says
        the share s of noise has s (1 - s).
    base_brier
        That s (1 - s).
    error
        The expected calibration error: the mean of |said - found| over the bins, weighted by their
        counts.
    """

    counts: np.ndarray
    said: np.ndarray
    found: np.ndarray
    brier: float
    base_brier: float
    error: float


def calibration_of(probability: np.ndarray, is_noise: np.ndarray, bins: int = BINS) -> Calibration:
    """Judge probabilities `[N]` by what is noise, bool `[N]`.

    Parameters
    ----------
    probability
        In [0, 1], at least one.
    is_noise
        Which of them are about noise.
    bins
        How many; 10 by default. A probability on an edge is in the bin above it.

    Examples
    --------
    >>> found = calibration_of(np.array([0.0, 0.0, 1.0, 1.0]), np.array([0, 1, 1, 1]), bins=2)
    >>> found.counts.tolist(), found.found.tolist(), found.brier, found.error
    ([2, 2], [0.5, 1.0], 0.25, 0.25)
    """
    probability, truth = np.asarray(probability, float), np.asarray(is_noise, float)
    number = np.minimum((probability * bins).astype(int), bins - 1)
    counts = np.bincount(number, minlength=bins)
    said, found = (
        np.where(counts, np.bincount(number, values, bins) / np.maximum(counts, 1), np.nan)
        for values in (probability, truth)
    )
    share = truth.mean()
    return Calibration(
        counts=counts,
        said=said,
        found=found,
        brier=float(((probability - truth) ** 2).mean()),
        base_brier=float(share * (1 - share)),
        error=float(np.nansum(counts * abs(said - found)) / len(truth)),
    )


def known_noise(subject: Subject) -> tuple[np.ndarray, np.ndarray, str] | None:
    """Probabilities `[N]` and which are about noise, bool `[N]`, with where that is known from.

    Of the items of test histories that the model may read. None if nothing is known.
    """
    assert subject.noise is not None and subject.noise_untold is not None
    is_item = subject.item_ids > 0
    disliked = subject.histories.last_disliked(subject.length)
    unknown = is_item & np.isnan(disliked)
    is_noise = subject.noisy.test.last(subject.length) > 0
    if is_noise[unknown].any():
        where = "Which items are noise is known, since the log was made so."
        return subject.noise[unknown], is_noise[unknown], where
    told = is_item & ~np.isnan(disliked)
    if subject.run.settings.detector == "feedback" and (disliked[told] == 1).any():
        where = (
            "Noise is here what users said they disliked, each item judged as if nobody had said "
            "anything of the history it is in."
        )
        return subject.noise_untold[told], disliked[told] == 1, where
    return None


def reliability_figure(found: Calibration) -> Figure:
    """The share of noise by what was said, and how often it was said."""
    figure = new_figure(3.6)
    upper, lower = figure.subplots(2, 1, sharex=True, height_ratios=[3, 1])
    upper.plot([0, 1], [0, 1], "--", color="gray", linewidth=1, marker="", label="as it should be")
    some = found.counts > 0
    upper.plot(found.said[some], found.found[some], "o-", color=COLOURS[0], label="as it is")
    upper.set(ylabel="share that is noise", xlim=(-0.02, 1.02), ylim=(-0.02, 1.02))
    upper.legend(loc="upper left")
    bins = len(found.counts)
    lower.bar((np.arange(bins) + 0.5) / bins, found.counts, 0.8 / bins, color=COLOURS[0])
    lower.set(
        ylabel="items", xlabel="P(noise), as the detector says", yscale="log", ylim=(0.8, None)
    )
    return figure


def distribution_figure(probability: np.ndarray) -> Figure:
    """How many items have which probability of noise."""
    figure = new_figure(2.6)
    axes = figure.subplots()
    axes.hist(probability, np.linspace(0, 1, 21).tolist(), color=COLOURS[0], rwidth=0.9)
    axes.set(xlabel="P(noise)", ylabel="items", yscale="log", ylim=(0.8, None))
    return figure


def survival_figure(probability: np.ndarray) -> Figure:
    """What share of items has a probability of noise above each threshold."""
    figure = new_figure(2.6)
    axes = figure.subplots()
    thresholds = np.linspace(0, 1, 201)
    above = 1 - np.searchsorted(np.sort(probability), thresholds, side="right") / len(probability)
    axes.plot(thresholds, 100 * above, marker="")
    axes.set(xlabel="threshold on P(noise)", ylabel="% of items above it", ylim=(0, None))
    return figure


def noise_calibration(subject: Subject) -> Section | None:
    """Probabilities of noise against what is known; None if noise was not looked for."""
    if subject.noise is None:
        return None
    known = known_noise(subject)
    return _unknown(subject) if known is None else _judged(*known)


def _judged(probability: np.ndarray, is_noise: np.ndarray, where: str) -> Section:
    found = calibration_of(probability, is_noise)
    with drawing():
        figure = reliability_figure(found)
    bins = len(found.counts)
    rows = [
        [f"{b / bins:.1f} to {(b + 1) / bins:.1f}", f"{found.counts[b]:,}"]
        + [f"{of_bin[b]:.3f}" for of_bin in (found.said, found.found)]
        for b in np.flatnonzero(found.counts)
    ]
    return Section(
        name="calibration",
        title="Are the probabilities right?",
        about=(
            f"{where} Of the items that get a probability of about 0.7, seven of ten should be "
            "noise: then dots lie on the diagonal. Above it there is more noise than was said, "
            "below it less. The bars show how many items a dot stands for."
        ),
        numbers={
            "known": True,
            "items": len(is_noise),
            "noise_share": float(np.mean(is_noise)),
            "brier": found.brier,
            "base_brier": found.base_brier,
            "expected_calibration_error": found.error,
            "bins": [
                {
                    "count": int(found.counts[b]),
                    "said": float(found.said[b]),
                    "found": float(found.found[b]),
                }
                for b in np.flatnonzero(found.counts)
            ],
        },
        pictures=[Picture.of(figure, "reliability diagram of P(noise)")],
        tables=[Table(["P(noise)", "items", "mean as said", "share that is noise"], rows)],
        note=(
            f"Brier score, the mean square of the error: {found.brier:.4f}, where always saying "
            f"{np.mean(is_noise):.1%} has {found.base_brier:.4f}; less is better. Expected "
            f"calibration error, the mean distance from the diagonal: {found.error:.4f}."
        ),
    )


def _unknown(subject: Subject) -> Section:
    assert subject.noise is not None
    probability = subject.noise[subject.item_ids > 0]
    with drawing():
        figure = survival_figure(probability)
    above = {f"{least}": float((probability > least).mean()) for least in (0.1, 0.5, 0.9)}
    return Section(
        name="calibration",
        title="Are the probabilities right?",
        about=(
            "That cannot be said here: which items of this log are noise, nobody knows. To find "
            "out, train with noise put in: --set noise.injection.rate=0.2. What can be shown is "
            "how sure the detector is: it is sure of items near 0 and near 1."
        ),
        numbers={"known": False, "items": len(probability), "share_above": above},
        pictures=[
            Picture.of(
                figure,
                "share of items above each probability of noise",
                "What share of all items has a P(noise) above a threshold: where the line is flat, "
                "it matters little which one is chosen.",
            )
        ],
        note="Above "
        + ", ".join(f"{least}: {share:.1%}" for least, share in above.items())
        + f" of {len(probability):,} items of test histories.",
    )
