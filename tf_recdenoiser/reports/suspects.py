"""What was taken for noise, and why one would believe it."""

from __future__ import annotations

import functools
from typing import Any

import numpy as np
import tensorflow as tf

from tf_recdenoiser.noise.corrections import Cleaning
from tf_recdenoiser.reports.calibration import distribution_figure
from tf_recdenoiser.reports.history import history_figure
from tf_recdenoiser.reports.pictures import drawing, shortened
from tf_recdenoiser.reports.sections import Card, Entry, Picture, Section, Table
from tf_recdenoiser.reports.subject import Subject

REACH = 3
"""So many items before and after one are its neighbours."""

_USERS, _SUSPECTS, _LISTED, _DRAWN = 3, 3, 16, 10
# A user has to have so many to be shown, if anybody has.
_ENOUGH = 8
_BANDS = ((0.0, 0.1), (0.1, 0.5), (0.5, 0.9), (0.9, 1.0))
# Of a mean over how often an item occurs.
_OFTEN = 5
_ITEMS = 8

_CHECK = (
    "Here is a check by the recommender: how well an item goes with the items around it, as the "
    "cosine of their vectors, 1 at best, about 0 for items that have nothing to do with each "
    "other. Where it is no lower than is usual for the history, doubt the detector. The two are "
    "not wholly independent: the recommender learned from histories in which noise was dealt with."
)


def unit_vectors(table: np.ndarray) -> np.ndarray:
    """Item vectors `[item_count + 1, d]` divided by their lengths; padding, row 0, is 0.

    Examples
    --------
    >>> unit_vectors(np.array([[1.0, 0.0], [3.0, 4.0]])).tolist()
    [[0.0, 0.0], [0.6, 0.8]]
    """
    norms = np.linalg.norm(table, axis=1, keepdims=True)
    unit = table / np.maximum(norms, np.finfo(np.float32).tiny)
    unit[0] = 0
    return unit


def fit_with_neighbours(unit: np.ndarray, item_ids: np.ndarray, reach: int = REACH) -> np.ndarray:
    """How well each item goes with those around it: the mean cosine of their vectors.

    Parameters
    ----------
    unit
        See `unit_vectors`.
    item_ids
        Histories `[B, n]`, left-padded with 0.
    reach
        How many items before and after count; 3 by default.

    Returns
    -------
    `[B, n]`, from -1 to 1; NaN at padding, and where there is no neighbour.

    Examples
    --------
    >>> unit = np.array([[0.0, 0.0], [1.0, 0.0], [0.0, 1.0]])
    >>> fit_with_neighbours(unit, np.array([[0, 1, 1, 2]]), reach=1).tolist()
    [[nan, 1.0, 0.5, 0.0]]
    """
    vectors, is_item = unit[item_ids], item_ids > 0
    sums, counts = np.zeros(item_ids.shape), np.zeros(item_ids.shape)
    for step in range(1, min(reach, item_ids.shape[1] - 1) + 1):
        cosines = (vectors[:, step:] * vectors[:, :-step]).sum(axis=-1)
        both = is_item[:, step:] & is_item[:, :-step]
        for part in (slice(step, None), slice(None, -step)):
            sums[:, part] += cosines * both
            counts[:, part] += both
    return np.where(counts > 0, sums / np.maximum(counts, 1), np.nan)


def worst_neighbours(unit: np.ndarray, codes: np.ndarray, place: int, count: int = 2) -> np.ndarray:
    """Places of the neighbours that an item goes with least, the worst first.

    Parameters
    ----------
    unit
        See `unit_vectors`.
    codes
        A history `[L]` without padding.
    place
        Of the item.
    count
        How many at most; 2 by default.

    Examples
    --------
    >>> unit = np.array([[0.0, 0.0], [1.0, 0.0], [0.0, 1.0], [0.8, 0.6]])
    >>> worst_neighbours(unit, np.array([1, 2, 3]), place=1).tolist()
    [0, 2]
    """
    around = np.arange(max(place - REACH, 0), min(place + REACH + 1, len(codes)))
    around = around[around != place]
    cosines = unit[codes[around]] @ unit[codes[place]]
    return around[np.argsort(cosines, kind="stable")[:count]]


