"""A damaged run gives the very same numbers, or an error that says what to do."""

from __future__ import annotations

import json
import re
import shutil
import time
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import pytest

from tests.runs.small import DATASET
from tests.runs.wholes import WHOLE, evaluated, whole_run
from tf_recdenoiser.runs import RunDirectory, RunError, load_run, manifest, train
from tf_recdenoiser.runs.checkpoints import sign

SECONDS = 20
FILES = (
    "checkpoints/best.h5",
    "checkpoints/detector_1.h5",
    "checkpoints/detector_4.h5",
    "checkpoints/last.h5",
    "data.json",
    "environment.json",
    "history.jsonl",
    "manifest.json",
    "metrics.json",
    "model.json",
    "noise.json",
    "noise.npy",
    "settings.toml",
    "titles.json",
    "users.json",
    "vocabulary.json",
)


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> RunDirectory:
    return whole_run(tmp_path_factory.mktemp("damage") / "run")


@pytest.fixture(scope="module")
def expected(whole: RunDirectory) -> dict[str, Any]:
    return evaluated(whole.path)


@pytest.fixture
def run(whole: RunDirectory, tmp_path: Path) -> RunDirectory:
    """A copy to be damaged."""
    return RunDirectory(shutil.copytree(whole.path, tmp_path / "run"))


# --- Any damage -------------------------------------------------------------------------------


def flip(path: Path, rng: np.random.Generator) -> None:
    content = bytearray(path.read_bytes())
    for at in rng.integers(len(content), size=rng.integers(1, 4)):
        content[at] ^= 1 << int(rng.integers(8))
    path.write_bytes(content)


def truncate(path: Path, rng: np.random.Generator) -> None:
    content = path.read_bytes()
    path.write_bytes(content[: rng.integers(len(content))])


def delete(path: Path, rng: np.random.Generator) -> None:
    path.unlink()


def replace_number(path: Path, rng: np.random.Generator) -> None:
    """Of a text; of other files, four bytes by those of a number."""
    content, number = path.read_bytes(), [b"-1", b"5", b"NaN", b"1e9", b"true"][rng.integers(5)]
    numbers = [*re.finditer(rb"-?\d+(\.\d+)?", content)]
    if path.suffix in (".json", ".jsonl", ".toml") and numbers:
        start, end = numbers[rng.integers(len(numbers))].span()
    else:
        start = int(rng.integers(len(content) - 4))
        end, number = start + 4, np.float32(rng.normal()).tobytes()
    path.write_bytes(content[:start] + number + content[end:])


def assert_same_or_refused(run: RunDirectory, expected: dict[str, Any], what: str) -> str:
    """Which of the two."""
    started, found = time.monotonic(), "the same"
    try:
        assert evaluated(run.path) == expected, what
    except RunError as error:
        assert str(run.path) in str(error), what
        found = "refused"
    assert time.monotonic() - started < SECONDS, what
    return found


def test_these_are_the_files_of_a_run(whole: RunDirectory) -> None:
    files = {
        path.relative_to(whole.path).as_posix() for path in whole.path.rglob("*") if path.is_file()
    }
    assert files == {".lock", *FILES, "checkpoints/detector_2.h5", "checkpoints/detector_3.h5"}


@pytest.mark.parametrize("damage", [flip, truncate, delete, replace_number])
@pytest.mark.parametrize("name", FILES)
def test_a_damaged_file_changes_no_number_unseen(
    run: RunDirectory, expected: dict[str, Any], name: str, damage: Callable[..., None]
) -> None:
    damage(run.path / name, np.random.default_rng(len(name)))
    assert_same_or_refused(run, expected, f"{name} {damage.__name__}")


@pytest.mark.slow
def test_500_damages_change_no_number_unseen(
    whole: RunDirectory, expected: dict[str, Any], tmp_path: Path
) -> None:
    rng, damages = np.random.default_rng(0), [flip, truncate, delete, replace_number]
    found: Counter[str] = Counter()
    for number in range(500):
        run = RunDirectory(shutil.copytree(whole.path, tmp_path / "run"))
        name, damage = FILES[rng.integers(len(FILES))], damages[rng.integers(len(damages))]
        damage(run.path / name, rng)
        found[assert_same_or_refused(run, expected, f"{number}: {name} {damage.__name__}")] += 1
        shutil.rmtree(run.path)
    print(f"\nof 500 damages {found['refused']} are refused, {found['the same']} change nothing")


# --- Damages that a manifest made after them would hide ---------------------------------------


def assert_refused(run: RunDirectory, message: str) -> None:
    manifest.seal(run.path)
    with pytest.raises(RunError, match=message):
        load_run(run.path)


def change(path: Path, **values: Any) -> None:
    path.write_text(json.dumps({**json.loads(path.read_text()), **values}))


@pytest.mark.parametrize("rate", [5, -1, float("nan"), float("inf"), True, "0.2", None])
def test_a_rate_of_noise_is_a_share(run: RunDirectory, rate: object) -> None:
    change(run.path / "noise.json", rate=rate)
    assert_refused(run, r"noise\.json is damaged.*Received: .*`rate` must be a number from 0")


@pytest.mark.parametrize("count", [0, 3, 100_000_000, 4.0, True])
def test_there_are_as_many_detectors_as_folds(run: RunDirectory, count: object) -> None:
    change(run.path / "noise.json", detectors=count)
    assert_refused(run, r"noise\.json is damaged.*`detectors` must be a whole number from 4 to 4")


