"""What is to be prepared, and how: all that the pieces of a preparation have to know."""

from __future__ import annotations

import dataclasses
import json
import stat
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from tf_recdenoiser._files import written_whole
from tf_recdenoiser.data.log import DataError

NAME = "plan.json"


@dataclasses.dataclass(frozen=True)
class Plan:
    """The contents of `plan.json` in the folder in which pieces leave what they make.

    Attributes
    ----------
    sources
        Of each file of the log its path, its size in bytes, and when it was changed.
    k_core, shards, reading
        As `prepare_files` takes them.
    """

    sources: list[list[Any]]
    k_core: int
    shards: int
    reading: dict[str, Any]

    @classmethod
    def of(
        cls,
        paths: Sequence[Path],
        k_core: int,
        shards: int | None,
        reading: Mapping[str, Any],
        bytes_a_shard: int,
    ) -> Plan:
        """That of files as they are now; None for a shard for each so many bytes."""
        sources = [[str(path.absolute()), *_state(path)] for path in paths]
        total = sum(path.stat().st_size for path in paths)
        return cls(sources, k_core, shards or max(-(-total // bytes_a_shard), 1), dict(reading))

    @classmethod
    def read(cls, work: Path) -> Plan:
        """The one of a folder."""
        return cls(**json.loads((work / NAME).read_text("utf-8")))

    def write(self, work: Path) -> None:
        """Write it into a folder, whole or not at all."""
        with written_whole(work / NAME) as path:
            path.write_text(json.dumps(dataclasses.asdict(self)), encoding="utf-8")

    @property
    def paths(self) -> list[Path]:
        """Of the files of the log."""
        return [Path(path) for path, *_ in self.sources]


def _state(path: Path) -> tuple[int, int]:
    """The size of a file and when it was changed."""
    try:
        found = path.stat()
    except OSError as error:
        raise _unusable(path, error.strerror) from error
    if not stat.S_ISREG(found.st_mode):
        raise _unusable(path, "a folder" if path.is_dir() else "no file")
    return found.st_size, found.st_mtime_ns


def _unusable(path: Path, why: object) -> DataError:
    return DataError(
        "The files of a log must be there, and be such as can be read again; give those of a "
        f"folder as a pattern in quotes, as 'logs/*.csv'. Received: {str(path)!r} ({why})"
    )
