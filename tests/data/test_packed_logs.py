"""A log is read once and whole, from a file, a packed file or a pipe."""

from __future__ import annotations

import gzip
import io
import os
import subprocess
import sys
import threading
import types
import zipfile
import zlib
from collections.abc import Callable
from pathlib import Path
from typing import Any

import polars as pl
import pytest

from tf_recdenoiser.data import DataError, read_log

ROWS = 20_000  # more than a pipe holds, and than the head that tells the format


def _csv() -> bytes:
    return b"user_id,item_id\n" + b"".join(b"u%d,i%d\n" % (n % 97, n) for n in range(ROWS))


def _pairs() -> bytes:
    return b"".join(b"%d %d\n" % (n % 97, n) for n in range(ROWS))


def _inter() -> bytes:
    return _csv().replace(b"user_id,item_id", b"user_id:token\titem_id:token").replace(b",", b"\t")


def _gaps() -> bytes:
    items = b" ".join(b"%d" % n for n in range(ROWS))
    return b"7 " + items + b"\t" + b" ".join([b"0"] * ROWS) + b"\n"


def _parquet() -> bytes:
    out = io.BytesIO()
    frame = pl.DataFrame({"user": [n % 97 for n in range(ROWS)], "item": range(ROWS)})
    frame.write_parquet(out)
    return out.getvalue()


def _zip(content: bytes, *names: str) -> bytes:
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("folder/", b"")
        for name in names or ("folder/log.csv",):
            archive.writestr(name, content)
    return out.getvalue()


def _jsonl() -> bytes:
    return b"".join(b'{"user": "u%d", "item": %d}\n' % (n % 97, n) for n in range(ROWS))


FORMATS: dict[str, Callable[[], bytes]] = {
    "pairs": _pairs,
    "csv": _csv,
    "recbole": _inter,
    "gaps": _gaps,
    "parquet": _parquet,
    "jsonl": _jsonl,
}
PACKED: dict[str, Callable[[bytes], bytes]] = {
    "plain": bytes,
    "gzip": gzip.compress,
    "zip": lambda content: _zip(content, "log"),
}


def fed(pipe: Path, content: bytes) -> threading.Thread:
    """A named pipe into which the content is written, once, while something reads it."""
    os.mkfifo(pipe)
    writer = threading.Thread(target=pipe.write_bytes, args=(content,))
    writer.start()
    return writer


@pytest.mark.parametrize("packed", PACKED)
@pytest.mark.parametrize("format", FORMATS)
def test_every_row_comes_through_a_pipe(tmp_path: Path, format: str, packed: str) -> None:
    writer = fed(tmp_path / "pipe", PACKED[packed](FORMATS[format]()))
    log = read_log(tmp_path / "pipe")
    writer.join()
    assert log.table["item"].n_unique() == log.report.rows_read == ROWS


@pytest.mark.parametrize("format", ["csv", "parquet", "jsonl"])
def test_every_row_comes_from_standard_input(format: str) -> None:
    code = "from tf_recdenoiser.data import read_log; print(read_log('/dev/stdin').table.height)"
    done = subprocess.run(
        [sys.executable, "-c", code], input=FORMATS[format](), capture_output=True, check=True
    )
    assert int(done.stdout) == ROWS


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("log.csv.gz", gzip.compress(_csv())),
        ("LOG.CSV.GZ", gzip.compress(_csv())),
        ("log.gz", gzip.compress(_csv()[:4000]) + gzip.compress(_csv()[4000:])),
        ("log.inter.gz", gzip.compress(_inter())),
        ("log.parquet.gz", gzip.compress(_parquet())),
        ("log.csv.zip", _zip(_csv(), "data")),
        ("log.zip", _zip(_csv())),
        ("log.zip", _zip(_parquet(), "log.pq")),
        ("log.zip", _zip(_jsonl(), "log.ndjson")),
        ("log.json.gz", gzip.compress(_jsonl())),
        ("log.txt", gzip.compress(_csv())),
    ],
)
def test_packed_files_are_read(tmp_path: Path, name: str, content: bytes) -> None:
    (tmp_path / name).write_bytes(content)
    assert read_log(tmp_path / name).report.rows_read == ROWS


def test_the_suffix_before_that_of_a_packed_file_tells_the_format(tmp_path: Path) -> None:
    path = tmp_path / "log.inter.gz"
    path.write_bytes(gzip.compress(b"user,item\n1,2\n"))
    with pytest.raises(DataError, match="RecBole file must name its columns"):
        read_log(path)


@pytest.mark.parametrize(
    ("name", "content", "said"),
    [
        ("log.csv.gz", b"user,item\n1,2\n", r"whole \.gz file.*log\.csv\.gz"),
        ("log.csv.gz", gzip.compress(_csv())[:-20], r"whole \.gz file.*log\.csv\.gz"),
        ("log.zip", b"user,item\n1,2\n", r"whole \.zip file.*log\.zip"),
        ("log.zip", _zip(_csv())[:-90], r"whole \.zip file.*log\.zip"),
        ("log.zip", _zip(b"1 2\n", "a", "b"), r"exactly one file.*Received: 2 files in .*log\.zip"),
        ("log.xlsx", _zip(b"<>", "xl/workbook.xml", "xl/styles.xml"), r"saved as CSV.*log\.xlsx"),
        ("log.zip", _zip(b"")[-22:], r"exactly one file|whole \.zip"),
    ],
)
def test_a_file_that_cannot_be_unpacked_says_why(
    tmp_path: Path, name: str, content: bytes, said: str
) -> None:
    (tmp_path / name).write_bytes(content)
    with pytest.raises(DataError, match=said):
        read_log(tmp_path / name)


def test_zstandard_is_asked_for_if_it_is_absent(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "zstandard", None)
    path = tmp_path / "log.csv.zst"
    path.write_bytes(b"\x28\xb5\x2f\xfd")
    with pytest.raises(DataError, match=r"pip install zstandard.*Received: .*log\.csv\.zst"):
        read_log(path)


def test_zstandard_is_used_if_it_is_there(tmp_path: Path) -> None:
    zstandard = pytest.importorskip("zstandard")
    path = tmp_path / "log.csv.zst"
    compress = zstandard.ZstdCompressor().compress
    packed = compress(_csv()[:4000]) + compress(_csv()[4000:])
    path.write_bytes(packed)
    assert read_log(path).report.rows_read == ROWS
    path.write_bytes(packed[:-9])
    with pytest.raises(DataError, match=r"whole \.zst file"):
        read_log(path)


def test_zstandard_unpacks_what_it_is_given(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """With a stand-in for the package, which needs not be installed."""

    class Decompressor:
        def decompressobj(self) -> Any:
            return zlib.decompressobj(wbits=31)  # which has the same interface

    module = types.SimpleNamespace(ZstdDecompressor=Decompressor, ZstdError=RuntimeError)
    monkeypatch.setitem(sys.modules, "zstandard", module)
    path = tmp_path / "log.csv.zst"
    packed = gzip.compress(_csv()[:4000]) + gzip.compress(_csv()[4000:])
    path.write_bytes(packed)
    assert read_log(path).report.rows_read == ROWS
    path.write_bytes(packed[:-9])
    with pytest.raises(DataError, match=r"whole \.zst file"):
        read_log(path)


def test_a_path_that_cannot_be_one() -> None:
    with pytest.raises(DataError, match="must be a file that can be read"):
        read_log("log\0.csv")
