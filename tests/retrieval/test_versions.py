"""Old versions go, and nothing else does."""

from __future__ import annotations

from pathlib import Path

import pytest

from tf_recdenoiser.retrieval import prune_versions


def folder_of(path: Path, *versions: str) -> Path:
    for version in versions:
        (path / version / "variables").mkdir(parents=True)
        (path / version / "saved_model.pb").write_text(version)
    return path


def listed(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir() if path.name != ".lock")


@pytest.mark.parametrize(
    ("written", "keep", "deleted", "left"),
    [
        ("10", 1, ["1", "2", "009"], ["10"]),
        ("10", 2, ["1", "2"], ["009", "10"]),
        ("10", 3, ["1"], ["009", "10", "2"]),
        ("10", 4, [], ["009", "1", "10", "2"]),
        ("10", 9, [], ["009", "1", "10", "2"]),
        # One that was written below the others stays, and counts as one of those to keep.
        ("1", 1, ["2", "009", "10"], ["1"]),
        ("1", 2, ["2", "009"], ["1", "10"]),
    ],
)
def test_the_newest_stay_and_the_one_just_written(
    written: str, keep: int, deleted: list[str], left: list[str], tmp_path: Path
) -> None:
    folder = folder_of(tmp_path / "model", "1", "2", "009", "10")
    assert prune_versions(folder / written, keep) == [folder / name for name in deleted]
    assert listed(folder) == left
    assert all((folder / name / "saved_model.pb").read_text() == name for name in left)


def test_what_is_not_a_version_of_a_model_stays(tmp_path: Path) -> None:
    folder = folder_of(tmp_path / "model", "1", "7", "v2", "-3", "4.0", ".export-5", "٣")
    (folder / "2").mkdir()
    (folder / "2" / "saved_model.txt").touch()
    (folder / "3").write_text("a file")
    elsewhere = folder_of(tmp_path / "elsewhere", "6")
    (folder / "6").symlink_to(elsewhere / "6", target_is_directory=True)
    for file in ("models.config", "batching.config"):
        (folder / file).touch()
    before = listed(folder)
    assert prune_versions(folder / "7", keep=1) == [folder / "1"]
    assert listed(folder) == [name for name in before if name != "1"]
    assert (elsewhere / "6" / "saved_model.pb").read_text() == "6"


def test_a_path_may_be_relative(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folder_of(tmp_path, "1", "2")
    monkeypatch.chdir(tmp_path)
    assert prune_versions("2", keep=1) == [tmp_path / "1"]
    assert listed(tmp_path) == ["2"]


@pytest.mark.parametrize("keep", [0, -1])
def test_at_least_one_is_kept(keep: int, tmp_path: Path) -> None:
    folder = folder_of(tmp_path, "1", "2")
    with pytest.raises(ValueError, match=f"`keep` must be at least 1.* Received: keep={keep}"):
        prune_versions(folder / "2", keep)
    assert listed(folder) == ["1", "2"]


def test_a_version_loses_its_name_before_it_loses_a_file(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """So that a server sees all of a version or nothing of it."""
    folder = folder_of(tmp_path, "1", "2", "3")
    seen: list[list[str]] = []

    def deleted(path: Path) -> None:
        seen.append(listed(folder))
        assert path.name.startswith(".")
        assert (path / "saved_model.pb").exists()

    monkeypatch.setattr("shutil.rmtree", deleted)
    prune_versions(folder / "3", keep=1)
    assert [[name for name in names if name.isdecimal()] for names in seen] == [["2", "3"], ["3"]]
