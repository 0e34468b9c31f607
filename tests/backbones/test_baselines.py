"""FPMC, GRU4Rec, Caser and popularity against their equations, in NumPy and in loops."""

from __future__ import annotations

from collections import Counter
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from tests.layers.reference import array, dense, randomize
from tests.runs.small import DATASET, history_of, metrics_of
from tf_recdenoiser.backbones import FPMC, Backbone, Caser, GRU4Rec, Popularity
from tf_recdenoiser.data import leave_one_out
from tf_recdenoiser.runs import RunDirectory, Settings, load_run, load_split, train
from tf_recdenoiser.training import Recommender

ITEMS, USERS, N, D = 9, 4, 6, 3
IDS = np.array([[3, 1, 4, 1, 5, 9], [0, 0, 0, 2, 6, 5], [0, 7, 7, 2, 8, 1]], np.int32)
WHO = np.array([2, 4, 0], np.int32)
BOTH = {"item_ids": IDS, "user_ids": WHO}


def randomized(model: Backbone) -> Any:
    randomize(model)
    return model


def weights(model: Backbone, layer: str) -> np.ndarray:
    return array(model.get_layer(layer).get_weights()[0])


def user_vectors(model: Backbone) -> np.ndarray:
    """Of the users `WHO`, the last of whom is not known."""
    table = weights(model, "users")
    return np.stack([table[1], table[3], table.mean(0)])


def test_fpmc_scores_by_the_user_and_by_the_last_item() -> None:
    model = randomized(FPMC(ITEMS, USERS, N, D))
    users, last = user_vectors(model), weights(model, "last_items")
    table = array(model.item_embedding.embeddings)
    item_last, item_user = table[:, :D], table[:, D:]
    expected = [
        [u @ item_user[i] + last[ids[-1]] @ item_last[i] for i in range(ITEMS + 1)]
        for u, ids in zip(users, IDS, strict=True)
    ]
    found = Recommender(model).score(IDS, user_ids=WHO)
    np.testing.assert_allclose(found, expected, rtol=1e-4, atol=1e-5)


def sigmoid(x: np.ndarray) -> np.ndarray:
    return 1 / (1 + np.exp(-x))


def recurrent_states(layer: Any, x: np.ndarray) -> np.ndarray:
    """The states `[m, width]` of one history `[m, d]` without padding, item by item."""
    kernel, recurrent, bias = map(array, layer.get_weights())
    # Keras holds the three gates' weights side by side.
    (w_z, w_r, w), (u_z, u_r, u) = np.split(kernel, 3, -1), np.split(recurrent, 3, -1)
    b_z, b_r, b = np.split(bias, 3)
    state, states = np.zeros(len(u)), []
    for x_t in x:
        z = sigmoid(x_t @ w_z + state @ u_z + b_z)
        r = sigmoid(x_t @ w_r + state @ u_r + b_r)
        state = z * state + (1 - z) * np.tanh(x_t @ w + (r * state) @ u + b)
        states.append(state)
    return np.array(states)


