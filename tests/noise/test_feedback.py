"""Dislikes are learned from what others said, and never from the answer itself."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.noise.rated import ITEMS, mostly_hidden, rated_log
from tf_recdenoiser.data import DataError, Histories, item_vectors
from tf_recdenoiser.data.histories import offsets_of
from tf_recdenoiser.noise import FeedbackModel, roc_auc
from tf_recdenoiser.noise.detectors.feedback import _Teacher, logistic_regression
from tf_recdenoiser.noise.windows import Windows, of_each_item

MODEL = FeedbackModel(ITEMS, hidden_dim=8)


def answered(train: Histories, disliked: np.ndarray) -> Histories:
    return dataclasses.replace(train, disliked=disliked.astype(np.float32))


def newton(x: np.ndarray, labels: np.ndarray, ridge: float) -> tuple[np.ndarray, float]:
    """The weights and the bias of a logistic regression by Newton's method."""
    design = np.column_stack([np.ones(len(x)), x])
    penalty = np.diag([0.0, *(ridge * x.var(axis=0))])
    theta = np.zeros(design.shape[1])
    for _ in range(50):
        p = 1 / (1 + np.exp(-design @ theta))
        gradient = design.T @ (p - labels) + penalty @ theta
        hessian = design.T @ (design * (p * (1 - p))[:, None]) + penalty
        theta -= np.linalg.solve(hessian, gradient)
    return theta[1:], theta[0]


@pytest.mark.parametrize("ridge", [0.1, 10.0])
def test_the_regression_is_that_of_newtons_method(ridge: float) -> None:
    rng = np.random.default_rng(0)
    x = rng.normal([0, 5, -2], [1, 3, 0.1], size=(200, 3))
    labels = rng.random(200) < 1 / (1 + np.exp(1 - x[:, 0]))
    weights, bias = logistic_regression(x, labels, ridge)
    expected_weights, expected_bias = newton(x, labels, ridge)
    np.testing.assert_allclose(weights, expected_weights, rtol=0.01, atol=2e-3)
    assert bias == pytest.approx(expected_bias, rel=0.01, abs=5e-3)


def test_the_regression_does_not_depend_on_the_scale_of_features() -> None:
    rng = np.random.default_rng(1)
    x, labels = rng.normal(size=(100, 3)), rng.random(100) < 0.3
    scale, shift = np.array([1e-3, 1.0, 1e3]), np.array([2.0, -7.0, 40.0])
    (weights, bias), (scaled, moved) = (
        logistic_regression(features, labels) for features in (x, x * scale + shift)
    )
    np.testing.assert_allclose(scaled * scale, weights, rtol=1e-4, atol=1e-6)
    assert moved + shift @ scaled == pytest.approx(bias, rel=1e-4)


def test_what_is_always_the_same_weighs_nothing() -> None:
    rng = np.random.default_rng(2)
    x = rng.normal(size=(1000, 2)).astype(np.float32)
    x[:, 1] = np.log(2)
    weights, _ = logistic_regression(x, rng.random(1000) < 1 / (1 + np.exp(-x[:, 0])))
    assert weights[0] > 0.5 and weights[1] == pytest.approx(0.0, abs=1e-9)


@pytest.mark.parametrize(
    ("users", "known", "above"), [(1500, 0.02, 0.0), (300, 0.1, 0.03), (300, 0.5, 0.08)]
)
def test_dislikes_are_found_better_than_by_items_alone(
    users: int, known: float, above: float
) -> None:
    log = rated_log(users=users)
    train, hidden = mostly_hidden(log, known)
    is_disliked = log.disliked == 1
    found = roc_auc(MODEL.cross_fit(train).probability[hidden], is_disliked[hidden])
    says = ~hidden
    counts, sums = (
        np.bincount(log.items[says], weights, ITEMS + 1) for weights in (None, is_disliked[says])
    )
    means = (sums + 5 * is_disliked[says].mean()) / (counts + 5)
    assert found > roc_auc(means[log.items[hidden]], is_disliked[hidden]) + above


@pytest.mark.parametrize("neither", [0.0, 0.3])
def test_probabilities_are_how_often_hidden_items_were_disliked(neither: float) -> None:
    log = rated_log(1, neither=neither)
    train, hidden = mostly_hidden(log, 0.15)
    detection, is_disliked = MODEL.cross_fit(train), log.disliked[hidden] == 1
    probability = detection.probability[hidden]
    assert detection.scorer.rate == pytest.approx(is_disliked.mean(), abs=0.04)
    bins = np.array_split(np.argsort(probability), 10)
    gaps = [abs(probability[one].mean() - is_disliked[one].mean()) for one in bins]
    assert np.mean(gaps) < 0.04
    assert detection.roc_auc == pytest.approx(roc_auc(probability, is_disliked), abs=0.06)


