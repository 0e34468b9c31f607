"""What `metrics.json` says, recomputed from the log and the model's scores in plain Python."""

from __future__ import annotations

import json
import math
from collections import defaultdict

import numpy as np
import pytest

from tests.runs.small import DATASET
from tf_recdenoiser.data import synthetic_log
from tf_recdenoiser.evaluation import PROTOCOLS
from tf_recdenoiser.runs import RunDirectory, load_run
from tf_recdenoiser.runs.scoring import PARTS
from tf_recdenoiser.training import Recommender

CUTOFFS = (1, 5, 10, 20)


def sequences() -> list[list[int]]:
    """Each user's item codes, oldest first, from the raw log."""
    table = synthetic_log(users=60, items=40, clusters=5).log.table
    code = {item: number for number, item in enumerate(sorted(set(table["item"])), 1)}
    rows: dict[str, list[tuple[int, int]]] = defaultdict(list)
    for user, item, time in table.select("user", "item", "time").iter_rows():
        rows[user].append((time, code[item]))
    return [[item for _, item in sorted(rows[user])] for user in sorted(rows)]


def scores_after(recommender: Recommender, history: list[int]) -> list[float]:
    """The score of each item code, padding's 0 included."""
    length = recommender.backbone.max_length
    newest = history[-length:]
    row = np.array([[0] * (length - len(newest)) + newest], np.int32)
    return recommender.score(row)[0].tolist()


def metrics(ranks: list[int]) -> dict[str, float]:
    """Hit@K and NDCG@K of ranks from 0."""
    found = {}
    for k in CUTOFFS:
        found[f"hit@{k}"] = sum(rank < k for rank in ranks) / len(ranks)
        gains = [1 / math.log2(rank + 2) for rank in ranks if rank < k]
        found[f"ndcg@{k}"] = sum(gains) / len(ranks)
    return found


@pytest.mark.parametrize(("part", "held_out"), [("valid", 2), ("test", 1)])
def test_hits_and_gains_are_those_of_a_sorted_list(
    unbroken: RunDirectory, part: str, held_out: int
) -> None:
    recommender = load_run(unbroken.path).recommender
    full, unmet = [], []
    for sequence in sequences():
        history, target = sequence[:-held_out], sequence[-held_out]
        scores = scores_after(recommender, history)
        # The target after everything it ties with.
        best_first = sorted(range(1, 41), key=lambda item: (-scores[item], item == target))
        full.append([i for i in best_first if i == target or i not in history].index(target))
        # Fewer than 100 items are unmet, so `paper` ranks among all of them.
        unmet.append([i for i in best_first if i == target or i not in sequence].index(target))
    recorded = unbroken.metrics()[part]
    assert recorded["full"] == pytest.approx(metrics(full), abs=1e-12)
    assert recorded["paper"] == pytest.approx(metrics(unmet), abs=1e-12)


def test_metrics_have_the_documented_shape(unbroken: RunDirectory) -> None:
    recorded = json.loads(unbroken.metrics_file.read_text())
    names = {f"{metric}@{k}" for metric in ("hit", "ndcg") for k in CUTOFFS}
    for part in PARTS:
        assert set(recorded[part]) == set(PROTOCOLS)
        for values in recorded[part].values():
            assert set(values) == names
            assert all(0 <= value <= 1 for value in values.values())
    history = unbroken.history()
    assert recorded["epochs"] == len(history) == 4
    assert recorded["seed"] == 0
    assert recorded["data"] == {
        "sha256": DATASET.fingerprint().sha256,
        "users": 60,
        "items": 40,
        "interactions": sum(map(len, sequences())),
    }
    assert recorded["seconds"] == pytest.approx(sum(row["seconds"] for row in history), abs=0.051)


def test_the_best_epoch_is_the_one_that_was_kept(unbroken: RunDirectory) -> None:
    recorded, history = unbroken.metrics(), unbroken.history()
    validated = [row["val_ndcg@10"] for row in history]
    assert recorded["best_epoch"] == 1 + validated.index(max(validated))
    assert recorded["valid"]["full"]["ndcg@10"] == pytest.approx(max(validated), abs=1e-12)


def test_density_and_keep_are_those_of_the_logits(unbroken: RunDirectory) -> None:
    recommender = load_run(unbroken.path).recommender
    reachable = np.tri(12, dtype=bool)
    densities, keeps = [], []
    for layer in recommender.gate_layers:
        logits = np.asarray(layer.logits)[reachable]
        densities.append(np.mean(logits > 0))
        keeps.append(np.mean(1 / (1 + np.exp(-logits))))
    recorded = unbroken.metrics()
    assert len(densities) == 1
    assert recorded["density"] == pytest.approx(densities, abs=1e-6)
    assert recorded["keep"] == pytest.approx(keeps, abs=1e-6)


def test_parameters_are_counted(unbroken: RunDirectory) -> None:
    # Items with padding, positions, four projections with biases, two dense layers with biases,
    # three layer normalisations, gates.
    width, length, items = 8, 12, 40
    weights = (items + 1) * width + length * width + 6 * (width * width + width) + 3 * 2 * width
    assert unbroken.metrics()["parameters"] == weights + length * length
