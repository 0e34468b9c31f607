"""The measure of robustness against exact Jacobians and the model itself."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import tensorflow as tf

from tests.runs.small import DATASET, plain, small
from tf_recdenoiser.experiments.measures.robustness import (
    STRENGTHS,
    SWAPPED,
    Encoder,
    robustness,
    swap,
)
from tf_recdenoiser.runs import Run, RunError, load_run, train

HISTORIES = np.array([[0] * 9 + [3, 9, 4], list(range(1, 13))], np.int32)


@pytest.fixture(scope="module", params=["with the penalty", "without"])
def trained(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Run:
    path = tmp_path_factory.mktemp("run") / "run"
    settings = small if request.param == "with the penalty" else plain
    train(settings({"fit.epochs": 1, "model.num_layers": 2}), DATASET, path)
    return load_run(path)


def test_block_by_block_is_the_whole_model(trained: Run) -> None:
    encoder = Encoder(trained.recommender.backbone, HISTORIES)
    found = encoder.newest(encoder.first).numpy()
    np.testing.assert_allclose(found, trained.recommender.encode(HISTORIES), rtol=1e-4, atol=1e-5)


def test_the_norm_is_that_of_the_whole_jacobian(trained: Run) -> None:
    encoder = Encoder(trained.recommender.backbone, HISTORIES)
    items = HISTORIES > 0
    norms = []
    for block, x in encoder._seen():
        with tf.GradientTape(persistent=True) as tape:
            tape.watch(x)
            y = encoder._run(block, x)
        jacobian = tape.batch_jacobian(y, x, experimental_use_pfor=False).numpy()
        both = items[:, :, None, None, None] & items[:, None, None, :, None]
        norms.append(np.square(jacobian * both).sum() / items.sum() / x.shape[-1])
    # Sixteen projections of each sequence.
    assert encoder.norm() == pytest.approx(np.mean(norms), rel=0.25)


def test_small_noise_changes_blocks_as_the_norm_says(trained: Run) -> None:
    histories = np.random.default_rng(0).integers(1, 41, [64, 12]).astype(np.int32)
    found = Encoder(trained.recommender.backbone, histories).changes(0.001)
    assert found["block change"] == pytest.approx(found["first order"], rel=0.1)
    assert found["block change"] < found["bound"]


def test_items_are_swapped_and_padding_is_not() -> None:
    histories = np.tile(np.arange(12), [1000, 1]).astype(np.int32)
    swapped = swap(histories, 0.25, 100_000, np.random.default_rng(0))
    assert (swapped[:, 0] == 0).all() and swapped.min() == 0 and swapped[:, 1:].min() >= 1
    # Four standard deviations of a binomial.
    share = (swapped != histories)[:, 1:].mean()
    assert abs(share - 0.25) < 4 * np.sqrt(0.25 * 0.75 / 11_000)


def test_more_noise_changes_more(trained: Run) -> None:
    found = [*robustness(trained, DATASET)]
    assert found[0].values["norm"] > 0
    for factor, levels in (("noise on vectors", STRENGTHS), ("items swapped", SWAPPED)):
        rows = {one.factors[factor]: one.values for one in found if factor in one.factors}
        assert tuple(rows) == levels
        changes = [rows[level]["output change"] for level in levels]
        assert changes == sorted(changes)
        assert all(0 <= one["top 10 kept"] <= 100 for one in rows.values())


def test_another_backbone_is_refused(tmp_path: Path) -> None:
    train(plain({"fit.epochs": 1, "model": "popularity"}), DATASET, tmp_path / "run")
    with pytest.raises(RunError, match=r"of the backbone sasrec. Received: .* popularity"):
        next(robustness(load_run(tmp_path / "run"), DATASET))