def coins(train: Histories, seed: int, known: float = 0.5) -> Histories:
    """The log with answers that mean nothing."""
    rng = np.random.default_rng(seed)
    says, flips = rng.random((2, len(train.items)))
    return answered(train, np.where(says < known, flips < 0.3, np.nan))


@pytest.mark.parametrize("rows", ["many", "one"])
def test_answers_that_mean_nothing_teach_nothing(rows: str) -> None:
    """Of items and users with one answer each, an answer that got into its own would tell all."""
    log = rated_log(2)
    if rows == "one":
        log = Histories(offsets_of([1] * 1000), np.arange(1, 1001, dtype=np.int32))
    trains = [coins(log, seed, known=0.5 if rows == "many" else 1.0) for seed in range(3)]
    model = FeedbackModel(1000, hidden_dim=4)
    found = [model.cross_fit(train).roc_auc for train in trains]
    # The variance of the area of m scores by chance, a share p of them disliked: 1 / 12mp(1-p).
    counts = [(~np.isnan(train.disliked)).sum() for train in trains]
    deviation = np.sqrt(np.mean([1 / (12 * m * 0.3 * 0.7) for m in counts]) / len(trains))
    assert np.mean(found) < 0.5 + 3 * deviation
    # Where others' answers say nothing, those of a fold with many dislikes seem rarer: less than
    # chance, but no more than by as much as the rates of folds differ.
    assert np.mean(found) > 0.4


@given(st.integers(0, 10**6))
@settings(max_examples=4, deadline=None)
def test_no_user_is_told_what_they_said(seed: int) -> None:
    rng = np.random.default_rng(seed)
    train, _ = mostly_hidden(rated_log(3, users=24), 0.4)
    fold = np.arange(train.row_count) % 4
    vectors = item_vectors(train, ITEMS, 4)
    place = rng.choice(np.flatnonzero(~np.isnan(train.disliked)))
    user = np.searchsorted(train.offsets, place, side="right") - 1
    changed = train.disliked.copy()
    changed[place] = 1 - changed[place]
    one, other = (
        _Teacher(answered(train, said), vectors)._cross_fitted(fold)
        for said in (train.disliked, changed)
    )
    mine = slice(train.offsets[user], train.offsets[user + 1])
    np.testing.assert_allclose(one[place], other[place], rtol=1e-5, atol=1e-5)
    np.testing.assert_array_equal(one[mine, :5], other[mine, :5])
    assert (one[mine, 5:] != other[mine, 5:]).any()
    assert (one[:, :5] != other[:, :5]).any()


def test_the_same_seed_finds_the_same_and_the_order_of_users_does_not_matter() -> None:
    train, _ = mostly_hidden(rated_log(4, users=100), 0.3)
    first, again, other = (MODEL.cross_fit(train, seed=seed) for seed in (1, 1, 2))
    np.testing.assert_array_equal(first.log_ratios, again.log_ratios)
    assert first.roc_auc == again.roc_auc != other.roc_auc
    vectors, fold = item_vectors(train, ITEMS, 8), np.arange(100) % 8
    order = np.random.default_rng(0).permutation(100)
    moved = train.prefixes(order, train.lengths[order])
    one, mixed = (
        _Teacher(rows, vectors).detection(folds)
        for rows, folds in ((train, fold), (moved, fold[order]))
    )
    assert mixed.roc_auc == pytest.approx(one.roc_auc, abs=1e-3)
    pieces = np.split(one.log_ratios, train.offsets[1:-1])
    np.testing.assert_allclose(
        mixed.log_ratios, np.concatenate([pieces[row] for row in order]), rtol=1e-3, atol=1e-3
    )


def test_the_detector_that_is_kept_says_what_was_found() -> None:
    train, _ = mostly_hidden(rated_log(5, users=60), 0.3)
    detection = MODEL.cross_fit(train)
    asked = detection.scorer(train.last(40), train.last_disliked(40))
    hidden = np.isnan(train.last_disliked(40)) & (train.last(40) > 0)
    np.testing.assert_allclose(
        asked[hidden], detection.probability[np.isnan(train.disliked)], rtol=1e-4, atol=1e-5
    )


