"""Evaluation protocols: which rows are evaluated, and what each target is ranked against.

A protocol never sees a score, so every model meets the same candidates.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import NamedTuple, Protocol

import numpy as np

from tf_recdenoiser.evaluation.arrays import BoolArray, FloatArray, IntArray
from tf_recdenoiser.evaluation.problem import (
    EvaluationProblem,
    Seen,
    check_range,
    check_vector,
    entries,
)
from tf_recdenoiser.evaluation.sampling import (
    random_key,
    remaining_items,
    uniforms,
    with_replacement,
    without_replacement,
)

MOST_SCORES = 2**26
"""How many scores are in memory at a time, if they are of several rows."""


class Candidates(NamedTuple):
    """What the targets of R rows are ranked against, the targets themselves left out.

    Attributes
    ----------
    items
        [R, C] items, 0 for none; None for the whole catalogue, whose columns are the item
        codes (C = item_count + 1).
    valid
        [R, C], False where a column is no candidate.
    """

    items: IntArray | None
    valid: BoolArray

    @property
    def short_rows(self) -> int:
        """How many rows have fewer candidates than were to be drawn; 0 for the catalogue."""
        return 0 if self.items is None else int((~self.valid).any(axis=1).sum())


class RankingProtocol(Protocol):
    """What a protocol has to say.

    Both answers follow from the arguments alone, and the candidates of a row do not depend on the
    other rows it is asked about with.
    """

    def choose_rows(self, problem: EvaluationProblem, seed: int) -> IntArray:
        """[R] rows of the problem to evaluate, rising."""

    def candidates(self, problem: EvaluationProblem, rows: IntArray, seed: int) -> Candidates:
        """The candidates of some of these rows."""

    def columns(self, problem: EvaluationProblem) -> int:
        """C, as `Candidates` has it."""


@dataclass(frozen=True)
class FullRanking:
    """The target against the whole catalogue, without the items of the row's history.

    A target that is in the history too (a repeated item) is still ranked.
    """

    def choose_rows(self, problem: EvaluationProblem, seed: int) -> IntArray:
        """All rows; nothing is random here."""
        return np.arange(len(problem.targets))

    def candidates(self, problem: EvaluationProblem, rows: IntArray, seed: int) -> Candidates:
        """The catalogue [R, item_count + 1], padding, history and target crossed out."""
        valid = np.ones((len(rows), problem.item_count + 1), dtype=bool)
        positions, items = entries(problem.seen, rows)
        valid[positions, items] = False
        valid[:, 0] = False
        valid[np.arange(len(rows)), problem.targets[rows]] = False
        return Candidates(None, valid)

    def columns(self, problem: EvaluationProblem) -> int:
        """All items, and padding."""
        return problem.item_count + 1


@dataclass(frozen=True)
class SampledRanking:
    """The target against a random sample of the items that are not on one of the user's lists.

    Attributes
    ----------
    name
        The protocol's name, so that protocols of one seed draw different numbers.
    excluded
        The lists of items that are not drawn.
    draw
        `draw(available [R], uniform [R, C]) -> [R, C]`, how a sample is taken.
    sample_size
        C, the number of draws.
    most_rows
        Evaluate a random sample of this many rows where there are more; None: all.
    """

    name: str
    excluded: Callable[[EvaluationProblem], Seen]
    draw: Callable[[IntArray, FloatArray], IntArray]
    sample_size: int = 100
    most_rows: int | None = None

    def choose_rows(self, problem: EvaluationProblem, seed: int) -> IntArray:
        """All rows, or the `most_rows` of them with the smallest random numbers."""
        rows = np.arange(len(problem.targets))
        if self.most_rows is None or len(rows) <= self.most_rows:
            return rows
        order = uniforms(random_key(seed, self.name, "rows"), rows, count=1)[:, 0]
        return np.sort(np.argpartition(order, self.most_rows)[: self.most_rows])

    def candidates(self, problem: EvaluationProblem, rows: IntArray, seed: int) -> Candidates:
        """The drawn items [R, sample_size], 0 where there are too few to draw from."""
        remaining = remaining_items(self.excluded(problem), rows, problem.item_count)
        uniform = uniforms(random_key(seed, self.name, "negatives"), rows, self.sample_size)
        items = remaining.items(self.draw(remaining.available, uniform))
        return Candidates(items, items != 0)

    def columns(self, problem: EvaluationProblem) -> int:
        """The sample's size."""
        return self.sample_size


PROTOCOLS: dict[str, RankingProtocol] = {
    "full": FullRanking(),
    "paper": SampledRanking("paper", lambda problem: problem.interacted, without_replacement),
    "sasrec": SampledRanking(
        "sasrec", lambda problem: problem.train, with_replacement, most_rows=10_000
    ),
}
"""The protocols by name: a new one is a class or a setting of one, and a line here.

`full`: the whole catalogue, items of the history excluded. The headline.

`paper`: 100 different items that the user never interacted with; all such items where there are
fewer, `Result.short_rows` says in how many rows. The protocol of Rec-Denoiser (Chen et al. 2022).

`sasrec`: as the published code of SASRec (Kang and McAuley 2018) samples: 100 draws with
replacement, and only the user's training items are excluded. So the validation item and even the
target can be drawn, and a drawn target ties with itself, which counts against the model. 10,000
random rows where there are more.
"""


