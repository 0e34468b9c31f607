"""Random requests to exported recommenders, and what must come of them.

What a model says of a history is asked of the model itself, in Python, with the rows of all
requests in one batch; all else is worked out here from the words of `ServingModule.signatures`.
"""

from __future__ import annotations

import dataclasses
import functools
from collections.abc import Callable, Sequence
from pathlib import Path
from random import Random
from typing import Any

import numpy as np
import numpy.typing as npt

from tests.retrieval.reference import (
    ITEM_COUNT,
    LOWEST,
    MAX_K,
    MAX_LENGTH,
    VOCABULARIES,
    Taste,
    as_served,
    random_noise_scorer,
    random_recommender,
)
from tf_recdenoiser.backbones import SSEPT, TiSASRec
from tf_recdenoiser.noise import Cleaning, NoiseScorer
from tf_recdenoiser.retrieval import ServingModule, export_saved_model
from tf_recdenoiser.training import Recommender
from tf_recdenoiser.training.explain import explain

Array = npt.NDArray[Any]
Request = dict[str, Array]

SMALLEST, LARGEST = -(2**63), 2**63 - 1
# With -1 among them, so that another number stands for no item.
NUMBERS = np.array([-1, 0, 1, 7, 40, -9, 2**40, LARGEST, 99, 12, 13, -(2**62)])
NO_NUMBER = -(2**62) - 1
STRANGE_NUMBERS = [NO_NUMBER, SMALLEST, -2, 2, 2**31, 2**40 + 1, LARGEST - 1]
TEXTS = VOCABULARIES["str"]
STRANGE_TEXTS = ["", "nothing", "7\0", "\0", "y" * 5000, "a\u0308", b"\xff\xfe", b"\xc3"]
USERS = np.array([-1, 5, 2**50])
USER_CODES = {user: code for code, user in enumerate(USERS.tolist(), 1)}
STRANGE_USERS = [-2, 0, SMALLEST, LARGEST]
STRANGE_TIMES = [np.nan, np.inf, -np.inf, 0.0, -1.5e9, 1e308, -1e308, 1.5e9, 1e-300]
USUAL_DISLIKED = [-1.0, -1.0, 0.0, 1.0, 0.5]
STRANGE_DISLIKED = [np.nan, np.inf, -np.inf, 3.0, 0.25, -1e-3, 3e38]
USUAL_K, STRANGE_K = [1, 2, 3, 10, ITEM_COUNT, MAX_K], [0, -1, MAX_K + 1, 2**31 - 1, -(2**31)]
STRANGE_LENGTHS = [-(2**31), -2, 2**31 - 1]
# Thresholds that untrained detectors reach.
CLEANING = Cleaning(above=0.6, newest_above=0.5)


# --- Models -----------------------------------------------------------------------------------


@dataclasses.dataclass(frozen=True)
class Kind:
    """A model to be served, and what there is around it.

    Where there is a `taste`, `noise` is its scorer.
    """

    model: Recommender
    ids: Array
    noise: NoiseScorer | None = None
    taste: Taste | None = None

    @property
    def reads(self) -> tuple[str, ...]:
        return self.model.backbone.extra_inputs

    @property
    def softens(self) -> bool:
        return "clean_probability" in self.reads

    @property
    def no_id(self) -> Any:
        return NO_NUMBER if self.ids is NUMBERS else b""

    @property
    def strange_ids(self) -> list[Any]:
        return STRANGE_NUMBERS if self.ids is NUMBERS else STRANGE_TEXTS

    @functools.cached_property
    def codes(self) -> dict[Any, int]:
        """Of each id, as the C library gives it."""
        return {item: code for code, item in enumerate(as_served(self.ids.tolist()), 1)}

    @property
    def options(self) -> dict[str, Any]:
        """What is served with the model."""
        return {
            "max_k": MAX_K,
            "noise": self.noise,
            "cleaning": None if self.softens or self.noise is None else CLEANING,
            "user_ids": USERS if "user_ids" in self.reads else None,
        }

    def module(self) -> ServingModule:
        return ServingModule(self.model, self.ids, **self.options)

    def export(self, folder: Path) -> Path:
        return export_saved_model(self.model, self.ids, folder / "model", **self.options)