def test_empty_long_and_unanswered_rows_are_judged() -> None:
    rng = np.random.default_rng(6)
    lengths = [0, 700, 1, *[20] * 30, 0]
    items = rng.integers(1, ITEMS - 9, sum(lengths)).astype(np.int32)
    items[:10] = np.arange(ITEMS - 9, ITEMS + 1)
    disliked = (items % 3 == 0).astype(np.float32)
    hidden = (rng.random(len(items)) < 0.5) | (items >= ITEMS - 9)
    hidden[700] = True
    train = Histories(
        offsets_of(lengths), items, disliked=np.where(hidden, np.nan, disliked).astype(np.float32)
    )
    detection = MODEL.cross_fit(train)
    assert detection.log_ratios.shape == items.shape
    assert np.isfinite(detection.log_ratios).all()
    asked = hidden & (items < ITEMS - 9)
    assert roc_auc(detection.probability[asked], disliked[asked]) > 0.95


@pytest.mark.parametrize(
    ("disliked", "liked", "able"),
    [(50, 50, True), (49, 90, False), (90, 49, False), (0, 50, False), (50, 0, False)],
)
def test_it_learns_from_fifty_of_each_kind(disliked: int, liked: int, able: bool) -> None:
    items = np.random.default_rng(7).integers(1, 9, 160).astype(np.int32)
    said = np.full(160, np.nan)
    said[:disliked], said[disliked : disliked + liked] = 1, 0
    train = answered(Histories(offsets_of([4] * 40), items), said)
    model = FeedbackModel(8, hidden_dim=2)
    assert model.can_learn(train) == able
    if able:
        assert np.isfinite(model.cross_fit(train).log_ratios).all()
        return
    words = (
        rf"at least 50 items.*--detector context.*Received: {disliked} items? disliked, {liked} "
    )
    with pytest.raises(DataError, match=words):
        model.cross_fit(train)


def test_without_feedback_it_does_not_learn() -> None:
    assert not FeedbackModel.can_learn(Histories(offsets_of([3]), np.array([1, 2, 3], np.int32)))


@given(st.lists(st.integers(0, 600), min_size=1, max_size=5), st.integers(0, 4))
@settings(max_examples=25, deadline=None)
def test_rows_come_whole_or_512_of_their_items_at_a_time(lengths: list[int], first: int) -> None:
    train = Histories(offsets_of(lengths), np.arange(1, sum(lengths) + 1, dtype=np.int32))
    rows = np.arange(min(first, len(lengths) - 1), len(lengths))

    def seen(windows: Windows) -> np.ndarray:
        """Of each place the item, and the oldest and the newest that stand beside it."""
        ids = windows.cut(train)
        oldest = np.where(ids > 0, ids, 10**6).min(axis=1, keepdims=True, initial=10**6)
        return np.stack(np.broadcast_arrays(ids, oldest, ids[:, -1:]), axis=-1)

    item, oldest, newest = of_each_item(train, rows, seen).T
    np.testing.assert_array_equal(item, np.concatenate([train.row(row) for row in rows]))
    row = np.repeat(rows, train.lengths[rows])
    begin, end = train.offsets[row] + 1, train.offsets[row + 1]
    short = train.lengths[row] <= 512
    np.testing.assert_array_equal(oldest[short], begin[short])
    np.testing.assert_array_equal(newest[short], end[short])
    # Of a longer row a quarter of 512 or more is seen to either side, or all that there is.
    long = ~short
    assert (oldest <= np.maximum(begin, item - 128))[long].all()
    assert (newest >= np.minimum(end, item + 128))[long].all()


@pytest.mark.parametrize("others", [True, False])
def test_who_alone_dislikes_anything_is_not_found_by_others(others: bool) -> None:
    """Others like all they speak of: by them, what this user disliked is least likely disliked."""
    items = np.random.default_rng(8).integers(1, 9, 1000).astype(np.int32)
    said = np.full(1000, 0 if others else np.nan)
    said[:100] = np.arange(100) % 2
    train = answered(Histories(offsets_of([100] * 10), items), said)
    detection = FeedbackModel(8, hidden_dim=2).cross_fit(train)
    assert np.isfinite(detection.log_ratios).all()
    assert (detection.roc_auc < 0.2) if others else (detection.roc_auc == 0.5)
