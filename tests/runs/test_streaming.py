"""Training that reads a prepared data set a shard at a time."""

from __future__ import annotations

import dataclasses
from pathlib import Path

import numpy as np
import pytest

from tests.runs.small import history_of, metrics_of, plain
from tf_recdenoiser.data import (
    DataError,
    Dataset,
    PreparedDataset,
    StreamedBatches,
    TrainingBatches,
    leave_one_out,
    prepare_files,
)
from tf_recdenoiser.runs import (
    RunDirectory,
    RunError,
    Settings,
    SettingsError,
    load_dataset,
    load_run,
    load_split,
    sources,
    train,
)
from tf_recdenoiser.runs.detect import detect
from tf_recdenoiser.runs.noise_known import NoiseKnown
from tf_recdenoiser.runs.shard_noise import ShardNoise


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """80 users with 1 to 10 items, in four shards."""
    folder = tmp_path_factory.mktemp("prepared")
    rng = np.random.default_rng(0)
    rows = [(user, item) for user in range(80) for item in rng.choice(30, 1 + user % 10, False)]
    log = folder / "log.txt"
    log.write_text("\n".join(f"{user} {item}" for user, item in rows))
    prepare_files(log, folder / "prepared", shards=4)
    return folder / "prepared"


def streaming(folder: Path, **changes: object) -> Settings:
    return plain({"log.stream": True, **changes}, str(folder))


def batches(folder: Path, seed: int = 0, **worker: int) -> StreamedBatches:
    prepared = PreparedDataset(folder)
    return StreamedBatches(
        prepared,
        lambda _, rows, seed: TrainingBatches(rows, prepared.manifest.items, 20, 7, 1, seed),
        batch_size=7,
        seed=seed,
        **worker,
    )


@pytest.mark.parametrize("workers", [2, 3, 4])
def test_workers_have_shards_of_their_own(folder: Path, workers: int) -> None:
    """As many batches each, the last ones empty where shards have fewer; each user once."""
    of_each = [
        [*batches(folder, worker=worker, workers=workers).epoch(0)] for worker in range(workers)
    ]
    steps = batches(folder, workers=workers).steps_per_epoch
    assert [len(found) for found in of_each] == [steps] * workers
    rows = [row.tolist() for found in of_each for one, _ in found for row in one["item_ids"]]
    alone = [row.tolist() for one, _ in batches(folder).epoch(0) for row in one["item_ids"]]
    assert sorted(rows) == sorted(alone)


def test_too_few_shards_for_the_workers_are_refused(folder: Path) -> None:
    with pytest.raises(DataError, match="4 shards for 5 workers"):
        batches(folder, workers=5)


def test_an_epoch_has_every_users_training_sequence_once(folder: Path) -> None:
    found = [*batches(folder).epoch(0)]
    assert len(found) == batches(folder).steps_per_epoch
    windows = np.concatenate([inputs["item_ids"] for inputs, _ in found])
    train = leave_one_out(PreparedDataset(folder).dataset()).train
    rows = np.flatnonzero(train.lengths >= 2)
    expected = train.last(20, rows, np.ones(len(rows), np.int64))
    assert sorted(map(tuple, windows.tolist())) == sorted(map(tuple, expected.tolist()))


def test_an_epoch_is_a_function_of_its_number_and_the_seed(folder: Path) -> None:
    def drawn(seed: int, epoch: int) -> list[object]:
        return [
            [inputs["item_ids"].tolist(), targets["negatives"].tolist()]
            for inputs, targets in batches(folder, seed).epoch(epoch)
        ]

    assert drawn(0, 0) == drawn(0, 0)
    assert drawn(0, 0) != drawn(0, 1)
    assert drawn(0, 0) != drawn(1, 0)