KINDS: dict[str, Callable[[], Kind]] = {
    "numbers": lambda: Kind(random_recommender(), NUMBERS),
    "text": lambda: Kind(random_recommender(gates=None), TEXTS),
    "relative gates": lambda: Kind(random_recommender(gates="relative"), NUMBERS),
    "softened noise": lambda: Kind(
        random_recommender(soften="everywhere"), TEXTS, random_noise_scorer()
    ),
    "users and feedback": lambda: Kind(
        random_recommender(
            backbone=SSEPT, user_count=len(USERS), user_dim=4, num_layers=1, gates="relative"
        ),
        NUMBERS,
        Taste.drawn().scorer(),
        Taste.drawn(),
    ),
    "times and noise": lambda: Kind(
        random_recommender(backbone=TiSASRec), TEXTS, random_noise_scorer()
    ),
}


# --- Requests ---------------------------------------------------------------------------------


def random_request(kind: Kind, random: Random) -> Request:
    """One that may be refused, as about one in seven is."""
    rows = random.choice([0, 1, 1, 2, 3, 4])
    columns = random.choice([0, 1, 2, MAX_LENGTH - 1, MAX_LENGTH, MAX_LENGTH + 1, 15, 40])
    every = [*kind.ids.tolist(), *kind.strange_ids]
    pool = random.choice([every, kind.ids.tolist(), random.sample(every, random.randint(1, 5))])
    strange_k = random.choice(STRANGE_K)
    request = {
        "histories": ids_of(kind, [random.choices(pool, k=columns) for _ in range(rows)], columns),
        "lengths": some(random, rows, [-1, *range(columns + 2), *STRANGE_LENGTHS], np.int32),
        "k": some(random, rows, random.choices([USUAL_K, [1, strange_k]], [6, 1])[0], np.int32),
        "exclude_seen": some(random, rows, [True, True, False], np.bool_),
    }
    if "user_ids" in kind.reads:
        request["users"] = some(random, rows, [*USERS.tolist(), *STRANGE_USERS], np.int64)
    if "times" in kind.reads:
        request["times"] = random_times(random, rows, columns)
    if kind.taste is not None:
        request["disliked"] = random_disliked(random, rows, columns)
    if kind.noise is not None:
        request["clean_history"] = some(random, rows, [True, True, False], np.bool_)
    return request


def ids_of(kind: Kind, rows: list[list[Any]], columns: int) -> Array:
    dtype = np.int64 if kind.ids is NUMBERS else object
    return np.array([as_served(row) for row in rows], dtype).reshape(len(rows), columns)


def some(random: Random, rows: int, values: Sequence[Any], dtype: Any) -> Array:
    """A value for each row, or one for all; now and then another number of values."""
    wrong = random.randrange(20) == 0
    count = random.randint(0, rows + 2) if wrong else random.choice([1, rows, rows])
    return np.array([random.choice(values) for _ in range(count)], dtype)


def random_times(random: Random, rows: int, columns: int) -> Array:
    """Rising, falling or any; now and then of another shape than the histories."""
    if random.randrange(15) == 0:
        rows, columns = random.choice([(rows, columns + 1), (1, columns), (rows + 1, 1)])
    times = np.zeros([rows, columns])
    for row in times:
        steps = [random.choice([0, 1, 60, 1e6]) for _ in row]
        rising = 1.5e9 + np.cumsum(steps)
        strange = np.array(random.choices(STRANGE_TIMES, k=columns))
        row[:] = random.choice([rising, rising, rising[::-1], strange])
    return times


def random_disliked(random: Random, rows: int, columns: int) -> Array:
    """One value for each entry, or one for all; now and then of another shape."""
    shape = random.choice([(rows, columns), (rows, columns), (1, 1)])
    if random.randrange(15) == 0:
        shape = random.choice([(rows, columns + 1), (1, columns), (rows, 1), (rows + 1, 1)])
    pool = random.choice([USUAL_DISLIKED, [*USUAL_DISLIKED, *STRANGE_DISLIKED]])
    values = random.choices(pool, k=shape[0] * shape[1])
    return np.array(values, np.float32).reshape(shape)


