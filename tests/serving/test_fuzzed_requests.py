"""Any request to an exported model is answered row by row as documented, or refused as documented.

It is asked in TensorFlow's C++ loader, as a server asks it.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import ExitStack
from random import Random

import numpy as np
import pytest

from tests.params import only
from tests.serving import c_loader
from tests.serving.c_loader import LoadedModel, TensorFlowError
from tests.serving.random_requests import (
    KINDS,
    Answer,
    Kind,
    Request,
    alone,
    answers,
    assert_explained,
    assert_recommended,
    ids_of,
    inputs_of,
    random_request,
    rows_of,
    rules_broken,
)

pytestmark = pytest.mark.skipif(
    not c_loader.SUPPORTED, reason="TensorFlow's C library is found on Linux only"
)

INVALID_ARGUMENT = 3
FEW, MANY = range(100), range(100, 350)
# Between them: numbers and text, users, times, noise, feedback, gates of two kinds.
FAST = ("times and noise", "users and feedback")
Served = tuple[Kind, LoadedModel]


@pytest.fixture(scope="module")
def served_as(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Callable[[str], Served]]:
    """A model of a kind and its export, which is made once."""
    found: dict[str, Served] = {}
    with ExitStack() as loaded:

        def serve(name: str) -> Served:
            if name not in found:
                kind = KINDS[name]()
                path = kind.export(tmp_path_factory.mktemp("fuzzed"))
                found[name] = kind, loaded.enter_context(c_loader.load(path))
            return found[name]

        yield serve


@pytest.mark.parametrize(
    "seeds", [pytest.param(FEW, id="few"), pytest.param(MANY, id="many", marks=pytest.mark.slow)]
)
@pytest.mark.parametrize("name", only(lambda name: name in FAST, KINDS))
def test_any_request_is_answered_or_refused_as_documented(
    served_as: Callable[[str], Served], name: str, seeds: range
) -> None:
    kind, served = served_as(name)
    answered = []
    for seed in seeds:
        random = Random(f"{name} {seed}")
        request = random_request(kind, random)
        for signature in ("serving_default", "explain"):
            if rules_broken(signature, request):
                assert_refused(served, signature, request)
        if not rules_broken("serving_default", request):
            answered.append((request, random))
    assert len(seeds) / 2 < len(answered) < len(seeds)
    print(f"\n{name}: {len(answered)} of {len(seeds)} requests are to be answered")
    rows = [row for request, _ in answered for row in rows_of(kind, request)]
    expected = iter(answers(kind, rows))
    for request, random in answered:
        assert_answered(kind, served, request, expected, random)


@pytest.mark.parametrize("times", [[[1.0, 2.0]], [[1.0], [2.0]], [[]]])
def test_times_that_are_not_those_of_the_histories_are_refused(
    served_as: Callable[[str], Served], times: list[list[float]]
) -> None:
    """They were repeated: two rows of times made two answers of one history."""
    kind, served = served_as("times and noise")
    request = {
        "histories": ids_of(kind, [["a"]], 1),
        "times": np.array(times),
        "lengths": np.array([-1], np.int32),
        "k": np.array([2], np.int32),
        "exclude_seen": np.array([True]),
        "clean_history": np.array([True]),
    }
    for signature in ("serving_default", "explain"):
        with pytest.raises(TensorFlowError, match="`times` must have the shape of `histories`"):
            served.run(signature, inputs_of(signature, request))


def assert_refused(served: LoadedModel, signature: str, request: Request) -> None:
    with pytest.raises(TensorFlowError) as caught:
        served.run(signature, inputs_of(signature, request))
    assert caught.value.code == INVALID_ARGUMENT
    rules = rules_broken(signature, request)
    assert any(rule in str(caught.value) for rule in rules), caught.value


def assert_answered(
    kind: Kind, served: LoadedModel, request: Request, expected: Iterator[Answer], random: Random
) -> None:
    """By both signatures; and one row of it by itself, written in another way."""
    rows = rows_of(kind, request)
    of_rows = [next(expected) for _ in rows]
    assert_recommended(kind, rows, of_rows, served.run("serving_default", request))
    assert_explained(rows, of_rows, served.run("explain", inputs_of("explain", request)))
    if rows:
        number = random.randrange(len(rows))
        got = served.run("serving_default", alone(kind, request, number, random))
        assert_recommended(kind, [rows[number]], [of_rows[number]], got)
