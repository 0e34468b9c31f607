"""What a prepared data set says of itself."""

from __future__ import annotations

import dataclasses
import hashlib
import json
from collections.abc import Mapping, Sequence
from os import PathLike
from pathlib import Path
from typing import Any

from tf_recdenoiser._files import written_whole
from tf_recdenoiser.data.log import DataError

NAME = "manifest.json"
FORMAT = 1


@dataclasses.dataclass(frozen=True)
class Manifest:
    """The contents of `manifest.json`, which is written last: where it is, the data set is whole.

    Attributes
    ----------
    users, items, interactions
        How many there are.
    has_times, has_feedback
        Whether it is known when things happened, and what was disliked.
    rows_read, bad_rows, repeated_rows
        Of the log: all of its rows, those that were skipped, and those that repeat the user, the
        item and the time of an earlier one.
    k_core, reading
        How it was prepared: the k of its k-core, and what `read_log` was told.
    sources
        The name and the SHA-256 of each file of the log.
    files
        The SHA-256 of each file of the data set, by its name.
    learned
        Of how many users of each shard something can be learned; see `user_codes`.
    """

    users: int
    items: int
    interactions: int
    has_times: bool
    has_feedback: bool
    rows_read: int
    bad_rows: int
    repeated_rows: int
    k_core: int
    reading: Mapping[str, Any]
    sources: Sequence[Mapping[str, str]]
    files: Mapping[str, str]
    learned: Mapping[str, int]

    def write(self, folder: Path) -> None:
        """Write it into a folder, whole or not at all."""
        content = {"format": FORMAT, **dataclasses.asdict(self)}
        with written_whole(folder / NAME) as path:
            path.write_text(json.dumps(content, indent=1) + "\n", encoding="utf-8")

    @classmethod
    def read(cls, folder: Path) -> Manifest:
        """That of a folder.

        Raises
        ------
        DataError
            If it cannot be read.
        """
        path = folder / NAME
        try:
            content = json.loads(path.read_text("utf-8"))
            if content.pop("format") != FORMAT:
                raise ValueError("it is of another version")
            return cls(**content)
        except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
            raise DataError(
                "A prepared data set must have the manifest that `tf-recdenoiser prepare` wrote; "
                f"prepare it anew. Received: {str(path)!r} ({error})"
            ) from error


def is_prepared(path: str | PathLike[str]) -> bool:
    """Whether a path is the folder of a prepared data set."""
    return Path(path, NAME).is_file()


def sha256_of(path: Path) -> str:
    """Of a file's content, as 64 hexadecimal digits."""
    digest = hashlib.sha256()
    with path.open("rb") as file:
        while block := file.read(1 << 20):
            digest.update(block)
    return digest.hexdigest()