def rules_broken(signature: str, request: Request) -> list[str]:
    """What the refusal of a request may say; nothing if it must be answered."""
    rows = len(request["histories"])
    read = inputs_of(signature, request)
    broken = [
        f"`{name}` must have one row, or as many as `histories`"
        for name in {*read} - {"histories", "times", "disliked"}
        if len(read[name]) not in (1, rows)
    ]
    if "times" in read and read["times"].shape != read["histories"].shape:
        broken.append("`times` must have the shape of `histories`")
    if "disliked" in read and read["disliked"].shape not in (read["histories"].shape, (1, 1)):
        broken.append("`disliked` must have the shape of `histories`, or hold one value")
    return broken


def inputs_of(signature: str, request: Request) -> Request:
    left_out = {"k", "exclude_seen"} if signature == "explain" else set()
    return {name: values for name, values in request.items() if name not in left_out}


# --- What they ask ----------------------------------------------------------------------------


@dataclasses.dataclass(frozen=True)
class Row:
    """The entries of one history that count, and its choices.

    `columns` are those of the entries that are known, and `codes` theirs.
    """

    items: list[Any]
    times: list[float]
    disliked: list[float]
    columns: list[int]
    codes: list[int]
    user: int
    clean: bool
    k: int
    seen_out: bool


def rows_of(kind: Kind, request: Request) -> list[Row]:
    """What a request asks that must be answered."""
    return [row_of(kind, request, number) for number in range(len(request["histories"]))]


def row_of(kind: Kind, request: Request, number: int) -> Row:
    own = {
        name: values[number if len(values) > 1 else 0].tolist() for name, values in request.items()
    }
    length = own["lengths"] if own["lengths"] >= 0 else len(own["histories"])
    items = own["histories"][:length]
    times = own.get("times", [0.0] * len(items))[:length]
    disliked = own.get("disliked", [-1.0])
    if len(disliked) == 1:
        disliked *= len(items)
    columns = [
        column
        for column, item in enumerate(items)
        if item in kind.codes and np.isfinite(times[column])
    ]
    return Row(
        items=items,
        times=times,
        disliked=disliked[:length],
        columns=columns,
        codes=[kind.codes[items[column]] for column in columns],
        user=USER_CODES.get(own.get("users"), 0),
        clean=own.get("clean_history", False),
        k=min(max(own["k"], 1), MAX_K),
        seen_out=own["exclude_seen"],
    )


def alone(kind: Kind, request: Request, number: int, random: Random) -> Request:
    """A row by itself, without what does not count, and with unknown ids anywhere."""
    row = row_of(kind, request, number)
    entries = list(zip(row.items, row.times, row.disliked, strict=True))
    for _ in range(random.randint(1, 8)):
        added = random.choice(as_served(kind.strange_ids)), random.choice(STRANGE_TIMES)
        place = random.randint(0, len(entries))
        entries.insert(place, (*added, random.choice(STRANGE_DISLIKED)))
    own = {name: values[number if len(values) > 1 else 0] for name, values in request.items()}
    own["lengths"] = np.int32(-1)
    changed = {name: np.array([value]) for name, value in own.items()}
    items, times, disliked = map(list, zip(*entries, strict=True))
    changed["histories"] = ids_of(kind, [items], len(entries))
    if "times" in request:
        changed["times"] = np.array([times])
    if "disliked" in request:
        changed["disliked"] = np.array([disliked], np.float32)
    return changed


# --- What must be answered --------------------------------------------------------------------


@dataclasses.dataclass(frozen=True)
class Answer:
    """Scores by code; the columns that are looked at and their noise; those that are read.

    `told` is what an explanation says of each column that is read.
    """

    scores: Array
    looked_at: list[int]
    noise: Array
    read: list[int]
    told: dict[str, Array]


