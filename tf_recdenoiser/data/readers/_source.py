"""A log's bytes, read once and unpacked."""

from __future__ import annotations

import gzip
import importlib
import io
import zipfile
import zlib
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from tf_recdenoiser.data.log import DataError

_HEAD_BYTES = 1 << 16


@dataclass(frozen=True)
class Source:
    """The bytes of a log, from a file or a pipe.

    Attributes
    ----------
    path
        Where they came from.
    suffix
        The file name's ending in lower case, without that of a compressed file.
    content
        All bytes, unpacked.
    """

    path: Path
    suffix: str
    content: bytes

    def __str__(self) -> str:
        return repr(str(self.path))

    @property
    def head(self) -> bytes:
        """The first bytes, the whole first line among them."""
        return self.content[: max(_HEAD_BYTES, self.content.find(b"\n") + 1)]


def open_source(path: Path) -> Source:
    """Read a file or a pipe, once and whole; gzip, zstd and zip are unpacked.

    Raises
    ------
    DataError
        If it is missing, a directory or not allowed, or cannot be unpacked.
    """
    content, suffix = _bytes_of(path), path.suffix.lower()
    packing = suffix if suffix in _UNPACK else _packing_of(content)
    if packing is None:
        return Source(path, suffix, content)
    before = path.with_suffix("") if packing == suffix else path
    content, inner = _unpacked(path, packing, content)
    return Source(path, before.suffix.lower() or Path(inner).suffix.lower(), content)


def _bytes_of(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except (OSError, ValueError) as error:
        reason = getattr(error, "strerror", None) or error
        raise DataError(
            "The log must be a file that can be read; check its path and permissions, and give the "
            "files of a folder as a pattern in quotes, as 'logs/*.csv'. "
            f"Received: {str(path)!r} ({reason})"
        ) from error


def _packing_of(content: bytes) -> str | None:
    found = (suffix for start, suffix in _STARTS.items() if content.startswith(start))
    return next(found, None)


def _unpacked(path: Path, packing: str, content: bytes) -> tuple[bytes, str]:
    try:
        return _UNPACK[packing](content)
    except ImportError as error:
        raise DataError(
            "A log packed by zstd needs the package zstandard; install it (pip install "
            f"zstandard), or unpack the file first. Received: {str(path)!r}"
        ) from error
    except DataError as error:
        raise DataError(f"{error} in {str(path)!r}") from error
    except (OSError, EOFError, ValueError, RuntimeError, zlib.error, zipfile.BadZipFile) as error:
        raise _damaged(path, packing, error) from error


def _damaged(path: Path, packing: str, error: Exception) -> DataError:
    return DataError(
        f"A packed log must be a whole {packing} file without a password; pack it anew, or give "
        f"it its true name. Received: {str(path)!r} ({error})"
    )


def _unpack_gzip(content: bytes) -> tuple[bytes, str]:
    return gzip.decompress(content), ""


def _unpack_zstd(content: bytes) -> tuple[bytes, str]:
    zstandard = importlib.import_module("zstandard")
    parts: list[bytes] = []
    while content:
        frame = zstandard.ZstdDecompressor().decompressobj()
        try:
            parts.append(frame.decompress(content))
        except zstandard.ZstdError as error:
            raise ValueError(error) from error
        if not frame.eof:
            raise ValueError("it ends within a frame")
        content = frame.unused_data
    return b"".join(parts), ""


def _unpack_zip(content: bytes) -> tuple[bytes, str]:
    with zipfile.ZipFile(io.BytesIO(content)) as archive:
        names = [entry.filename for entry in archive.infolist() if not entry.is_dir()]
        if "xl/workbook.xml" in names:
            raise DataError(
                "A workbook of Excel must be saved as CSV (UTF-8) first. Received: a workbook"
            )
        if len(names) != 1:
            raise DataError(
                "A zip file must hold exactly one file; unpack it and give the log's own path. "
                f"Received: {len(names):,} files"
            )
        return archive.read(names[0]), names[0]


_UNPACK: dict[str, Callable[[bytes], tuple[bytes, str]]] = {
    ".gz": _unpack_gzip,
    ".zst": _unpack_zstd,
    ".zip": _unpack_zip,
}
# No text and no Parquet file begins like this.
_STARTS = {
    b"\x1f\x8b": ".gz",
    b"\x28\xb5\x2f\xfd": ".zst",
    b"PK\x03\x04": ".zip",
    b"PK\x05\x06": ".zip",
}
