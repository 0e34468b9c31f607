"""Files are whole or not there, and a folder has one writer at a time."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from tf_recdenoiser._files import (
    FolderError,
    check_folder,
    check_room,
    locked,
    remove_whole,
    written_whole,
)

HOLDS = """
import sys, time
from pathlib import Path
from tf_recdenoiser._files import locked, written_whole
folder = Path(sys.argv[1])
with locked(folder), written_whole(folder / "file") as half:
    half.write_text("half")
    print("held", flush=True)
    time.sleep(600)
"""


def names(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


def a_file(path: Path) -> None:
    path.write_text("new")


def a_folder(path: Path) -> None:
    path.mkdir()
    (path / "inner").write_text("new")


@pytest.mark.parametrize("write", [a_file, a_folder])
def test_what_is_written_appears_at_the_end(tmp_path: Path, write: Callable[[Path], None]) -> None:
    path = tmp_path / "one"
    with written_whole(path) as temporary:
        write(temporary)
        assert not path.exists() and temporary.parent == tmp_path
    assert names(tmp_path) == ["one"]


@pytest.mark.parametrize("write", [a_file, a_folder])
@pytest.mark.parametrize("error", [OSError, KeyboardInterrupt])
def test_what_fails_leaves_the_file_before(
    tmp_path: Path, write: Callable[[Path], None], error: type[BaseException]
) -> None:
    path = tmp_path / "one"
    path.write_text("old")
    with pytest.raises(error), written_whole(path) as temporary:
        write(temporary)
        raise error
    assert names(tmp_path) == ["one"] and path.read_text() == "old"


def test_two_writers_of_a_file_do_not_meet(tmp_path: Path) -> None:
    path = tmp_path / "one"
    with written_whole(path) as first, written_whole(path) as second:
        first.write_text("first")
        second.write_text("second")
    assert names(tmp_path) == ["one"] and path.read_text() == "first"


def test_a_folder_is_deleted_under_another_name(tmp_path: Path) -> None:
    a_folder(tmp_path / "one")
    remove_whole(tmp_path / "one")
    assert names(tmp_path) == []


def test_a_folder_has_one_writer_and_what_a_killed_one_left_goes(tmp_path: Path) -> None:
    folder = tmp_path / "folder"
    with subprocess.Popen(
        [sys.executable, "-c", HOLDS, str(folder)], stdout=subprocess.PIPE, text=True
    ) as process:
        assert process.stdout is not None and process.stdout.readline() == "held\n"
        holder = rf"{folder} is being written to.* process {process.pid} on \S+, since 20"
        for use in (locked(folder).__enter__, lambda: check_folder(folder)):
            with pytest.raises(FolderError, match=holder):
                use()
        process.send_signal(signal.SIGKILL)
        process.wait()
    assert len(names(folder)) == 2
    with locked(folder):
        assert names(folder) == [".lock"]
        assert f"process {os.getpid()} " in (folder / ".lock").read_text()
    assert names(folder) == [".lock"]


def test_inner_folders_are_swept_too_and_what_is_not_ours_stays(tmp_path: Path) -> None:
    inner = tmp_path / "inner"
    inner.mkdir()
    for path in (inner / ".a.12.unfinished", tmp_path / ".b.12.unfinished", tmp_path / ".mine"):
        path.touch()
    with locked(tmp_path, inner, tmp_path / "none"):
        pass
    assert names(tmp_path) == [".lock", ".mine", "inner"] and names(inner) == []


def test_a_folder_that_was_made_and_stays_empty_is_not_left_behind(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="wrong"), locked(tmp_path / "a" / "b"):
        raise ValueError("wrong")
    assert names(tmp_path / "a") == []
    with locked(tmp_path / "c"):
        (tmp_path / "c" / "file").touch()
    assert names(tmp_path / "c") == [".lock", "file"]


def test_a_thread_waits_for_no_other_either(tmp_path: Path) -> None:
    with locked(tmp_path), pytest.raises(FolderError, match=f"process {os.getpid()} "):
        locked(tmp_path).__enter__()


@pytest.mark.parametrize("use", [check_folder, lambda path: locked(path).__enter__()])
@pytest.mark.parametrize("name", ["file", "file/below", "file/far/below"])
def test_a_file_in_the_way_is_named(tmp_path: Path, use: Callable[[Path], None], name: str) -> None:
    (tmp_path / "file").write_text("text")
    with pytest.raises(
        FolderError, match=r"must be a folder that can be written to.*Received: .*fi"
    ):
        use(tmp_path / name)
    assert (tmp_path / "file").read_text() == "text" and names(tmp_path) == ["file"]


@pytest.mark.skipif(os.name == "nt" or os.getuid() == 0, reason="root may write anywhere")
@pytest.mark.parametrize("use", [check_folder, lambda path: locked(path).__enter__()])
def test_a_folder_without_permission_is_named(tmp_path: Path, use: Callable[[Path], None]) -> None:
    closed = tmp_path / "closed"
    closed.mkdir(0o555)
    for path in (closed, closed / "below"):
        with pytest.raises(FolderError, match="give permission"):
            use(path)


def test_no_permission_is_found_before_anything_is_made(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("os.access", lambda path, mode: False)
    with pytest.raises(FolderError, match=f"no permission to write to {tmp_path}"):
        check_folder(tmp_path / "a" / "b")


def test_a_folder_that_is_not_there_yet_is_not_made(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    check_folder(tmp_path / "a" / "b")
    monkeypatch.chdir(tmp_path)
    check_folder(Path("c"))
    check_folder(tmp_path)
    assert names(tmp_path) == []


def test_room_is_asked_of_the_disk(tmp_path: Path) -> None:
    free = os.statvfs(tmp_path).f_bavail * os.statvfs(tmp_path).f_frsize
    check_room(tmp_path / "new", free // 2)
    with pytest.raises(FolderError, match=r"must have room for .* MB: .*Received: .* MB that are"):
        check_room(tmp_path / "new", 2 * free)
