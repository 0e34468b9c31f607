"""Each pattern against its definition in words, one pair of positions after another."""

from __future__ import annotations

import inspect
import math
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tf_recdenoiser.ops import PATTERNS

SMALL = {"width": 1, "hubs": 1, "stride": 3, "dilation": 2, "summaries": 1, "edges": 2, "seed": 7}


def in_window(u: int, v: int, width: int = 8) -> bool:
    return u - width <= v <= u + width


def near_or_hub(u: int, v: int, n: int, width: int = 8, hubs: int = 2) -> bool:
    return in_window(u, v, width) or u in range(hubs) or v in range(hubs)


def sees_strided(u: int, v: int, n: int, stride: int | None = None) -> bool:
    stride = stride or math.ceil(n**0.5)
    distance = max(u, v) - min(u, v)
    return distance < stride or distance in range(0, n, stride)


def sees_fixed(u: int, v: int, n: int, stride: int | None = None, summaries: int = 1) -> bool:
    """Of blocks that end at n - 1, n - 1 - stride, and so on."""
    stride = stride or math.ceil(n**0.5)
    for last in range(n - 1, -1, -stride):
        block = range(last - stride + 1, last + 1)
        if (u in block and v in block) or v in block[max(0, stride - summaries) :]:
            return True
    return False


def sees_dilated(u: int, v: int, n: int, width: int = 8, dilation: int = 2) -> bool:
    return any(v == u + step * dilation for step in range(-width, width + 1))


# Whether u sees v; for the random pattern, without its random edges.
SEES: dict[str, Callable[..., bool]] = {
    "strided": sees_strided,
    "fixed": sees_fixed,
    "sliding_window": lambda u, v, n, **options: in_window(u, v, **options),
    "dilated_window": sees_dilated,
    "local_global": near_or_hub,
    "local_global_random": near_or_hub,
    "star": lambda u, v, n: abs(u - v) <= 1 or u == 0 or v == 0,
}

every_pattern = pytest.mark.parametrize("name", PATTERNS)


def options_of(name: str, **values: Any) -> dict[str, Any]:
    known = inspect.signature(PATTERNS[name]).parameters
    return {option: value for option, value in values.items() if option in known}


@every_pattern
@settings(max_examples=25, deadline=None)
@given(data=st.data(), length=st.integers(1, 30))
def test_it_is_its_definition(name: str, data: st.DataObject, length: int) -> None:
    """With options or with its defaults."""
    numbers = st.integers(1, 6)
    options = options_of(name, **{option: data.draw(numbers) for option in SMALL})
    options = data.draw(st.sampled_from([{}, options]))
    pattern = PATTERNS[name](length, **options)
    assert pattern.shape == (length, length) and pattern.dtype == bool
    plain = {k: v for k, v in options.items() if k not in ("edges", "seed")}
    for u in range(length):
        for v in range(length):
            expected = SEES[name](u, v, length, **plain)
            assert pattern[u, v] or not expected
            assert not pattern[u, v] or expected or name == "local_global_random"


@every_pattern
@pytest.mark.parametrize("length", [1, 2, 7, 50])
def test_every_position_sees_itself(name: str, length: int) -> None:
    assert PATTERNS[name](length).diagonal().all()


@settings(max_examples=25, deadline=None)
@given(length=st.integers(1, 25), edges=st.integers(0, 4), seed=st.integers(0, 2**31))
def test_random_links_are_as_many_as_asked_for_on_either_side(
    length: int, edges: int, seed: int
) -> None:
    sparse, more = (
        PATTERNS["local_global_random"](length, width=2, hubs=1, edges=count, seed=seed)
        for count in (0, edges)
    )
    for u in range(length):
        for side in (slice(0, u), slice(u + 1, length)):
            free = np.sum(~sparse[u, side])
            assert np.sum(more[u, side] & ~sparse[u, side]) == min(edges, free)


def test_random_links_are_a_function_of_the_seed() -> None:
    pattern = PATTERNS["local_global_random"]
    np.testing.assert_array_equal(pattern(30, seed=1), pattern(30, seed=1))
    assert np.any(pattern(30, seed=1) != pattern(30, seed=2))


@pytest.mark.parametrize(
    ("name", "option", "least"),
    [
        ("strided", "stride", 1),
        ("fixed", "stride", 1),
        ("fixed", "summaries", 0),
        ("sliding_window", "width", 0),
        ("dilated_window", "width", 0),
        ("dilated_window", "dilation", 1),
        ("local_global", "hubs", 0),
        ("local_global_random", "edges", 0),
    ],
)
def test_a_wrong_option_is_named(name: str, option: str, least: int) -> None:
    received = rf"`{option}` must be at least {least}\. Received: {option}={least - 1}"
    with pytest.raises(ValueError, match=received):
        PATTERNS[name](5, **{option: least - 1})
