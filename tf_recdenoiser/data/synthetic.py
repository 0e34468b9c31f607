"""A synthetic log with noise in known places, so that denoising can be scored."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import polars as pl

from tf_recdenoiser.data.checks import checked_log
from tf_recdenoiser.data.log import InteractionLog

_INTERESTS = 3
_SWITCH_PROBABILITY = 0.08
_SUCCESSOR_PROBABILITIES = (0.5, 0.3, 0.2)
_SMALLEST_CLUSTER = len(_SUCCESSOR_PROBABILITIES) + 1
_HELD_OUT = 2
_FIRST_TIME = 1_600_000_000
_DAY = 86_400


@dataclass(frozen=True, eq=False)
class SyntheticLog:
    """A log, and which of its rows are noise.

    Attributes
    ----------
    log
        The interactions, user by user and oldest first, with times in Unix seconds that
        increase strictly within a user.
    is_noise
        bool [rows], aligned with the rows of `log` and, as these are in the order of the
        user ids, also with `prepare(log).items`.
    """

    log: InteractionLog
    is_noise: npt.NDArray[np.bool_]


def synthetic_log(
    users: int = 2500,
    items: int = 600,
    clusters: int = 20,
    length: tuple[int, int] = (20, 60),
    noise: float = 0.25,
    seed: int = 0,
    noisy_targets: bool = False,
) -> SyntheticLog:
    """Draw users who follow a few interests, and replace some of what they did by noise.

    Items lie in clusters. Within a cluster an item has three successors, which follow it with
    probability 0.5 (these form a cycle through the cluster), 0.3 and 0.2 (drawn by popularity).
    A user has three clusters of interest, or as many as there are, walks from successor to
    successor within one of them, and with probability 0.08 at each step goes over to another and
    begins there at an item drawn by popularity. Popularity follows Zipf's law: within a cluster,
    and for the clusters as interests.

    Then every position except a user's last two is noise with probability `noise`, independently:
    an item drawn uniformly from all of them stands there, and the walk goes on behind it from the
    last clean item. So the clean items of a user are the beginning of the same walk for every
    `noise`. (A noise item can by chance be one that the walk might have shown.)

    Parameters
    ----------
    users
        Number of users, with ids such as "u00042".
    items
        Number of items, with ids such as "c03-i017": cluster 3, the 18th by popularity.
    clusters
        Number of clusters, of equal size up to one item.
    length
        The least and the greatest length of a user's sequence; uniformly drawn.
    noise
        The probability that a position is noise, at least 0 and below 1.
    seed
        Not negative.
    noisy_targets
        Whether a user's last two items, the validation and the test target, can be
        noise too.

    Raises
    ------
    ValueError
        If a number is out of range; a cluster needs at least four items and a
        sequence at least three.

    Examples
    --------
    >>> made = synthetic_log(users=2, items=12, clusters=3, length=(4, 6), seed=1)
    >>> made.log.report.user_count, len(made.is_noise) == made.log.table.height
    (2, True)
    """
    _check(users, items, clusters, length, noise, seed)
    walk_rng, noise_rng, time_rng = np.random.default_rng(seed).spawn(3)
    catalogue = _Catalogue.draw(items, clusters, walk_rng)
    lengths = walk_rng.integers(length[0], length[1] + 1, size=(users, 1))
    walks = _walks(catalogue, users, length[1], walk_rng)

    position = np.arange(length[1])
    can_be_noise = position < lengths - (0 if noisy_targets else _HELD_OUT)
    is_noise = can_be_noise & (noise_rng.random(walks.shape) < noise)
    clean_before = np.maximum(np.cumsum(~is_noise, axis=1) - 1, 0)
    clean = np.take_along_axis(walks, clean_before, axis=1)
    codes = np.where(is_noise, noise_rng.integers(items, size=walks.shape), clean)
    gaps = time_rng.integers(60, _DAY, size=walks.shape)

    exists = position < lengths
    user_of_row = np.repeat(_numbered("u", users, digits=5), lengths[:, 0])
    rows = pl.DataFrame(
        {
            "line": np.arange(1, exists.sum() + 1),
            "user": user_of_row,
            "item": catalogue.ids()[codes[exists]],
            "time": (_FIRST_TIME + np.cumsum(gaps, axis=1))[exists],
        }
    )
    return SyntheticLog(log=checked_log(rows), is_noise=is_noise[exists])


@dataclass(frozen=True, eq=False)
class _Catalogue:
    """Items numbered cluster by cluster and, within a cluster, from the most popular.

    Attributes
    ----------
    bounds
        int [C+1]; cluster c is the items `bounds[c]` to `bounds[c + 1]`, exclusive.
    cumulative
        float [I+1]; differences are the items' popularity within their cluster.
    successors
        int [I, 3].
    interest_logits
        float [C], log of how much users favour a cluster.
    """

    bounds: npt.NDArray[np.int64]
    cumulative: npt.NDArray[np.float64]
    successors: npt.NDArray[np.int64]
    interest_logits: npt.NDArray[np.float64]

    @classmethod
    def draw(cls, items: int, clusters: int, rng: np.random.Generator) -> _Catalogue:
        bounds = np.arange(clusters + 1) * items // clusters
        sizes = np.diff(bounds)
        weights = np.concatenate([1 / np.arange(1, size + 1) for size in sizes])
        return cls(
            bounds=bounds,
            cumulative=np.concatenate([[0.0], np.cumsum(weights)]),
            successors=np.concatenate(
                [
                    first + _successors(size, rng)
                    for first, size in zip(bounds[:-1], sizes, strict=True)
                ]
            ),
            interest_logits=-np.log(np.arange(1, clusters + 1)),
        )

    def starts(
        self, clusters: npt.NDArray[np.int64], rng: np.random.Generator
    ) -> npt.NDArray[np.int64]:
        """One item of each of these clusters, drawn by popularity."""
        first, end = self.bounds[clusters], self.bounds[clusters + 1]
        level = rng.uniform(self.cumulative[first], self.cumulative[end])
        item = np.searchsorted(self.cumulative, level, side="right") - 1
        return np.clip(item, first, end - 1)  # `level` may be rounded up to the cluster's end

    def follow(
        self, items: npt.NDArray[np.int64], rng: np.random.Generator
    ) -> npt.NDArray[np.int64]:
        """One successor of each of these items."""
        levels = np.cumsum(_SUCCESSOR_PROBABILITIES)[:-1]
        choice = np.searchsorted(levels, rng.random(items.shape), side="right")
        return self.successors[items, choice]

    def ids(self) -> npt.NDArray[np.str_]:
        sizes = np.diff(self.bounds)
        clusters = _numbered("c", len(sizes), digits=2)
        names = _numbered("-i", sizes.max(), digits=3)
        return np.concatenate(
            [
                np.char.add(cluster, names[:size])
                for cluster, size in zip(clusters, sizes, strict=True)
            ]
        )


def _successors(size: int, rng: np.random.Generator) -> npt.NDArray[np.int64]:
    """The next item on a random cycle, and two others drawn by popularity: int [size, 3]."""
    cycle = rng.permutation(size)
    following = np.empty(size, np.int64)
    following[cycle] = np.roll(cycle, -1)
    item = np.arange(size)
    keys = _gumbel_keys(-np.log(item + 1.0), (size, size), rng)
    keys[item, item] = keys[item, following] = -np.inf
    return np.column_stack([following, _largest(keys, len(_SUCCESSOR_PROBABILITIES) - 1)])


def _walks(
    catalogue: _Catalogue, users: int, steps: int, rng: np.random.Generator
) -> npt.NDArray[np.int64]:
    """The items of walks without noise: int [users, steps]."""
    logits = catalogue.interest_logits
    count = min(_INTERESTS, len(logits))
    interests = _largest(_gumbel_keys(logits, (users, len(logits)), rng), count)
    user = np.arange(users)
    active = np.zeros(users, np.int64)
    walks = np.empty((users, steps), np.int64)
    walks[:, 0] = catalogue.starts(interests[user, active], rng)
    for step in range(1, steps):
        following = catalogue.follow(walks[:, step - 1], rng)
        if count == 1:
            walks[:, step] = following
            continue
        switches = rng.random(users) < _SWITCH_PROBABILITY
        active = (active + switches * rng.integers(1, count, size=users)) % count
        starting = catalogue.starts(interests[user, active], rng)
        walks[:, step] = np.where(switches, starting, following)
    return walks


def _gumbel_keys(
    logits: npt.NDArray[np.float64], shape: tuple[int, int], rng: np.random.Generator
) -> npt.NDArray[np.float64]:
    """Keys whose k largest in a row are k draws without replacement by softmax of the logits."""
    return logits + rng.gumbel(size=shape)


def _largest(keys: npt.NDArray[np.float64], count: int) -> npt.NDArray[np.int64]:
    return np.argsort(-keys, axis=1)[:, :count]


def _numbered(prefix: str, count: int, digits: int) -> npt.NDArray[np.str_]:
    width = max(digits, len(str(count - 1)))
    return np.array([f"{prefix}{number:0{width}d}" for number in range(count)])


def _check(
    users: int,
    items: int,
    clusters: int,
    length: tuple[int, int],
    noise: float,
    seed: int,
) -> None:
    for name, value, least in (
        ("users", users, 1),
        ("clusters", clusters, 1),
        ("items", items, _SMALLEST_CLUSTER * clusters),
        ("seed", seed, 0),
    ):
        if value < least:
            raise ValueError(f"`{name}` must be at least {least}. Received: {value!r}")
    if not 3 <= length[0] <= length[1]:
        raise ValueError(
            "`length` must be the least and the greatest length, the least at least 3. "
            f"Received: {length!r}"
        )
    if not 0 <= noise < 1:
        raise ValueError(f"`noise` must be at least 0 and below 1. Received: {noise!r}")
