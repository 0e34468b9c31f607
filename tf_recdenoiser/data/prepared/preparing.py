"""From the files of a log to a prepared data set."""

from __future__ import annotations

import dataclasses
import json
import math
import shutil
from collections.abc import Mapping, Sequence
from os import PathLike
from pathlib import Path
from typing import Any, Protocol

import polars as pl

from tf_recdenoiser._files import locked, written_whole
from tf_recdenoiser.data.log import DataError
from tf_recdenoiser.data.prepared.manifest import NAME, Manifest, sha256_of
from tf_recdenoiser.data.prepared.parts import Parts, read_parts
from tf_recdenoiser.data.prepared.shards import ShardCounts, core, shard_name, write_shard
from tf_recdenoiser.data.readers._paths import log_paths

ITEMS = "items.parquet"
_WORK = "work"
_BYTES_A_SHARD = 16 << 20


@dataclasses.dataclass(frozen=True)
class _Plan:
    """What is to be prepared, and how: a preparation goes on only where it is the same."""

    sources: list[list[Any]]
    k_core: int
    shards: int
    reading: dict[str, Any]

    @classmethod
    def of(
        cls, paths: Sequence[Path], k_core: int, shards: int, reading: Mapping[str, Any]
    ) -> _Plan:
        """That of files as they are now."""
        sources = [[str(path.absolute()), *_state(path)] for path in paths]
        return cls(sources, k_core, shards, dict(reading))


class Observer(Protocol):
    """Who is told how far a preparation has come."""

    def begin(self, what: str, count: int) -> None:
        """So many of something are to be gone through, which is said in a word or two."""

    def advance(self) -> None:
        """One of them is done."""


class _Nobody:
    def begin(self, what: str, count: int) -> None:
        pass

    def advance(self) -> None:
        pass


def prepare_files(
    log: str | PathLike[str] | Sequence[str | PathLike[str]],
    folder: str | PathLike[str],
    k_core: int = 0,
    shards: int | None = None,
    observer: Observer | None = None,
    **reading: Any,
) -> Manifest:
    r"""Write the sequences of a log of many files into a folder, a file and a shard at a time.

    It takes the memory of the log's largest file, of the ids of all items, and of a shard. The
    result is what `prepare(read_log(log), k_core)` has, bit for bit; see `PreparedDataset`. What
    was interrupted goes on where it was when it is called again, with the same arguments.

    Parameters
    ----------
    log
        The files, as `read_log` takes them.
    folder
        Where to write; it must be new, or hold a preparation that was interrupted.
    k_core
        As `prepare` takes it.
    shards
        Parts of about as many users, 1 or more; None (default): one for each 16 MB of the log.
    observer
        Who is told how far it has come; None (default): nobody.
    reading
        What `read_log` is told beside the path.

    Raises
    ------
    DataError
        If the log cannot be read, files do not go together, or the k-core is empty.
    FolderError
        If the folder cannot be written to.
    ValueError
        If `k_core` or `shards` is out of its range, or the folder holds something else.

    Examples
    --------
    >>> import tempfile
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     for name, row in (("may", "ann,tea"), ("june", "ann,pot")):
    ...         _ = Path(folder, f"{name}.csv").write_text(f"user,item\n{row}\n")
    ...     files = [Path(folder, "may.csv"), Path(folder, "june.csv")]
    ...     manifest = prepare_files(files, Path(folder, "prepared"))
    >>> manifest.users, manifest.items, manifest.interactions
    (1, 2, 2)
    """
    if k_core < 0:
        raise ValueError(f"`k_core` must be at least 0. Received: {k_core!r}")
    if shards is not None and shards < 1:
        raise ValueError(f"`shards` must be at least 1. Received: {shards!r}")
    folder, paths = Path(folder), log_paths(log)
    count = shards or max(math.ceil(sum(_state(path)[0] for path in paths) / _BYTES_A_SHARD), 1)
    work = folder / _WORK
    with locked(folder, work):
        _begin(folder, work, _Plan.of(paths, k_core, count, reading))
        return _prepare(folder, work, paths, k_core, count, reading, observer or _Nobody())


def _prepare(
    folder: Path,
    work: Path,
    paths: Sequence[Path],
    k_core: int,
    shards: int,
    reading: Mapping[str, Any],
    observer: Observer,
) -> Manifest:
    observer.begin("files", len(paths))
    records = read_parts(paths, work, shards, reading, observer.advance)
    parts = Parts(work, records, reading.get("repeats") == "drop")
    items = core(parts, shards, k_core)
    with written_whole(folder / ITEMS) as path:
        pl.DataFrame({"item": items}).write_parquet(path)
    observer.begin("shards", shards)
    counts = []
    for number in range(shards):
        counts.append(write_shard(parts, number, items, k_core, folder, work))
        observer.advance()
    manifest = _manifest(folder, parts, counts, len(items), k_core, reading)
    manifest.write(folder)
    shutil.rmtree(work)
    return manifest


def _manifest(
    folder: Path,
    parts: Parts,
    counts: Sequence[ShardCounts],
    items: int,
    k_core: int,
    reading: Mapping[str, Any],
) -> Manifest:
    names = [ITEMS, *map(shard_name, range(len(counts)))]
    return Manifest(
        users=sum(one.users for one in counts),
        items=items,
        interactions=sum(one.interactions for one in counts),
        has_times=parts.time_unit is not None,
        has_feedback=parts.has_feedback,
        rows_read=sum(one.rows_read for one in parts.records),
        bad_rows=sum(one.bad_rows for one in parts.records),
        repeated_rows=sum(one.repeated_rows for one in counts),
        k_core=k_core,
        reading=dict(reading),
        sources=[{"name": one.source, "sha256": one.sha256} for one in parts.records],
        files={name: sha256_of(folder / name) for name in names},
        learned={name: one.learned for name, one in zip(names[1:], counts, strict=True)},
    )


def _begin(folder: Path, work: Path, plan: _Plan) -> None:
    """Write down what is begun; ValueError where something else is, or was begun."""
    path, content = work / "plan.json", json.dumps(dataclasses.asdict(plan))
    if path.exists():
        if path.read_text("utf-8") != content:
            raise ValueError(
                "The preparation of another log, or in another way, was begun in the folder: "
                f"delete it, or choose another one. Received: folder={str(folder)!r}"
            )
        return
    if any(not one.name.startswith(".") for one in folder.iterdir()):
        what = "a prepared data set" if (folder / NAME).exists() else "other files"
        raise ValueError(
            "The folder must be new or empty: delete it, or choose another one. "
            f"Received: folder={str(folder)!r}, which holds {what}"
        )
    work.mkdir()
    with written_whole(path) as temporary:
        temporary.write_text(content, encoding="utf-8")


def _state(path: Path) -> tuple[int, int]:
    """The size of a file and when it was changed."""
    try:
        found = path.stat()
    except OSError as error:
        raise DataError(
            "The files of a log must be there and be allowed to be read. "
            f"Received: {str(path)!r} ({error.strerror})"
        ) from error
    return found.st_size, found.st_mtime_ns
