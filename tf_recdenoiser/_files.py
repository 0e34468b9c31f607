"""Files that appear whole or not at all, in folders that one process at a time writes to."""

from __future__ import annotations

import contextlib
import datetime
import os
import platform
import shutil
import uuid
from collections.abc import Iterator
from pathlib import Path

from filelock import FileLock, Timeout

_LOCK = ".lock"
_LEFTOVERS = ".*.unfinished"
_LEAST_ROOM = 1 << 20


class FolderError(RuntimeError):
    """A folder cannot be written to, or another process does; fit for a command line."""


@contextlib.contextmanager
def written_whole(path: Path) -> Iterator[Path]:
    """A path beside `path`, to write a file or a folder to, which then takes its place.

    If that fails, or is interrupted, `path` is as it was before. What a killed process leaves is
    deleted by the next that has the folder to itself; see `locked`.
    """
    temporary = _temporary(path)
    try:
        yield temporary
        os.replace(temporary, path)
    finally:
        _remove(temporary)


def remove_whole(path: Path) -> None:
    """Delete a folder that nobody shall see half of: it leaves its name first."""
    leftover = _temporary(path)
    os.replace(path, leftover)
    _remove(leftover)


@contextlib.contextmanager
def locked(folder: Path, *inner: Path) -> Iterator[None]:
    """Has a folder to itself, and makes it if need be.

    What killed processes left unfinished in it, or in the `inner` folders, is deleted.

    Raises
    ------
    FolderError
        If the folder cannot be made or written to, or another process has it.
    """
    made = not folder.exists()
    try:
        folder.mkdir(parents=True, exist_ok=True)
        lock = FileLock(folder / _LOCK, timeout=0)
        lock.acquire()
    except Timeout as error:
        raise FolderError(
            f"{folder} is being written to by another process: wait for its end, or choose "
            f"another folder. Received: {_holder(folder)}"
        ) from error
    except OSError as error:
        raise _unusable(folder, error) from error
    try:
        _take(folder, inner)
        yield
    finally:
        try:
            (folder / _LOCK).write_bytes(b"")
            if made and [path.name for path in folder.iterdir()] == [_LOCK]:
                shutil.rmtree(folder)
        finally:
            lock.release()


def check_folder(folder: Path) -> None:
    """Raise FolderError unless a folder, which need not be there yet, can be written to."""
    nearest = _nearest(folder)
    if not nearest.is_dir():
        raise _unusable(folder, f"the file {nearest}")
    if not os.access(nearest, os.W_OK | os.X_OK):
        raise _unusable(folder, f"no permission to write to {nearest}")
    if nearest == folder and (folder / _LOCK).exists():
        with locked(folder):
            pass
    elif nearest == folder:
        _try_to_write(folder)
    check_room(folder, _LEAST_ROOM)


def check_room(folder: Path, room: int) -> None:
    """Raise FolderError unless so many bytes are free where a folder is, or will be."""
    free = shutil.disk_usage(_nearest(folder)).free
    if free < room:
        raise FolderError(
            f"{folder} must have room for {_megabytes(room)}: make room, or choose a folder on "
            f"another disk. Received: {_megabytes(free)} that are free"
        )


def _try_to_write(folder: Path) -> None:
    probe = _temporary(folder / "probe")
    try:
        probe.write_text("probe", encoding="utf-8")
    except OSError as error:
        raise _unusable(folder, error) from error
    finally:
        probe.unlink(missing_ok=True)


def _nearest(folder: Path) -> Path:
    """The folder, or the nearest above it that is there."""
    return next(path for path in (folder, *folder.absolute().parents) if path.exists())


def _temporary(path: Path) -> Path:
    """A name that no other process has, and that `_LEFTOVERS` finds."""
    return path.with_name(f".{path.name}.{uuid.uuid4().hex}.unfinished")


def _take(folder: Path, inner: tuple[Path, ...]) -> None:
    """Write down who has the folder, and delete what killed processes left."""
    since = datetime.datetime.now().astimezone().strftime("%Y-%m-%d %H:%M:%S")
    holder = f"process {os.getpid()} on {platform.node()}, since {since}"
    try:
        (folder / _LOCK).write_text(holder, encoding="utf-8")
        for one in (folder, *inner):
            for leftover in one.glob(_LEFTOVERS):
                _remove(leftover)
    except OSError as error:
        raise _unusable(folder, error) from error


def _holder(folder: Path) -> str:
    """Who has a folder, in words."""
    # Nothing stands there in the moments after a lock is taken and before it is given back.
    return (folder / _LOCK).read_text("utf-8") or "a process that began or ended just now"


def _unusable(folder: Path, why: object) -> FolderError:
    return FolderError(
        f"{folder} must be a folder that can be written to: make room or give permission, or "
        f"choose another one. Received: {why}"
    )


def _megabytes(count: int) -> str:
    return f"{count / 2**20:,.1f} MB"


def _remove(path: Path) -> None:
    """Delete a file or a folder, if it is there."""
    if path.is_dir() and not path.is_symlink():
        shutil.rmtree(path)
    else:
        path.unlink(missing_ok=True)
