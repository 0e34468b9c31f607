"""Files of a run: written whole, and read as data within bounds."""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar

import numpy as np

from tf_recdenoiser._files import written_whole
from tf_recdenoiser.runs.errors import parsed

_T = TypeVar("_T")
_LARGEST_TEXT = 1 << 30
_SHA256_CHUNK = 1 << 20


def read_text(path: Path, largest: int = _LARGEST_TEXT) -> str:
    """The text of a file; ValueError if it has more than `largest` bytes, 2^30 by default."""
    if not path.is_file() or path.stat().st_size > largest:
        raise ValueError(f"a file of at most {largest} bytes must be there")
    return path.read_text(encoding="utf-8")


def read_json(path: Path, convert: Callable[[Any], _T]) -> _T:
    """What `convert` makes of a JSON file; RunError if that is not what was written."""
    return parsed(path, lambda: convert(json.loads(read_text(path))))


def write_json(path: Path, value: Any) -> None:
    """Write a JSON file whole: `path` never holds half of one."""
    write_text(path, json.dumps(value, indent=1, ensure_ascii=False) + "\n")


def write_text(path: Path, text: str) -> None:
    """Write a file whole."""
    with written_whole(path) as temporary:
        temporary.write_text(text, encoding="utf-8")


def sha256_of(path: Path, start: int = 0, before: bytes = b"") -> str:
    """The SHA-256 of `before` and of what a file holds from byte `start` on, in hexadecimal."""
    digest = hashlib.sha256(before)
    with path.open("rb") as file:
        file.seek(start)
        while chunk := file.read(_SHA256_CHUNK):
            digest.update(chunk)
    return digest.hexdigest()


def read_numbers(path: Path, count: int) -> np.ndarray:
    """The float32 numbers `[count]` of an `.npy` file, of which the header is judged first.

    ValueError if the file holds anything else: objects, which would be unpickled, another shape,
    more or fewer bytes, or what is not finite.
    """
    with path.open("rb") as file:
        if np.lib.format.read_magic(file) != (1, 0):
            raise ValueError("the format of the file must be that of NumPy, 1.0")
        shape, _, dtype = np.lib.format.read_array_header_1_0(file)
        size = os.fstat(file.fileno()).st_size - file.tell()
        if (shape, dtype, size) != ((count,), np.dtype("<f4"), 4 * count):
            raise ValueError(f"{count} numbers of float32 must be there, not {shape} of {dtype}")
        numbers = np.fromfile(file, np.dtype("<f4"), count)
    if not np.isfinite(numbers).all():
        raise ValueError("each number must be finite")
    return numbers.astype(np.float32)
