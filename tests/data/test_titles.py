"""Titles of items, as shops and MovieLens keep them beside a log."""

from __future__ import annotations

import gzip
import json
from pathlib import Path

import numpy as np
import polars as pl
import pytest

from tf_recdenoiser.data import DataError, read_titles

TITLES = {"7": "Tea, green", "8": 'A "fine" bowl', "9": "Überraschung 🍣"}


def quoted(text: str) -> str:
    return '"' + text.replace('"', '""') + '"'


FILES = {
    "movies.csv": "movieId,title,genres\n"
    + "".join(f"{item},{quoted(title)},x\n" for item, title in TITLES.items()),
    "semicolons.csv": "Name;SKU;Preis\n"
    + "".join(f"{quoted(title)};{item};1,50\n" for item, title in TITLES.items()),
    "tabs.tsv": "product_id\tproduct_name\n"
    + "".join(f"{item}\t{quoted(title)}\n" for item, title in TITLES.items()),
    "lines.csv": "\ufeffitem_id,title\r\n"
    + "".join(f"{item},{quoted(title)}\r\n" for item, title in TITLES.items()),
    "items.jsonl": "".join(
        json.dumps({"asin": item, "title": title, "price": None}) + "\n"
        for item, title in TITLES.items()
    ),
}


@pytest.mark.parametrize("name", FILES)
@pytest.mark.parametrize("ids", [[9, 7, 1, 8], np.array(["9", "7", "1", "8"], object)])
def test_titles_are_found_by_the_names_of_columns(
    tmp_path: Path, name: str, ids: list[int] | np.ndarray
) -> None:
    path = tmp_path / name
    path.write_text(FILES[name], encoding="utf-8", newline="")
    found = read_titles(path, ids)
    assert found.tolist() == [TITLES["9"], TITLES["7"], "", TITLES["8"]]
    packed = tmp_path / f"{name}.gz"
    packed.write_bytes(gzip.compress(path.read_bytes()))
    assert read_titles(packed, ids).tolist() == found.tolist()


def test_parquet_has_ids_of_its_own_type(tmp_path: Path) -> None:
    table = pl.DataFrame({"item": [7, 8, 8, 9], "name": ["tea", None, "bowl", " plate "]})
    table.write_parquet(tmp_path / "items.parquet")
    found = read_titles(tmp_path / "items.parquet", np.array([8, 9]))
    assert found.tolist() == ["bowl", "plate"]


def test_an_id_with_zeros_stays_one_and_the_first_title_counts(tmp_path: Path) -> None:
    path = tmp_path / "items.csv"
    path.write_text("sku,title\n007,Bond\n7,Seven\n7,Again\n")
    assert read_titles(path, ["007", "7"]).tolist() == ["Bond", "Seven"]


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"sku,price\n7,1\n", r"must have a column of the titles, called title or so.* 'price'"),
        (b"title,price\nTea,1\n", r"must have a column of the items, called item or so"),
        (b"sku,title\n70,Tea\n", r"must be those of the log's items, such as 7, 8.* with 70 in"),
        ("sku,title\n7,Thé\n".encode("latin-1"), r"Titles must be a CSV file .* as UTF-8"),
        (b"", r"Titles must be a CSV file"),
    ],
)
def test_what_has_no_titles_is_said(tmp_path: Path, content: bytes, message: str) -> None:
    path = tmp_path / "items.csv"
    path.write_bytes(content)
    with pytest.raises(DataError, match=message) as error:
        read_titles(path, [7, 8])
    assert "items.csv" in str(error.value)


def test_movielens_titles_are_read(shared_data: Path) -> None:
    found = read_titles(shared_data / "ml-latest-small/movies.csv", [1, 10, 193609])
    assert found.tolist() == [
        "Toy Story (1995)",
        "GoldenEye (1995)",
        "Andrew Dice Clay: Dice Rules (1991)",
    ]