def test_gru4rec_keeps_a_state_that_begins_with_the_first_item() -> None:
    model = randomized(GRU4Rec(ITEMS, N, D, gru_units=5, num_gru_layers=2))
    found = model({"item_ids": IDS}, training=False).numpy()
    for row, ids in enumerate(IDS):
        x = weights(model, "items")[ids[ids > 0]]
        for layer in ("gru_1", "gru_2"):
            x = recurrent_states(model.get_layer(layer), x)
        expected = dense(model.get_layer("projection"), x[np.newaxis])[0]
        np.testing.assert_allclose(found[row, -len(x) :], expected, rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("recent", [1, 3, 8])
def test_caser_looks_for_patterns_in_the_window_that_ends_at_each_position(recent: int) -> None:
    n_h, n_v = 2, 2
    model = randomized(
        Caser(ITEMS, USERS, N, D, recent, horizontal_filters=n_h, vertical_filters=n_v)
    )
    vectors = weights(model, "read_items") * (np.arange(ITEMS + 1) > 0)[:, np.newaxis]
    vertical = weights(model, "vertical")[:, 0, 0]
    users = user_vectors(model)
    expected = np.zeros([len(IDS), N, 2 * D + 1])
    for row, ids in enumerate(IDS):
        for t in range(N):
            window = np.array([ids[s] if s >= 0 else 0 for s in range(t - recent + 1, t + 1)])
            e = vectors[window]
            parts = []
            for h in range(1, recent + 1):
                filters = weights(model, f"horizontal_{h}")
                for k in range(n_h):
                    answers = [
                        max((e[i : i + h] * filters[:, :, k]).sum(), 0)
                        for i in range(recent - h + 1)
                    ]
                    parts.append([max(answers)])
            # All vertical filters' sums of the first coordinate, then of the second, ….
            parts.append((e.T @ vertical).ravel())
            x = np.concatenate(parts)[np.newaxis, np.newaxis]
            z = np.maximum(dense(model.get_layer("sequence"), x)[0, 0], 0)
            expected[row, t] = [*z, *users[row], 1]
    found = model(BOTH, training=False).numpy()
    np.testing.assert_allclose(found, expected, rtol=1e-4, atol=1e-5)
    assert (np.abs(expected[..., :D]) > 0).any(axis=-1).mean() > 0.5


def test_caser_scores_by_an_item_vector_of_its_own_and_a_bias() -> None:
    model = Caser(ITEMS, USERS, N, D)
    assert model.item_vectors().shape == (ITEMS + 1, 2 * D + 1)
    np.testing.assert_array_equal(model.item_vectors()[:, -1], 0)
    assert np.abs(model.item_vectors()[:, :-1]).min() > 0


def popularity(changes: dict[str, Any]) -> Settings:
    model = {"model": {"name": "popularity", "max_length": 12}}
    return Settings.of("synthetic", {**model, **changes})


def test_popularity_is_how_often_each_item_occurs_in_training(tmp_path: Path) -> None:
    settings = popularity({"fit.epochs": 9, "noise.detector": "none"})
    directory = RunDirectory(tmp_path / "run")
    metrics = train(settings, DATASET, directory)
    assert (metrics["epochs"], metrics["best_epoch"], metrics["parameters"]) == (1, 1, 0)
    split = leave_one_out(DATASET)
    count = Counter(split.train.items.tolist())
    counts = np.array([count[item] for item in range(1, DATASET.item_count + 1)])
    recommender = load_run(directory.path).recommender
    found = recommender.score(np.array([[0] * 11 + [5], [0] * 10 + [2, 7]], np.int32))
    np.testing.assert_array_equal(found[0], found[1])
    np.testing.assert_allclose(
        found[0, 1:], np.log((counts + 1) / (counts.mean() + 1)), rtol=1e-5, atol=1e-6
    )
    # The rank of each test item among those the user has not interacted with, ties against it.
    hits = []
    for row, target in enumerate(split.test.targets):
        seen = set(split.test.histories.row(row).tolist())
        unseen = [i for i in range(1, len(counts) + 1) if i not in seen and i != target]
        hits.append(sum(count[i] >= count[target] for i in unseen) < 10)
    assert metrics["test"]["full"]["hit@10"] == pytest.approx(np.mean(hits))


def test_a_popularity_run_that_goes_on_is_what_it_was(tmp_path: Path) -> None:
    directory = RunDirectory(tmp_path / "run")
    settings = popularity({"fit.epochs": 2, "noise.detector": "none"})
    train(settings, DATASET, directory)
    before = metrics_of(directory), history_of(directory)
    train(settings, DATASET, directory, resume=True)
    assert (metrics_of(directory), history_of(directory)) == before


def test_what_was_noise_is_not_popular(tmp_path: Path) -> None:
    settings = popularity({"noise.detector": "oracle", "noise.injection.rate": 0.3})
    directory = RunDirectory(tmp_path / "run")
    train(settings, DATASET, directory)
    noisy = load_run(directory.path)
    split = load_split(settings, DATASET)
    clean = split.split.train.items[split.train.items == 0]
    counts = np.bincount(clean, minlength=DATASET.item_count + 1)[1:]
    np.testing.assert_allclose(
        noisy.recommender.item_vectors()[1:, 0],
        np.log((counts + 1) / (counts.mean() + 1)),
        rtol=1e-5,
        atol=1e-6,
    )


@pytest.mark.parametrize(
    ("kind", "argument"),
    [
        (Popularity, "item_count"),
        (FPMC, "user_count"),
        (GRU4Rec, "num_gru_layers"),
        (GRU4Rec, "gru_units"),
        (Caser, "recent"),
        (Caser, "horizontal_filters"),
        (Caser, "vertical_filters"),
    ],
)
def test_a_wrong_argument_is_named(kind: type[Backbone], argument: str) -> None:
    sizes = {"item_count": 5, **({"user_count": 3} if kind.extra_inputs else {}), argument: 0}
    with pytest.raises(ValueError, match=rf"`{argument}` must be at least 1. Received: .*=0"):
        kind(**sizes)
