"""A synthetic log with noise in known places, so that denoising can be scored."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import polars as pl

from tf_recdenoiser.data.checks import checked_log
from tf_recdenoiser.data.log import InteractionLog

_INTERESTS = 3
_SWITCH_PROBABILITY = 0.02
_CHANGE_PROBABILITY = 0.5
_FOLLOW_PROBABILITY = 0.2
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
    items: int = 1000,
    clusters: int = 10,
    length: tuple[int, int] = (10, 100),
    noise: float = 0.25,
    seed: int = 0,
    noisy_targets: bool = False,
) -> SyntheticLog:
    """Draw users who follow a few interests, and replace some of what they did by noise.

    Items lie in clusters. An item is followed, with probability 0.2, by one of its three successors
    in its cluster (of these with 0.5, 0.3 and 0.2), and else by an item of the cluster drawn by
    popularity; in both cases by one of those that the user took least often, which are the new ones
    as long as there are any. A user has three clusters of interest, or as many as there are, and
    goes over to another of them with probability 0.02 at each step, and always where no item of the
    cluster is new. Interests change: in half of the first cases, and in all of the second, the one
    that is left is lost, and another cluster stands in its place. Popularity follows Zipf's law:
    within a cluster, and for the clusters as interests.

    Then every position except a user's last two is noise with probability `noise`, independently:
    an item that the user does not take otherwise stands there, drawn by how often the clean items
    of all users are each item, and the walk goes on behind it from the last clean item. So the
    clean items of a user are the beginning of the same walk for every `noise`. (A noise item can by
    chance be one that the walk might have shown.)

    Like real logs, this one has items of very different popularity, users who take hardly anything
    twice, most of them short, and interests that last as long as theirs; the next item is easier to
    predict.

    Parameters
    ----------
    users
        Number of users, with ids such as "u00042".
    items
        Number of items, with ids such as "c03-i017": cluster 3, the 18th by popularity.
    clusters
        Number of clusters, of equal size up to one item.
    length
        The least and the greatest length of a user's sequence. Its logarithm is drawn uniformly:
        many are short, few are long. No user takes more than half of the items, unless the least
        length is more.
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
    least, greatest = length[0], max(length[0], min(length[1], items // 2))
    lengths = _lengths(least, greatest, users, walk_rng)
    walks = _walks(catalogue, users, greatest, walk_rng)

    position = np.arange(greatest)
    exists = position < lengths
    can_be_noise = position < lengths - (0 if noisy_targets else _HELD_OUT)
    is_noise = can_be_noise & (noise_rng.random(walks.shape) < noise)
    clean_before = np.maximum(np.cumsum(~is_noise, axis=1) - 1, 0)
    clean = np.take_along_axis(walks, clean_before, axis=1)
    noise_before = np.maximum(np.cumsum(is_noise, axis=1) - 1, 0) % items
    drawn = _new_to_users(clean, exists & ~is_noise, items, noise_rng)
    codes = np.where(is_noise, np.take_along_axis(drawn, noise_before, axis=1), clean)
    gaps = time_rng.integers(60, _DAY, size=walks.shape)

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
    sizes
        int [C], the items in each cluster; S is the greatest.
    interests
        float [C], log of how much users favour a cluster.
    starts
        float [C, S], log of the probability of each item of a cluster where nothing precedes it;
        -inf where there is no item.
    follows
        float [C, S, S], the same after each item of the cluster.
    """

    sizes: npt.NDArray[np.int64]
    interests: npt.NDArray[np.float64]
    starts: npt.NDArray[np.float64]
    follows: npt.NDArray[np.float64]

    @classmethod
    def draw(cls, items: int, clusters: int, rng: np.random.Generator) -> _Catalogue:
        sizes = np.diff(np.arange(clusters + 1) * items // clusters)
        place = np.arange(sizes.max())
        popularity = np.where(place < sizes[:, None], 1 / (place + 1.0), 0.0)
        popularity /= popularity.sum(axis=1, keepdims=True)
        follows = np.stack(
            [_follows(p, size, rng) for p, size in zip(popularity, sizes, strict=True)]
        )
        with np.errstate(divide="ignore"):
            logs = np.log(popularity), np.log(follows)
        return cls(sizes, -np.log(np.arange(1.0, clusters + 1)), *logs)

    @property
    def first(self) -> npt.NDArray[np.int64]:
        """The number of the first item of each cluster, [C]."""
        return np.cumsum(self.sizes) - self.sizes

    def ids(self) -> npt.NDArray[np.str_]:
        clusters = _numbered("c", len(self.sizes), digits=2)
        names = _numbered("-i", self.sizes.max(), digits=3)
        return np.concatenate(
            [
                np.char.add(cluster, names[:size])
                for cluster, size in zip(clusters, self.sizes, strict=True)
            ]
        )


def _follows(
    popularity: npt.NDArray[np.float64], size: int, rng: np.random.Generator
) -> npt.NDArray[np.float64]:
    """The probability of each item of a cluster after each of them: float [S, S]."""
    follows = np.tile((1 - _FOLLOW_PROBABILITY) * popularity, (len(popularity), 1))
    shares = _FOLLOW_PROBABILITY * np.array(_SUCCESSOR_PROBABILITIES)
    follows[np.arange(size)[:, None], _successors(size, rng)] += shares
    return follows


def _successors(size: int, rng: np.random.Generator) -> npt.NDArray[np.int64]:
    """The next item on a random cycle, and two others drawn by popularity: int [size, 3]."""
    cycle = rng.permutation(size)
    following = np.empty(size, np.int64)
    following[cycle] = np.roll(cycle, -1)
    item = np.arange(size)
    keys = _gumbel_keys(-np.log(item + 1.0), (size, size), rng)
    keys[item, item] = keys[item, following] = -np.inf
    return np.column_stack([following, _largest(keys, len(_SUCCESSOR_PROBABILITIES) - 1)])


def _lengths(
    least: int, greatest: int, users: int, rng: np.random.Generator
) -> npt.NDArray[np.int64]:
    """Each of the lengths with a probability like 1 over it: int [users, 1]."""
    logs = rng.uniform(np.log(least), np.log(greatest + 1), size=(users, 1))
    return np.clip(np.exp(logs).astype(np.int64), least, greatest)


def _walks(
    catalogue: _Catalogue, users: int, steps: int, rng: np.random.Generator
) -> npt.NDArray[np.int64]:
    """The items of walks without noise: int [users, steps]."""
    interests = _Interests(catalogue.interests, users, rng)
    user = np.arange(users)
    existing = np.isfinite(catalogue.starts)
    # How often each user took each item; what does not exist is never what was taken least.
    times = np.tile(np.where(existing, 0, steps), (users, 1, 1))
    walks = np.empty((users, steps), np.int64)
    item, stays = np.zeros(users, np.int64), np.zeros(users, bool)
    for step in range(steps):
        cluster = interests.active
        logits = np.where(
            stays[:, None], catalogue.follows[cluster, item], catalogue.starts[cluster]
        )
        taken = times[user, cluster]
        keys = _gumbel_keys(logits, logits.shape, rng)
        item = np.where(taken == taken.min(axis=1, keepdims=True), keys, -np.inf).argmax(axis=1)
        walks[:, step] = catalogue.first[cluster] + item
        times[user, cluster, item] += 1
        stays = interests.go_on(times[user, cluster].min(axis=1) > 0, rng)
    return walks


class _Interests:
    """Which clusters users like, and in which of them each is."""

    def __init__(
        self, logits: npt.NDArray[np.float64], users: int, rng: np.random.Generator
    ) -> None:
        self._logits = logits
        self._user = np.arange(users)
        self._place = np.zeros(users, np.int64)
        count = min(_INTERESTS, len(logits))
        self._clusters = _largest(_gumbel_keys(logits, (users, len(logits)), rng), count)

    @property
    def active(self) -> npt.NDArray[np.int64]:
        """The cluster that each user is in, int [users]."""
        return self._clusters[self._user, self._place]

    def go_on(self, done: npt.NDArray[np.bool_], rng: np.random.Generator) -> npt.NDArray[np.bool_]:
        """Let some users go over to another cluster, those who are done with theirs among them.

        bool [users], whether each one stays.
        """
        users, count = self._clusters.shape
        if count == 1:
            return np.ones(users, bool)
        leaves = done | (rng.random(users) < _SWITCH_PROBABILITY)
        left = self._place
        self._place = (left + leaves * rng.integers(1, count, size=users)) % count
        if count < len(self._logits):
            keys = _gumbel_keys(self._logits, (users, len(self._logits)), rng)
            np.put_along_axis(keys, self._clusters, -np.inf, axis=1)
            loses = leaves & (done | (rng.random(users) < _CHANGE_PROBABILITY))
            self._clusters[loses, left[loses]] = keys[loses].argmax(axis=1)
        return ~leaves


def _new_to_users(
    walks: npt.NDArray[np.int64],
    shown: npt.NDArray[np.bool_],
    items: int,
    rng: np.random.Generator,
) -> npt.NDArray[np.int64]:
    """All items in the order in which each user meets them as noise: int [users, items].

    They are drawn without replacement by how often walks show them, and never is as seldom as once.
    Those that the user's own walk shows come last.
    """
    counts = np.bincount(walks[shown], minlength=items)
    keys = _gumbel_keys(np.log(np.maximum(counts, 1)), (len(walks), items), rng)
    user, _ = np.nonzero(shown)
    keys[user, walks[shown]] = -np.inf
    return _largest(keys, items)


def _gumbel_keys(
    logits: npt.NDArray[np.float64], shape: tuple[int, ...], rng: np.random.Generator
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