@pytest.mark.parametrize("name", ["noise.json", "noise.npy", "checkpoints/detector_3.h5"])
def test_what_was_found_of_noise_is_needed(run: RunDirectory, name: str) -> None:
    (run.path / name).unlink()
    assert_refused(run, re.escape(Path(name).name))


def of_another_length(ratios: np.ndarray) -> np.ndarray:
    return ratios[:-1]


def not_finite(ratios: np.ndarray) -> np.ndarray:
    return np.where(np.arange(len(ratios)) == 3, np.nan, ratios)


def doubles(ratios: np.ndarray) -> np.ndarray:
    return ratios.astype(np.float64)


@pytest.mark.parametrize("changed", [of_another_length, not_finite, doubles])
def test_log_ratios_are_finite_numbers_for_each_item(
    run: RunDirectory, changed: Callable[[np.ndarray], np.ndarray]
) -> None:
    ratios = changed(np.load(run.noise_file))
    np.save(run.noise_file, ratios.astype(np.float64 if changed is doubles else np.float32))
    assert_refused(run, r"noise\.npy is damaged: put back")


def test_a_vocabulary_has_its_order(run: RunDirectory) -> None:
    path = run.path / "vocabulary.json"
    path.write_text(json.dumps(json.loads(path.read_text())[::-1]))
    with pytest.raises(RunError, match=r"vocabulary\.json is damaged.*SHA-256"):
        load_run(run.path)


@pytest.mark.parametrize(
    "content", ["{}", '["a", 1]', '["a", "a"]', "[1.5]", "[true]", "[null]", "[[1]]", "[" * 10**5]
)
def test_ids_are_all_of_one_kind_and_different(run: RunDirectory, content: str) -> None:
    (run.path / "vocabulary.json").write_text(content)
    assert_refused(run, r"vocabulary\.json is damaged")


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("item_count", 39),
        ("item_count", 40.0),
        ("user_count", 61),
        ("user_count", True),
        ("noise_rate", 1.5),
        ("noise_rate", float("nan")),
        ("run", "0"),
        ("more", 1),
    ],
)
def test_what_a_model_is_built_by_is_checked(run: RunDirectory, name: str, value: object) -> None:
    change(run.path / "model.json", **{name: value})
    assert_refused(run, r"model\.json is damaged")


@pytest.mark.parametrize("value", ["true", "0", "-3", "nan", "1e3", '"12"'])
def test_a_length_is_a_whole_number(run: RunDirectory, value: str) -> None:
    path = run.path / "settings.toml"
    path.write_text(path.read_text().replace("max_length = 12", f"max_length = {value}"))
    assert_refused(run, r"settings\.toml is damaged.*max_length")


def test_settings_are_finite(run: RunDirectory) -> None:
    path = run.path / "settings.toml"
    path.write_text(path.read_text().replace("gamma = 0.001", "gamma = nan"))
    assert_refused(run, r"settings\.toml is damaged.*`gamma` must be finite")


def test_a_checkpoint_of_numbers_only(run: RunDirectory) -> None:
    with h5py.File(run.best, "r+") as file:
        name = sorted(file)[0]
        file[name][0] = np.nan
    sign(run.best, run.model_record().run)
    assert_refused(run, r"best\.h5 is damaged.*must hold finite numbers")


def test_one_byte_of_a_checkpoint_counts(run: RunDirectory) -> None:
    content = bytearray(run.best.read_bytes())
    content[-100] ^= 1
    run.best.write_bytes(content)
    assert_refused(run, r"best\.h5 is damaged.*SHA-256")
    run.begin_again()  # as a run that is not finished, whose manifest lists no checkpoint
    with pytest.raises(RunError, match=r"best\.h5 is damaged.*SHA-256"):
        load_run(run.path)


def test_a_checkpoint_of_another_run_is_refused(run: RunDirectory, tmp_path: Path) -> None:
    other = RunDirectory(tmp_path / "other")
    train(WHOLE.replace({"seed": 1, "noise.detector": "oracle"}), DATASET, other)
    shutil.copy(other.best, run.best)
    assert_refused(run, r"best\.h5 must be a checkpoint of the run that it lies in")


def test_a_file_that_is_not_the_runs_is_refused(run: RunDirectory) -> None:
    (run.path / "checkpoints/detector_5.h5").write_bytes(b"")
    with pytest.raises(RunError, match=r"detector_5\.h5 must be in manifest\.json.*remove it"):
        load_run(run.path)


@pytest.mark.parametrize(
    "content", ["{}", '{"files": {}}', '{"files": {"../run": "0"}}', '{"files": [1]}', "[]"]
)
def test_a_manifest_lists_the_files_of_a_run(run: RunDirectory, content: str) -> None:
    (run.path / "manifest.json").write_text(content)
    with pytest.raises(RunError, match=r"manifest\.json is damaged"):
        load_run(run.path)


def test_a_run_whose_metrics_were_deleted_measures_them_again(run: RunDirectory) -> None:
    before = run.metrics()
    run.metrics_file.unlink()
    assert not run.is_finished()
    after = train(WHOLE, DATASET, run, resume=True)
    assert after["test"] == before["test"]
    assert run.is_finished()