def around(places: np.ndarray, middle: int, count: int) -> np.ndarray:
    """So many places in a row at most, rising, with one of them as near the middle as can be.

    Examples
    --------
    >>> around(np.arange(9), 4, 3).tolist(), around(np.arange(9), 8, 3).tolist()
    ([3, 4, 5], [6, 7, 8])
    """
    at = int(np.searchsorted(places, middle))
    first = max(min(at - count // 2, len(places) - count), 0)
    return places[first : first + count]


def suspected_users(noise: np.ndarray, lengths: np.ndarray) -> np.ndarray:
    """Numbers of some users: drawn among those with P(noise) above 1/2, or else the highest.

    Parameters
    ----------
    noise
        P(noise) `[E, n]`, 0 at padding.
    lengths
        How many items each has, `[E]`.

    Examples
    --------
    >>> suspected_users(np.array([[0.1, 0.2], [0.9, 0.0], [0.3, 0.0]]), np.array([9, 9, 9]))
    array([0, 1, 2])
    """
    highest = noise.max(axis=1) + (lengths >= _ENOUGH)
    able = np.flatnonzero(highest > 1.5)
    if len(able) < _USERS:
        return np.sort(np.argsort(-highest, kind="stable")[:_USERS])
    return np.sort(np.random.default_rng(0).choice(able, _USERS, replace=False))


class _Evidence:
    """What speaks for and against the noise that a run found; `noise` is P(noise) `[E, n]`."""

    def __init__(self, subject: Subject, noise: np.ndarray) -> None:
        self.subject, self.noise = subject, noise
        treatment = subject.run.settings.treatment
        self.cleans = isinstance(treatment, Cleaning)
        self.above = treatment.above if isinstance(treatment, Cleaning) else None
        self.softens = subject.run.settings.noise.corrects.softens is not None
        stays = treatment.stays(tf.constant(subject.item_ids), tf.constant(noise))
        self.stays = stays.numpy()

    @functools.cached_property
    def unit(self) -> np.ndarray | None:
        """Vectors of length 1; None of a model that has a number for each item instead."""
        table = self.subject.run.recommender.item_vectors()
        return None if table.shape[1] == 1 else unit_vectors(table)

    @functools.cached_property
    def fit(self) -> np.ndarray | None:
        """How well each item goes with its neighbours, `[E, n]`."""
        if self.unit is None:
            return None
        item_ids = self.subject.item_ids
        parts = [fit_with_neighbours(self.unit, item_ids[rows]) for rows in self.subject.batches()]
        return np.concatenate(parts)

    def becomes(self, user: int, place: int) -> str:
        """What is done about one item."""
        if self.cleans:
            return "stays" if self.stays[user, place] else "left out"
        return f"weighs {1 - self.noise[user, place]:.2f}" if self.softens else "stays"


def suspected_noise(subject: Subject) -> Section | None:
    """Items that are probably noise, and what speaks for it; None if noise was not looked for."""
    if subject.noise is None:
        return None
    evidence = _Evidence(subject, subject.noise)
    lengths = (subject.item_ids > 0).sum(axis=1)
    users = [int(user) for user in suspected_users(subject.noise, lengths)]
    all_noise = subject.noise[subject.item_ids > 0]
    with drawing():
        distribution = distribution_figure(all_noise)
    distributed = f"All {len(all_noise):,} items of the test histories. Mind the logarithmic axis."
    bands = _bands(evidence)
    return Section(
        name="suspects",
        title="What was taken for noise",
        about=f"{_meaning(subject)} {_CHECK}",
        numbers={"bands": bands, "users": [_of_user(evidence, user) for user in users]},
        pictures=[
            Picture.of(distribution, "distribution of P(noise)", distributed),
            *_drawn(evidence, users[0]),
        ],
        cards=[_card(evidence, user) for user in users],
        tables=[
            _band_table(bands),
            *(_suspects_table(evidence, user) for user in users),
            *_often_table(evidence),
        ],
        note=(
            f"{len(users)} of {len(lengths):,} test users, drawn among those with an item above "
            f"1/2 and {_ENOUGH} items or more, where there are such. Neighbours are the {REACH} "
            f"items before and the {REACH} after. How often: in training."
        ),
    )


def _meaning(subject: Subject) -> str:
    """What noise is in this run."""
    assert subject.run.detection is not None
    known = ~np.isnan(subject.histories.last_disliked(subject.length)[subject.item_ids > 0])
    told = (
        f" Users said what they think of {known.mean():.0%} of the items here: what they disliked "
        "has 1, the others have 0."
    )
    if subject.run.detection.scorer.reads_feedback:
        meaning = "Noise is here what a user disliked, and P(noise) how probable that is."
    else:
        meaning = (
            "Noise is what does not belong to a user's taste: a click by mistake, a gift. P(noise) "
            "is how probable that is, by the detector."
        )
    return meaning + (told if known.any() else "")


def _bands(evidence: _Evidence) -> list[dict[str, Any]]:
    """How well items go with their neighbours, and how often they occur, by P(noise)."""
    item_ids, counts = evidence.subject.item_ids, evidence.subject.counts
    found = []
    for least, most in _BANDS:
        inside = (item_ids > 0) & (evidence.noise <= most)
        inside &= evidence.noise > least if least else evidence.noise >= 0
        if not inside.any():
            continue
        fits = np.array([]) if evidence.fit is None else evidence.fit[inside]
        fits = fits[~np.isnan(fits)]
        found.append(
            {
                "above": least,
                "up_to": most,
                "items": int(inside.sum()),
                "fit": float(fits.mean()) if len(fits) else None,
                "times": float(np.median(counts[item_ids[inside]])),
            }
        )
    return found


def _band_table(bands: list[dict[str, Any]]) -> Table:
    rows = [
        [
            f"{band['above']} to {band['up_to']}",
            f"{band['items']:,}",
            "-" if band["fit"] is None else f"{band['fit']:.3f}",
            f"{band['times']:,.0f}",
        ]
        for band in bands
    ]
    caption = "If the detector is right, what it doubts goes less well with its neighbours."
    columns = ["P(noise)", "items", "fit with neighbours", "how often an item is taken (median)"]
    return Table(columns, rows, caption)


def _suspects(evidence: _Evidence, user: int) -> np.ndarray:
    """Places of the items of one user that are noise most probably."""
    noise = np.where(evidence.subject.item_ids[user] > 0, evidence.noise[user], -1.0)
    places = np.argsort(-noise, kind="stable")[:_SUSPECTS]
    return places[noise[places] >= 0]


def _of_user(evidence: _Evidence, user: int) -> dict[str, Any]:
    """The suspects of one user, with the evidence."""
    subject = evidence.subject
    codes = subject.item_ids[user]
    fit = None if evidence.fit is None else evidence.fit[user]
    usual = None if fit is None or np.isnan(fit).all() else float(np.nanmedian(fit))
    return {
        "user": subject.user(user),
        "usual_fit": usual,
        "suspects": [
            {
                "item": subject.run.item_ids[codes[place] - 1],
                "title": subject.names(codes[[place]])[0],
                "noise": float(evidence.noise[user, place]),
                "becomes": evidence.becomes(user, place),
                "fit": None if fit is None or np.isnan(fit[place]) else float(fit[place]),
                "times": int(subject.counts[codes[place]]),
                "worst_neighbours": _worst(evidence, codes, place),
            }
            for place in _suspects(evidence, user)
        ],
    }


def _worst(evidence: _Evidence, codes: np.ndarray, place: int) -> list[str]:
    if evidence.unit is None:
        return []
    padding = int((codes == 0).sum())
    places = worst_neighbours(evidence.unit, codes[padding:], place - padding) + padding
    return evidence.subject.names(codes[places])


def _suspects_table(evidence: _Evidence, user: int) -> Table:
    found = _of_user(evidence, user)
    usual = found["usual_fit"]
    rows = [
        [
            one["title"],
            f"{one['noise']:.2f}",
            one["becomes"],
            "-" if one["fit"] is None else f"{one['fit']:.3f}",
            f"{one['times']:,}",
            "; ".join(shortened(name, 40) for name in one["worst_neighbours"]) or "-",
        ]
        for one in found["suspects"]
    ]
    fits = "" if usual is None else f"; the usual fit in this history (median) is {usual:.3f}"
    columns = ["item", "P(noise)", "what is done", "fit", "how often", "neighbours it fits least"]
    return Table(columns, rows, f"User {found['user']}{fits}")


def _often_table(evidence: _Evidence) -> list[Table]:
    """The items of the catalogue with the highest mean P(noise), of those that occur often."""
    codes = evidence.subject.item_ids
    is_item = codes > 0
    size = evidence.subject.item_count + 1
    counts = np.bincount(codes[is_item], minlength=size)
    sums = np.bincount(codes[is_item], evidence.noise[is_item], minlength=size)
    means = np.where(counts >= _OFTEN, sums / np.maximum(counts, 1), -1.0)
    best = np.argsort(-means, kind="stable")[:_ITEMS]
    best = best[means[best] > 0]
    if not len(best):
        return []
    names = evidence.subject.names(best)
    rows = [
        [name, f"{means[code]:.2f}", f"{counts[code]:,}"]
        for name, code in zip(names, best, strict=True)
    ]
    caption = f"Doubted most, of the items in {_OFTEN} test histories or more"
    return [Table(["item", "mean P(noise)", "test histories"], rows, caption)]


def _card(evidence: _Evidence, user: int) -> Card:
    """Items of one user, oldest first, with the one that is noise most probably."""
    codes = evidence.subject.item_ids[user]
    places = around(np.flatnonzero(codes), int(_suspects(evidence, user)[0]), _LISTED)
    names = evidence.subject.names(codes[places])
    noise = evidence.noise[user, places]
    entries = [
        Entry(name, float(share), f"{share:.2f}", bool(share > 0.5))
        for name, share in zip(names, noise, strict=True)
    ]
    count = np.count_nonzero(codes)
    some = f"{len(places)} in a row of" if count > len(places) else "All"
    note = f"{some} {count} items, oldest first, with P(noise); above 1/2 in red."
    return Card(f"User {evidence.subject.user(user)}", entries, note)


def _drawn(evidence: _Evidence, user: int) -> list[Picture]:
    """Some items of one user before and after they are cleaned or softened."""
    if not (evidence.cleans or evidence.softens):
        return []
    codes = evidence.subject.item_ids[user]
    places = around(np.flatnonzero(codes), int(_suspects(evidence, user)[0]), _DRAWN)
    names = [shortened(name, 22) for name in evidence.subject.names(codes[places])]
    stays = evidence.stays[user, places] if evidence.cleans else None
    known = evidence.subject.noisy.test.last(evidence.subject.length)
    marks = known[user, places] > 0 if known.any() else None
    with drawing():
        figure = history_figure(names, evidence.noise[user, places], stays, evidence.above, marks)
    name = evidence.subject.user(user)
    caption = (
        f"{len(places)} items in a row of user {name}, oldest first, with the one that is noise "
        "most probably."
    )
    return [Picture.of(figure, f"the history of user {name} before and after", caption)]