def answers(kind: Kind, rows: list[Row]) -> list[Answer]:
    """What the model says of these rows."""
    windows = [row.columns[-MAX_LENGTH:] for row in rows]
    codes = [row.codes[-MAX_LENGTH:] for row in rows]
    noise = [np.zeros(len(window)) for window in windows]
    if kind.taste is not None:
        of_rows = zip(rows, windows, codes, strict=True)
        said = [(own, [known(row.disliked[at]) for at in window]) for row, window, own in of_rows]
        noise = [np.array(kind.taste.probabilities(own, answers)) for own, answers in said]
    elif kind.noise is not None:
        found = kind.noise(left_padded(codes, np.int32))
        noise = [own[MAX_LENGTH - len(row) :] for own, row in zip(found, codes, strict=True)]
    treated = [own * row.clean for own, row in zip(noise, rows, strict=True)]
    all_stay = kind.softens or kind.noise is None
    stay = [[*range(len(own))] if all_stay else cleaned(own.tolist()) for own in treated]

    def of_those(values: list[Any]) -> list[list[Any]]:
        return [[own[place] for place in places] for own, places in zip(values, stay, strict=True)]

    read = of_those(windows)
    inputs = {"item_ids": left_padded(of_those(codes), np.int32)}
    if "times" in kind.reads:
        times = [[row.times[column] for column in own] for row, own in zip(rows, read, strict=True)]
        inputs["times"] = left_padded(times, np.float64)
    if "user_ids" in kind.reads:
        inputs["user_ids"] = np.array([row.user for row in rows], np.int32)
    if kind.softens:
        inputs["clean_probability"] = left_padded([1 - own for own in treated], np.float32)
    scores, explained = (
        kind.model.score(**inputs),
        dataclasses.asdict(explain(kind.model, **inputs)),
    )
    return [
        Answer(
            scores[number],
            windows[number],
            noise[number],
            own,
            {
                name: values[number][..., MAX_LENGTH - len(own) :]
                for name, values in explained.items()
            },
        )
        for number, own in enumerate(read)
    ]


def known(disliked: float) -> float:
    """What is known of how an entry was liked, from 0 to 1; NaN for nothing."""
    return min(disliked, 1.0) if disliked >= 0 else np.nan


def left_padded(rows: Sequence[Any], dtype: Any) -> Array:
    padded = [[0] * (MAX_LENGTH - len(row)) + [*row] for row in rows]
    return np.array(padded, dtype).reshape(-1, MAX_LENGTH)


def cleaned(noise: list[float]) -> list[int]:
    """The places of what `CLEANING` leaves."""
    end = len(noise)
    while end and noise[end - 1] > CLEANING.newest_above:
        end -= 1
    stay = [place for place in range(end) if noise[place] <= CLEANING.above]
    newest_first = range(len(noise) - 1, -1, -1)
    return stay or [min(newest_first, key=noise.__getitem__)] if noise else []


def assert_recommended(
    kind: Kind, rows: list[Row], expected: list[Answer], got: dict[str, Array]
) -> None:
    """Each row has the best of its items that are left, best first, and no other."""
    assert got["k"].tolist() == [row.k for row in rows]
    width = max((row.k for row in rows), default=0)
    assert got["item_ids"].shape == got["scores"].shape == (len(rows), width)
    for row, answer, ids, scores in zip(
        rows, expected, got["item_ids"].tolist(), got["scores"], strict=True
    ):
        left = {*range(1, ITEM_COUNT + 1)} - ({*row.codes} if row.seen_out else set())
        best = np.sort(answer.scores[sorted(left)])[::-1][: row.k]
        none = width - len(best)
        assert ids[len(best) :] == [kind.no_id] * none
        assert (scores[len(best) :] == LOWEST).all()
        found = [kind.codes[item] for item in ids[: len(best)]]
        assert len({*found}) == len(found) and {*found} <= left
        assert (np.diff(scores[: len(best)]) <= 0).all()
        # By its score and by its id, so that scores may be equal but for rounding.
        np.testing.assert_allclose(scores[: len(best)], best, rtol=1e-4, atol=1e-4)
        np.testing.assert_allclose(answer.scores[found], best, rtol=1e-4, atol=1e-4)


def assert_explained(rows: list[Row], expected: list[Answer], got: dict[str, Array]) -> None:
    """What is read is explained, and everything else is 0."""
    for number, (row, answer) in enumerate(zip(rows, expected, strict=True)):
        assert np.flatnonzero(got["known"][number]).tolist() == row.columns
        wanted = {name: (answer.read, values) for name, values in answer.told.items()}
        if "noise" in got:
            wanted["noise"] = answer.looked_at, answer.noise
        assert {*got} == {*wanted, "known"}
        for name, (columns, values) in wanted.items():
            whole = np.zeros(got[name][number].shape)
            whole[..., columns] = values
            np.testing.assert_allclose(got[name][number], whole, rtol=1e-4, atol=1e-5, err_msg=name)
