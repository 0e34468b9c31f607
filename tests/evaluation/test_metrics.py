"""Metrics against the general definitions, written out for a list of relevance."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tf_recdenoiser.evaluation import METRICS, Result, parse_metric


def listed_hit(relevance: list[int], k: int) -> float:
    return float(any(relevance[:k]))


def listed_ndcg(relevance: list[int], k: int) -> float:
    """DCG of the list over DCG of the best list, with gain 2^rel - 1 and positions from 1."""

    def dcg(gains: list[int]) -> float:
        return sum((2**gain - 1) / math.log2(1 + i) for i, gain in enumerate(gains[:k], start=1))

    return dcg(relevance) / dcg(sorted(relevance, reverse=True))


LISTED = {"hit": listed_hit, "ndcg": listed_ndcg}


def result_of(ranks: list[int]) -> Result:
    return Result(np.array(ranks), np.arange(len(ranks)), protocol="full", seed=0)


def test_every_metric_has_a_reference() -> None:
    assert LISTED.keys() == METRICS.keys()


@pytest.mark.parametrize("name", METRICS)
@settings(max_examples=50, deadline=None)
@given(ranks=st.lists(st.integers(0, 30), min_size=1, max_size=8), k=st.integers(1, 25))
def test_metrics_are_those_of_a_list_with_one_relevant_item(name, ranks, k) -> None:
    expected = [LISTED[name]([int(i == rank) for i in range(31)], k) for rank in ranks]
    result = result_of(ranks)
    np.testing.assert_allclose(result.per_user(f"{name}@{k}"), expected, rtol=1e-12)
    assert result.mean(f"{name}@{k}") == pytest.approx(sum(expected) / len(expected))


def test_a_metric_counts_the_first_k_ranks_and_no_more() -> None:
    result = result_of([0, 1, 3, 9, 10])
    assert result.per_user("hit@10").tolist() == [1, 1, 1, 1, 0]
    assert result.per_user("hit@1").tolist() == [1, 0, 0, 0, 0]
    assert result.per_user("ndcg@3").tolist() == pytest.approx([1, 1 / math.log2(3), 0, 0, 0])


def test_the_summary_holds_every_metric_at_every_k_as_plain_numbers() -> None:
    result = result_of([0, 4, 11, 40])
    summary = result.summary()
    assert list(summary) == [f"{name}@{k}" for name in ("hit", "ndcg") for k in (1, 5, 10, 20)]
    assert [summary[f"hit@{k}"] for k in (1, 5, 10, 20)] == [0.25, 0.5, 0.5, 0.75]
    assert all(type(value) is float for value in summary.values())
    assert list(result.summary(ks=(3,))) == ["hit@3", "ndcg@3"]


@pytest.mark.parametrize(
    ("text", "rule"),
    [
        ("ndcg", "must be written name@K"),
        ("", "must be written name@K"),
        ("ndcg@5@10", "must be written name@K"),
        ("recall@10", "must be one of hit, ndcg"),
        ("@10", "must be one of hit, ndcg"),
        ("NDCG@10", "must be one of hit, ndcg"),
        ("ndcg@", "whole number from 1"),
        ("ndcg@0", "whole number from 1"),
        ("ndcg@-1", "whole number from 1"),
        ("ndcg@1.5", "whole number from 1"),
        ("ndcg@ten", "whole number from 1"),
        ("ndcg@10 ", "whole number from 1"),
        ("ndcg@10\n", "whole number from 1"),
    ],
)
def test_a_metric_that_cannot_be_read_is_refused(text, rule) -> None:
    with pytest.raises(ValueError, match=rule) as error:
        parse_metric(text)
    assert str(error.value).endswith(f"Received: {text!r}")


def test_a_summary_at_k_zero_is_refused() -> None:
    with pytest.raises(ValueError, match="whole number from 1"):
        result_of([0]).summary(ks=(0,))
