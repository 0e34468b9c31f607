"""The version directories of an exported model: which there are, which is next, which may go."""

from __future__ import annotations

import os
from pathlib import Path

from tf_recdenoiser._files import locked, remove_whole


def free_version(directory: Path, version: int | None) -> int:
    """The version to write: `version` if it is free, or the one after the highest.

    Raises
    ------
    FileExistsError
        If the version is there already.
    ValueError
        If it is below 1.
    """
    taken = {number for path in directory.iterdir() if (number := _number(path)) is not None}
    if version is None:
        return max(taken, default=0) + 1
    if version < 1:
        raise ValueError(f"`version` must be None or at least 1. Received: version={version}")
    if version in taken:
        raise FileExistsError(
            f"`version` must be free in {directory}; leave it out for the next one, "
            f"{max(taken) + 1}. Received: version={version}"
        )
    return version


def prune_versions(written: str | os.PathLike[str], keep: int) -> list[Path]:
    """Delete old versions beside `written`, so that `keep` are left: it, and the highest others.

    What is not a version of a model stays: a directory whose name is no number or that holds no
    `saved_model.pb`, a link, a file. A version leaves its name before it is deleted, so that a
    server never sees half of one; a server that has it loaded goes on serving it.

    Parameters
    ----------
    written
        The version directory that `export_saved_model` returned. It always stays.
    keep
        How many versions to leave, at least 1.

    Returns
    -------
    The directories that were deleted, the oldest first.

    Raises
    ------
    ValueError
        If `keep` is below 1.

    Examples
    --------
    >>> import tempfile
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     for version in ("1", "2", "10", "notes"):
    ...         Path(folder, version).mkdir()
    ...         Path(folder, version, "saved_model.pb").touch()
    ...     deleted = prune_versions(Path(folder, "10"), keep=2)
    ...     left = sorted(path.name for path in Path(folder).glob("[!.]*"))
    >>> [path.name for path in deleted], left
    (['1'], ['10', '2', 'notes'])
    """
    if keep < 1:
        raise ValueError(
            f"`keep` must be at least 1, for the version just written. Received: keep={keep}"
        )
    written = Path(written).absolute()
    others = sorted(
        (number, path)
        for path in written.parent.iterdir()
        if (number := _number(path)) is not None and path != written and _is_model(path)
    )
    surplus = [path for _, path in others[: max(len(others) - (keep - 1), 0)]]
    with locked(written.parent):
        for path in surplus:
            remove_whole(path)
    return surplus


def _number(path: Path) -> int | None:
    # "007" is version 7 to TensorFlow Serving as well.
    return int(path.name) if path.name.isascii() and path.name.isdecimal() else None


def _is_model(path: Path) -> bool:
    return not path.is_symlink() and (path / "saved_model.pb").is_file()