def protocol_named(name: str) -> RankingProtocol:
    """The protocol of that name; ValueError if there is none."""
    if name not in PROTOCOLS:
        raise ValueError(
            f"`protocol` must be one of {', '.join(PROTOCOLS)}. Received: protocol={name!r}"
        )
    return PROTOCOLS[name]


@dataclass(frozen=True, eq=False)
class Negatives:
    """Negatives drawn beforehand, so that many models, or other programs, can be given them.

    Attributes
    ----------
    protocol
        Name of the protocol they belong to.
    seed
        The seed they were drawn with.
    rows
        [R] rows of the problem, rising.
    items
        [R, C] negatives of each row, 0 for none.

    Raises
    ------
    ValueError
        For rows that do not rise or arrays that do not fit together.
    """

    protocol: str
    seed: int
    rows: IntArray
    items: IntArray

    def __post_init__(self) -> None:
        check_vector("rows", self.rows)
        if (self.rows[1:] <= self.rows[:-1]).any():
            raise ValueError(f"`rows` must rise, each row once. Received: {self.rows}")
        if not len(self.rows):
            raise ValueError("`rows` must hold at least one row. Received: an empty array")
        shape, dtype = self.items.shape, self.items.dtype
        if len(shape) != 2 or shape[0] != len(self.rows) or dtype.kind not in "iu":
            raise ValueError(
                f"`items` must be integers of shape [{len(self.rows)}, C], a line for each of "
                f"`rows`. Received: {dtype} of shape {shape}"
            )

    def check_fit(self, problem: EvaluationProblem, protocol: str, seed: int) -> None:
        """Raise ValueError unless these are negatives for the problem, protocol and seed."""
        if (self.protocol, self.seed) != (protocol, seed):
            raise ValueError(
                "`negatives` must come with the protocol and seed they were drawn with, "
                f"protocol={self.protocol!r} and seed={self.seed}. "
                f"Received: protocol={protocol!r} and seed={seed}"
            )
        check_range("negatives.rows", self.rows, 0, len(problem.targets) - 1)
        check_range("negatives.items", self.items, 0, problem.item_count)

    def batches(self, batch_size: int) -> Iterator[tuple[IntArray, Candidates]]:
        """The rows and their negatives, at most `batch_size` rows at a time."""
        for batch in _slices(len(self.rows), batch_size):
            yield self.rows[batch], Candidates(self.items[batch], self.items[batch] != 0)


def draw_batches(
    problem: EvaluationProblem, protocol: str, seed: int, batch_size: int
) -> Iterator[tuple[IntArray, Candidates]]:
    """A protocol's rows and their candidates, at most `batch_size` rows at a time.

    Fewer, if need be for at most `MOST_SCORES` candidates at a time.
    """
    chosen = protocol_named(protocol)
    rows = chosen.choose_rows(problem, seed)
    batch_size = min(batch_size, max(MOST_SCORES // chosen.columns(problem), 1))
    for batch in _slices(len(rows), batch_size):
        yield rows[batch], chosen.candidates(problem, rows[batch], seed)


def _slices(length: int, batch_size: int) -> Iterator[slice]:
    if batch_size < 1:
        raise ValueError(f"`batch_size` must be at least 1. Received: batch_size={batch_size}")
    return (slice(start, start + batch_size) for start in range(0, length, batch_size))


def draw_negatives(problem: EvaluationProblem, protocol: str, seed: int) -> Negatives:
    """The negatives that `evaluate` would draw for the same arguments.

    Parameters
    ----------
    problem
        The rows to be evaluated.
    protocol
        A name of `PROTOCOLS`, of a protocol that samples.
    seed
        Seed of the draws.

    Raises
    ------
    ValueError
        For an unknown protocol, and for one that ranks the whole catalogue.

    Examples
    --------
    >>> one, none = (np.array([0, 1]), np.array([3])), (np.array([0, 0]), np.array([], np.int64))
    >>> problem = EvaluationProblem(4, np.array([3]), seen=none, train=none, interacted=one)
    >>> sorted(draw_negatives(problem, "paper", seed=0).items[0, :3].tolist())
    [1, 2, 4]
    """
    drawn_rows, drawn_items = [], []
    for rows, candidates in draw_batches(problem, protocol, seed, batch_size=512):
        if candidates.items is None:
            raise ValueError(
                "`protocol` must be one that samples: this one ranks the whole catalogue and has "
                f"no negatives to draw. Received: protocol={protocol!r}"
            )
        drawn_rows.append(rows)
        drawn_items.append(candidates.items)
    return Negatives(protocol, seed, np.concatenate(drawn_rows), np.concatenate(drawn_items))
