"""From the files of a log to a prepared data set."""

from __future__ import annotations

import functools
import shutil
from collections.abc import Callable, Sequence
from os import PathLike
from pathlib import Path
from typing import Any, Protocol

from tf_recdenoiser._files import locked, written_whole
from tf_recdenoiser.data.prepared.engines import Engine, Local
from tf_recdenoiser.data.prepared.manifest import Manifest, is_prepared, sha256_of
from tf_recdenoiser.data.prepared.parts import Parts, read_part
from tf_recdenoiser.data.prepared.plan import NAME as PLAN
from tf_recdenoiser.data.prepared.plan import Plan
from tf_recdenoiser.data.prepared.shards import (
    ITEMS,
    core_items,
    count_items,
    next_core,
    set_core_items,
    shard_counts,
    shard_name,
    write_shard,
)
from tf_recdenoiser.data.readers._paths import log_paths

_WORK = "work"
_BYTES_A_SHARD = 16 << 20


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
    engine: Engine | None = None,
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
    engine
        What does the pieces; None (default) for this process.
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
    folder = Path(folder)
    work, observer = folder / _WORK, observer or _Nobody()
    plan = Plan.of(log_paths(log), k_core, shards, reading, _BYTES_A_SHARD)
    with locked(folder, work):
        _begin(folder, work, plan)
        _prepare(folder, work, plan, Local() if engine is None else engine, observer)
        manifest = _manifest(folder, work, plan)
        manifest.write(folder)
        shutil.rmtree(work)
        return manifest


def _prepare(folder: Path, work: Path, plan: Plan, engine: Engine, observer: Observer) -> None:
    def run(what: str, piece: Callable[[Path, int], None], count: int) -> None:
        observer.begin(what, count)
        engine.run(functools.partial(piece, work), count, observer.advance)

    run("files", read_part, len(plan.sources))
    if not (folder / ITEMS).exists():
        set_core_items(work, Parts(work).items())
        is_core = plan.k_core <= 1
        while not is_core:
            run("shards, counted", count_items, plan.shards)
            is_core = not next_core(work)
        with written_whole(folder / ITEMS) as path:
            shutil.copyfile(work / ITEMS, path)
    run("shards", write_shard, plan.shards)


def _manifest(folder: Path, work: Path, plan: Plan) -> Manifest:
    names, counts = [*map(shard_name, range(plan.shards))], shard_counts(work)
    parts = Parts(work)
    return Manifest(
        users=sum(one.users for one in counts),
        items=len(core_items(work)),
        interactions=sum(one.interactions for one in counts),
        has_times=parts.time_unit is not None,
        has_feedback=parts.has_feedback,
        rows_read=sum(one.rows_read for one in parts.records),
        bad_rows=sum(one.bad_rows for one in parts.records),
        repeated_rows=sum(one.repeated_rows for one in counts),
        k_core=plan.k_core,
        reading=plan.reading,
        sources=[{"name": one.source, "sha256": one.sha256} for one in parts.records],
        files={name: sha256_of(folder / name) for name in (ITEMS, *names)},
        learned={name: one.learned for name, one in zip(names, counts, strict=True)},
    )


def _begin(folder: Path, work: Path, plan: Plan) -> None:
    """Write down what is begun; ValueError where something else is, or was begun."""
    if (work / PLAN).exists():
        if Plan.read(work) != plan:
            raise ValueError(
                "The preparation of another log, or in another way, was begun in the folder: "
                f"delete it, or choose another one. Received: folder={str(folder)!r}"
            )
        return
    if any(one != work and not one.name.startswith(".") for one in folder.iterdir()):
        what = "a prepared data set" if is_prepared(folder) else "other files"
        raise ValueError(
            "The folder must be new or empty: delete it, or choose another one. "
            f"Received: folder={str(folder)!r}, which holds {what}"
        )
    work.mkdir(exist_ok=True)
    plan.write(work)
