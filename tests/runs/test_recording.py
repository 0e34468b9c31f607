"""The rules by which the best epoch is chosen and training stops."""

from __future__ import annotations

from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from tf_recdenoiser.runs.recording import best_epoch, is_exhausted

# Few different values, so that there are ties; None where an epoch was not validated.
histories = st.lists(st.sampled_from([None, 0.0, 0.1, 0.2, 0.3]), max_size=8)


def rows(values: list[float | None]) -> list[dict[str, Any]]:
    return [
        {"epoch": number, "loss": 1.0, **({} if value is None else {"val_ndcg@10": value})}
        for number, value in enumerate(values, 1)
    ]


@settings(max_examples=100, deadline=None)
@given(histories)
def test_the_first_of_the_best_epochs_is_the_best(values: list[float | None]) -> None:
    validated = [value for value in values if value is not None]
    expected = 1 + values.index(max(validated)) if validated else None
    assert best_epoch(rows(values)) == expected


@settings(max_examples=100, deadline=None)
@given(histories, st.integers(0, 4))
def test_training_stops_when_no_epoch_of_the_last_ones_is_the_best(
    values: list[float | None], patience: int
) -> None:
    """Against an epoch by epoch count of how long it is that the best one was beaten."""
    best, waited = None, 0
    for value in values:
        waited += 1
        if value is not None and (best is None or value > best):
            best, waited = value, 0
    expected = patience > 0 and best is not None and waited >= patience
    assert is_exhausted(rows(values), patience) is expected
