"""What a recommender is asked must fit together: nothing is repeated until it does."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from tf_recdenoiser.backbones import SSEPT, TiSASRec
from tf_recdenoiser.training import Recommender

pytestmark = pytest.mark.both_keras


@pytest.mark.parametrize(
    ("changed", "message"),
    [
        ({"item_ids": np.array([[1, 2, 3, 4]])}, r"`item_ids` must have the shape \(1, 3\)"),
        ({"item_ids": np.array([1, 2, 3])}, r"`item_ids` must have the shape \(3, 3\)"),
        ({"user_ids": np.array([1, 2])}, r"`user_ids` must have the shape \(1,\)"),
        ({"user_ids": np.array([3])}, "must be user ids from 1 to 2, or 0 .* Received: 3"),
        ({"user_ids": np.array([-1])}, "must be user ids from 1 to 2, or 0 .* Received: -1"),
        ({"clean_probability": np.ones([2, 3])}, r"must have the shape \(1, 3\). Received: \(2, 3"),
        ({"candidates": np.array([[1], [2]])}, r"`candidates` must have the shape \(1, 1\)"),
        ({"candidates": np.array([1, 2])}, r"`candidates` must have the shape \(1, 2\)"),
    ],
)
def test_no_input_is_repeated_until_it_fits(changed: dict[str, Any], message: str) -> None:
    model = Recommender(
        SSEPT(9, user_count=2, max_length=3, hidden_dim=4, user_dim=4, soften="input")
    )
    inputs = {"item_ids": np.array([[0, 3, 9]]), "user_ids": np.array([2])}
    assert model.score(**inputs).shape == (1, 10)
    with pytest.raises(ValueError, match=message):
        model.score(**{**inputs, **changed})


@pytest.mark.parametrize(
    ("times", "message"),
    [
        ([[0.0, np.nan, 1.0]], "`times` must be finite"),
        ([[0.0, np.inf, 1.0]], "`times` must be finite"),
        ([[0.0, 1.0, 2.0]] * 2, r"`times` must have the shape \(1, 3\). Received: \(2, 3\)"),
        ([[1.0]], r"`times` must have the shape \(1, 3\). Received: \(1, 1\)"),
    ],
)
def test_each_item_has_a_time(times: list[list[float]], message: str) -> None:
    model = Recommender(TiSASRec(9, max_length=3, hidden_dim=4))
    with pytest.raises(ValueError, match=message):
        model.score(np.array([[0, 3, 9]]), times=np.array(times))
