"""Attention with and without gates, of models whose gates are known."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from tests.params import only
from tf_recdenoiser.backbones import BERT4Rec, GRU4Rec, SASRec
from tf_recdenoiser.layers import GATES
from tf_recdenoiser.reports.attention import attention_maps, seen, without_gates
from tf_recdenoiser.reports.gates import keep_map, keep_values, recorded
from tf_recdenoiser.training import Recommender

N = 6
RNG = np.random.default_rng(0)
ITEM_IDS = RNG.integers(1, 10, size=[4, N]).astype(np.int32)
ITEM_IDS[0, :4], ITEM_IDS[1, :1] = 0, 0


def model(kind: type[Any], gates: str | None) -> tuple[Any, dict[str, Any]]:
    """A backbone with two layers, and histories as it reads them."""
    backbone = kind(item_count=9, max_length=N, hidden_dim=8, num_layers=2, gates=gates)
    return backbone, Recommender(backbone).inputs_of(ITEM_IDS)


@pytest.mark.parametrize(
    ("kind", "gates"),
    only(
        lambda kind, gates: kind is SASRec and gates in ("positional", "item"),
        [(kind, gates) for kind in (SASRec, BERT4Rec) for gates in GATES],
    ),
)
def test_without_gates_is_as_with_all_of_them_open(kind: type[Any], gates: str) -> None:
    backbone, inputs = model(kind, gates)
    # Of items and pairs the gates start as constants: open for certain at this logit.
    layers = Recommender(backbone).gate_layers
    for layer in layers:
        (constants,) = (
            v for v in layer.variables if "kernel" not in v.name and "dual" not in v.name
        )
        constants.assign(np.full(constants.shape, 40.0))
    plain = without_gates(backbone)
    assert plain is not backbone
    for one, other in zip(
        attention_maps(backbone, inputs), attention_maps(plain, inputs), strict=True
    ):
        np.testing.assert_allclose(one, other, atol=1e-6)


def test_attention_is_a_share_and_gates_take_from_it_what_they_prune() -> None:
    backbone, inputs = model(SASRec, "positional")
    rng = np.random.default_rng(1)
    kept = rng.random([N, N]) < 0.5
    first, second = Recommender(backbone).gate_layers
    first.logits.assign(np.where(kept, 40.0, -40.0))
    second.logits.assign(np.full([N, N], 40.0))
    plain, gated = (attention_maps(one, inputs)[0] for one in (without_gates(backbone), backbone))
    # The first layer reads the same items, so that the gates alone make the difference.
    np.testing.assert_allclose(gated, plain * kept, atol=1e-6)
    np.testing.assert_allclose(plain[:, -1].sum(axis=-1), 1.0, atol=1e-5)

    found = seen(backbone, inputs)
    is_item = ITEM_IDS > 0
    np.testing.assert_allclose(found.without.sum(axis=1), 1.0, atol=1e-5)
    np.testing.assert_allclose(found.kept, (kept[-1] + 1) / 2 * is_item, atol=1e-6)
    assert (found.without[~is_item] == 0).all() and (found.gated[~is_item] == 0).all()


def test_a_model_without_gates_is_itself_and_one_without_attention_has_no_maps() -> None:
    backbone, inputs = model(SASRec, None)
    assert without_gates(backbone) is backbone
    found = seen(backbone, inputs)
    np.testing.assert_array_equal(found.without, found.gated)
    recurrent = GRU4Rec(item_count=9, max_length=N, hidden_dim=8)
    inputs = Recommender(recurrent).inputs_of(ITEM_IDS)
    assert without_gates(recurrent) is recurrent and attention_maps(recurrent, inputs) == []


@pytest.mark.parametrize("gates", GATES)
def test_keep_probabilities_are_those_of_the_logits_where_attention_can_go(gates: str) -> None:
    backbone, inputs = model(SASRec, gates)
    records = list(recorded(backbone, inputs).gates.values())
    lower = np.tril(np.ones([N, N], bool))
    for record in records:
        keep = keep_map(record)
        np.testing.assert_array_equal(~np.isnan(keep), lower)
        # As they start: 0.9, but for an item's gate on itself, which is open.
        own = 1.0 if gates == "item" else 0.9
        np.testing.assert_allclose(keep[lower & ~np.eye(N, dtype=bool)], 0.9, atol=1e-5)
        np.testing.assert_allclose(np.diag(keep), own, atol=1e-5)
        lengths = (ITEM_IDS > 0).sum(axis=1)
        of_histories = int((lengths * (lengths + 1) // 2).sum())
        counts = {"item": of_histories, "pairwise": of_histories, "key": N}
        assert len(keep_values(record)) == counts.get(gates, N * (N + 1) // 2)


def test_the_newest_row_goes_by_distance() -> None:
    backbone, inputs = model(SASRec, "relative")
    logits = np.arange(-(N - 1), N, dtype=float)
    for layer in Recommender(backbone).gate_layers:
        layer.logits.assign(logits)
    for record in recorded(backbone, inputs).gates.values():
        expected = 1 / (1 + np.exp(-np.arange(N)))
        np.testing.assert_allclose(keep_map(record)[-1, ::-1], expected, atol=1e-6)
