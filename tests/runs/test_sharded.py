"""Recommendations a shard at a time against those to all users at once."""

from __future__ import annotations

import pickle
import shutil
from collections.abc import Callable
from pathlib import Path

import numpy as np
import polars as pl
import pytest

from tests.runs.small import plain
from tf_recdenoiser.data import PreparedDataset, prepare_files
from tf_recdenoiser.data.prepared import Engine
from tf_recdenoiser.runs import Run, load_dataset, load_run, train
from tf_recdenoiser.runs.recommending import Wanted
from tf_recdenoiser.runs.sharded import recommend_shards


class Elsewhere(Engine):
    """Does pieces last to first, each in what another process would make of it."""

    def run(self, piece: Callable[[int], None], count: int, advance: Callable[[], None]) -> None:
        for number in reversed(range(count)):
            pickle.loads(pickle.dumps(piece))(number)


@pytest.fixture(scope="module")
def prepared(tmp_path_factory: pytest.TempPathFactory) -> PreparedDataset:
    """Of 30 users with text ids, in 8 shards."""
    folder = tmp_path_factory.mktemp("prepared")
    rng = np.random.default_rng(0)
    rows = [f"u{user} {item}" for user in range(30) for item in rng.integers(1, 15, 6)]
    (folder / "log.txt").write_text("\n".join(rows))
    prepare_files(folder / "log.txt", folder / "prepared", shards=8)
    return PreparedDataset(folder / "prepared")


@pytest.fixture(scope="module")
def run(prepared: PreparedDataset, tmp_path_factory: pytest.TempPathFactory) -> Run:
    path = tmp_path_factory.mktemp("run") / "run"
    settings = plain({"fit.epochs": 1}, str(prepared.folder))
    train(settings, load_dataset(settings), path)
    return load_run(path)


@pytest.mark.parametrize("engine", [None, Elsewhere()])
def test_they_are_the_same(
    run: Run, prepared: PreparedDataset, tmp_path: Path, engine: Engine | None
) -> None:
    wanted = Wanted(k=3, deny=np.array([2]))
    paths = recommend_shards(run, prepared, tmp_path, wanted, engine)
    found = pl.read_parquet(paths).sort("user", "rank")
    expected = run.recommend_all(wanted=wanted).sort("user", "rank")
    same = ["user", "rank", "item"]
    assert found[same].equals(expected[same])
    np.testing.assert_allclose(found["score"], expected["score"], rtol=1e-5)


def test_what_is_there_is_not_made_again(
    run: Run, prepared: PreparedDataset, tmp_path: Path
) -> None:
    paths = recommend_shards(run, prepared, tmp_path)
    paths[0].unlink()
    before = [path.stat().st_mtime_ns for path in paths[1:]]
    assert recommend_shards(run, prepared, tmp_path) == paths
    assert [path.stat().st_mtime_ns for path in paths[1:]] == before


def test_a_run_that_was_trained_anew_is_the_one_that_recommends(
    prepared: PreparedDataset, tmp_path: Path
) -> None:
    found = []
    for seed in (0, 1):
        settings = plain({"fit.epochs": 1, "seed": seed}, str(prepared.folder))
        train(settings, load_dataset(settings), tmp_path / "run")
        run = load_run(tmp_path / "run")
        paths = recommend_shards(run, prepared, tmp_path / str(seed))
        found.append(pl.read_parquet(paths).sort("user", "rank")["score"].to_list())
        shutil.rmtree(tmp_path / "run")
    assert found[0] != found[1]