def test_some_users_are_evaluated(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    prepared = PreparedDataset(folder)
    whole = prepared.dataset()
    learned = [*prepared.manifest.learned.values()]
    monkeypatch.setattr(sources, "EVALUATED", learned[0] + 1)
    some = load_dataset(streaming(folder))
    first_two = prepared.dataset(prepared.shards[:2])
    assert some.fingerprint() == first_two.fingerprint()
    assert 0 < some.user_count < whole.user_count
    assert some.item_count == whole.item_count
    monkeypatch.setattr(sources, "EVALUATED", 10**6)
    assert load_dataset(streaming(folder)).fingerprint() == whole.fingerprint()


@pytest.mark.parametrize(("most", "is_streamed"), [(10**6, False), (10, True)])
def test_large_data_are_streamed_unless_it_is_said(
    folder: Path, monkeypatch: pytest.MonkeyPatch, most: int, is_streamed: bool
) -> None:
    monkeypatch.setattr(sources, "MOST_IN_MEMORY", most)
    settings = streaming(folder)
    assert (sources.streamed(settings.replace({"log.stream": None})) is not None) == is_streamed
    assert sources.streamed(settings.replace({"log.stream": False})) is None
    assert sources.streamed(settings) is not None


def same_when_broken(settings: Settings, dataset: Dataset, folder: Path) -> RunDirectory:
    """A run, which is what it is when it is broken off after an epoch and goes on."""
    broken, unbroken = RunDirectory(folder / "broken"), RunDirectory(folder / "unbroken")
    train(settings.replace({"fit.epochs": 1}), dataset, broken)
    train(settings, dataset, broken, resume=True)
    train(settings, dataset, unbroken)
    assert history_of(broken) == history_of(unbroken)
    assert metrics_of(broken) == metrics_of(unbroken)
    return unbroken


def test_a_run_goes_on_as_an_unbroken_one(
    folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sources, "EVALUATED", 10)
    settings = streaming(folder, **{"fit.epochs": 3, "fit.optimizer": "lazy_adam"})
    dataset = load_dataset(settings)
    unbroken = same_when_broken(settings, dataset, tmp_path)
    assert len(history_of(unbroken)) == 3
    again = load_run(unbroken.path)
    result = again.scorer("test").result(again.recommender, "full")
    assert result.summary(ks=(10,))["ndcg@10"] == unbroken.metrics()["test"]["full"]["ndcg@10"]
    assert len(result.ranks) == len(leave_one_out(dataset).test.users)


@pytest.fixture(scope="module")
def searched(folder: Path) -> tuple[NoiseKnown, PreparedDataset]:
    """What was found of noise among the users of two shards of four."""
    prepared = PreparedDataset(folder)
    settings = streaming(folder, **{"noise.detector": "context"})
    dataset = prepared.dataset(prepared.shards[:2])
    known = NoiseKnown(settings, dataset, load_split(settings, dataset), None)
    return detect(known, lambda text: None), prepared


def test_users_who_were_searched_keep_what_was_found(
    searched: tuple[NoiseKnown, PreparedDataset],
) -> None:
    known, prepared = searched
    noise, found = ShardNoise(known), {}
    for shard in prepared.shards[:2]:
        train = leave_one_out(prepared.dataset([shard])).train
        values = noise(shard, train)
        found |= {
            train.user_ids[row]: values[train.offsets[row] : train.offsets[row + 1]].tolist()
            for row in range(train.row_count)
        }
    own, probability = known.noisy.split.train, known.probability.astype(np.float32)
    for row, user in enumerate(own.user_ids):
        assert found[user] == probability[own.offsets[row] : own.offsets[row + 1]].tolist()


def test_all_detectors_judge_the_others(searched: tuple[NoiseKnown, PreparedDataset]) -> None:
    known, prepared = searched
    shard = prepared.shards[3]
    train = leave_one_out(prepared.dataset([shard])).train  # of at most 8 items, where n is 12
    expected = known.detection.scorer(train.last(12))[train.last(12) > 0]
    noise = ShardNoise(known)
    for _ in range(2):
        np.testing.assert_allclose(noise(shard, train), expected, rtol=1e-5)


def test_no_use_is_made_of_feedback_where_none_is_wanted(
    searched: tuple[NoiseKnown, PreparedDataset],
) -> None:
    known, prepared = searched
    shard = prepared.shards[3]
    rows = leave_one_out(prepared.dataset([shard])).train
    told = dataclasses.replace(rows, disliked=np.ones(len(rows.items), np.float32))
    expected = ShardNoise(known)(shard, rows)
    np.testing.assert_array_equal(ShardNoise(known)(shard, told), expected)
    own = known.noisy.split.train
    own = dataclasses.replace(own, disliked=np.full(len(own.items), np.nan, np.float32))
    split = dataclasses.replace(known.noisy.split, train=own)
    listens = dataclasses.replace(known, noisy=dataclasses.replace(known.noisy, split=split))
    assert ShardNoise(listens)(shard, told).tolist() == [1.0] * len(rows.items)


def test_a_run_that_finds_noise_goes_on_as_an_unbroken_one(
    folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sources, "EVALUATED", 20)
    settings = streaming(folder, **{"fit.epochs": 2, "noise.detector": "context"})
    dataset = load_dataset(settings)
    unbroken = same_when_broken(settings, dataset, tmp_path)
    plain_run = RunDirectory(tmp_path / "plain")
    train(settings.replace({"noise.detector": "none"}), dataset, plain_run)
    assert history_of(plain_run) != history_of(unbroken)


@pytest.mark.parametrize(
    ("changes", "needs"),
    [
        ({"evaluation.targets": "liked"}, "--targets last"),
        ({"model": "sse_pt"}, "another backbone"),
        ({"noise.injection.rate": 0.25}, "noise.injection.rate=0"),
        ({"fit.warm_start": "another"}, "no --from"),
    ],
)
def test_what_needs_all_data_in_memory_is_refused(
    folder: Path, changes: dict[str, object], needs: str
) -> None:
    with pytest.raises(RunError, match=f"a shard at a time needs {needs}"):
        sources.streamed(streaming(folder, **changes))


def test_a_log_is_not_streamed(folder: Path) -> None:
    settings = streaming(folder.parent / "log.txt")
    with pytest.raises(RunError, match=r"`log.stream` must go with a prepared data set"):
        sources.streamed(settings)
    with pytest.raises(SettingsError):
        Settings.of("synthetic", {"log.stream": True})
