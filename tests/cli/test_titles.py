"""Titles that are given to `train` are shown wherever items are."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import polars as pl
import pytest
import tensorflow as tf

from tests.cli.shell import SIZES, rows, tf_recdenoiser
from tf_recdenoiser.retrieval import ServingModule
from tf_recdenoiser.runs import RunDirectory, load_run

PLAIN = (*SIZES, "--detector", "none", "--gamma", 0, "--num-layers", 1, "--epochs", 1)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A log of a shop, titles of all its items but 119, and a run."""
    folder = tmp_path_factory.mktemp("titles")
    lines = [f"{u},{100 + (u * 7 + s * 3) % 20},{s}" for u in range(12) for s in range(6)]
    (folder / "shop.csv").write_text("\n".join(["user,item,time", *lines]))
    titles = [f"{item},Thing No. {item}" for item in range(90, 119)]
    (folder / "things.csv").write_text("\n".join(["sku,title", *titles]))
    outcome = tf_recdenoiser(
        *("train", folder / "shop.csv", "--out", folder / "run", *PLAIN),
        *("--titles", folder / "things.csv"),
    )
    assert outcome.status == 0, outcome.err
    return folder


def test_titles_stand_beside_items(folder: Path) -> None:
    run = load_run(folder / "run")
    assert run.titles is not None and run.titles[-1] == ""
    history = ("--history", "101,104", "--include-seen", "-k", 20)
    shown = rows(tf_recdenoiser("recommend", folder / "run", *history).out)
    assert {(item, title) for _, item, title, _ in shown} == {
        (str(item), f"Thing No. {item}" if item < 119 else "") for item in range(100, 120)
    }
    found = json.loads(tf_recdenoiser("recommend", folder / "run", *history, "--json").out)
    assert [(str(one["item"]), one["title"]) for one in found] == [
        (item, title) for _, item, title, _ in shown
    ]
    (similar,) = rows(tf_recdenoiser("similar", folder / "run", "101", "-k", 1).out)
    assert similar[2] == f"Thing No. {similar[1]}" or similar[1] == "119"
    explained = tf_recdenoiser("explain", folder / "run", "--history", "101,104", "--json")
    assert [row["title"] for row in json.loads(explained.out)] == ["Thing No. 101", "Thing No. 104"]


def test_titles_are_written_with_what_all_users_get(folder: Path) -> None:
    out = folder / "recs.parquet"
    outcome = tf_recdenoiser("recommend", folder / "run", "--all-users", "--out", out, "-k", 2)
    assert outcome.status == 0, outcome.err
    table = pl.read_parquet(out)
    assert table.columns == ["user", "rank", "item", "score", "title"]
    for item, title in table.select("item", "title").iter_rows():
        assert title == (f"Thing No. {item}" if item < 119 else "")


def test_titles_stay_where_a_run_begins_with_another(folder: Path, tmp_path: Path) -> None:
    new, more = tmp_path / "new.csv", tmp_path / "more.csv"
    new.write_text((folder / "shop.csv").read_text() + "\n3,200,9\n3,201,10")
    more.write_text("sku,title\n200,New\n105,Renamed\n")
    command = ("train", new, "--from", folder / "run", "--titles", more, "--out", tmp_path / "run")
    assert tf_recdenoiser(*command).status == 0
    titles = RunDirectory(tmp_path / "run").titles()
    assert titles is not None
    assert titles.tolist() == [
        *(f"Thing No. {item}" if item != 105 else "Renamed" for item in range(100, 119)),
        *("", "New", ""),
    ]
    again = tf_recdenoiser(*command, "--resume")
    assert again.status == 1 and "`--titles` is for a run that begins" in again.err


def test_titles_are_served(folder: Path, tmp_path: Path) -> None:
    run = load_run(folder / "run")
    served = tf.saved_model.load(str(run.export(tmp_path / "shop")))
    asked = {"lengths": [-1], "k": [20], "exclude_seen": [False]}
    answer = served.signatures["serving_default"](
        histories=tf.constant([[101, 104]], tf.int64),
        **{name: tf.constant(value) for name, value in asked.items()},
    )
    expected = run.recommend([101, 104], k=20, exclude_seen=False)
    assert answer["item_ids"].numpy()[0].tolist() == [one.item for one in expected]
    titles = [title.decode() for title in answer["titles"].numpy()[0]]
    assert titles == [one.title for one in expected]


def test_titles_must_be_those_of_all_items(folder: Path) -> None:
    run = load_run(folder / "run")
    with pytest.raises(ValueError, match=r"each of the model's 20 items. Received: shape \(3,\)"):
        ServingModule(run.recommender, run.item_ids, 10, titles=np.array(["a", "b", "c"]))
