"""The exact enumerator against a loop and against finite differences of the expectation."""

from __future__ import annotations

import itertools

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.estimators.exact import exact_gradient, gate_states


def expectation(logits: np.ndarray, losses: dict[tuple[int, ...], float]) -> float:
    """The sum of P(z) f(z), one state after the other."""
    total = 0.0
    for state, loss in losses.items():
        signs = 2 * np.array(state) - 1
        total += loss * float(np.prod(1 / (1 + np.exp(-signs * logits))))
    return total


@settings(max_examples=25, deadline=None)
@given(st.integers(1, 5), st.integers(0, 2**31))
def test_it_is_the_slope_of_the_exact_expectation(count: int, seed: int) -> None:
    rng = np.random.default_rng(seed)
    logits = rng.normal(size=count)
    losses = {state: rng.normal() for state in itertools.product((0, 1), repeat=count)}
    listed = np.array([losses[tuple(int(z) for z in state)] for state in gate_states(count)])
    step = 1e-5 * np.eye(count)
    slope = [
        (expectation(logits + h, losses) - expectation(logits - h, losses)) / 2e-5 for h in step
    ]
    np.testing.assert_allclose(exact_gradient(logits, listed), slope, atol=1e-8)


@pytest.mark.parametrize("count", [1, 3, 6])
def test_every_state_is_listed_once_in_the_order_of_its_binary_number(count: int) -> None:
    states = gate_states(count)
    assert states.shape == (2**count, count)
    numbers = states @ 2 ** np.arange(count)
    np.testing.assert_array_equal(numbers, np.arange(2**count))
    assert set(np.unique(states)) == {0.0, 1.0}


@pytest.mark.parametrize("count", [0, 25])
def test_states_too_many_or_none_are_refused(count: int) -> None:
    with pytest.raises(ValueError, match=rf"`count` must be .* Received: count={count}$"):
        gate_states(count)


def test_losses_that_do_not_match_the_gates_are_refused() -> None:
    with pytest.raises(ValueError, match=r"`losses` must .* Received: shape \(3,\) for 2 gates$"):
        exact_gradient(np.zeros(2), np.zeros(3))
