"""What a log says of what users disliked: ratings, yes and no, and time spent."""

from __future__ import annotations

import gzip
import json
import math
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.data.test_frames import ArrowOnly
from tf_recdenoiser.data import DataError, InteractionLog, prepare, read_log

Values = list[float | None]


def read(folder: Path, values: list[str], **options: Any) -> InteractionLog:
    """A CSV with these fields in the column `f`, one user a row, from line 2 on."""
    path = folder / "log.csv"
    rows = [f"u{number},7,{value}" for number, value in enumerate(values)]
    path.write_text("\n".join(["user,item,f", *rows]), encoding="utf-8")
    return read_log(path, feedback_column="f", **options)


def disliked(log: InteractionLog) -> Values:
    assert log.table["disliked"].dtype == pl.Float64
    return log.table["disliked"].to_list()


# --- What values mean -------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("options", "expected"),
    [
        ({"disliked_below": 3}, [1, 1, 0, 0, 0, None]),
        ({"disliked_above": 3}, [0, 0, 0, 1, 1, None]),
        ({"disliked_below": 2, "disliked_above": 4}, [1, 0, 0, 0, 1, None]),
        ({"disliked_below": 3, "disliked_above": 3}, [1, 1, 0, 1, 1, None]),
        ({"disliked_below": 3, "liked_from": 4}, [1, 1, 0.5, 0, 0, None]),
        ({"disliked_below": 3, "liked_from": 3}, [1, 1, 0, 0, 0, None]),
        ({"disliked_above": 3, "liked_from": 2}, [0, 0, 0.5, 1, 1, None]),
        ({"disliked_below": 1}, [0, 0, 0, 0, 0, None]),
    ],
)
def test_thresholds(tmp_path: Path, options: dict[str, float], expected: Values) -> None:
    log = read(tmp_path, ["1", "2", "3", "4", "5", ""], **options)
    assert disliked(log) == expected
    assert log.report.unread_feedback == ()


@given(
    values=st.lists(st.none() | st.sampled_from([-1.5, 0.0, 0.1, 2.0, 3.0, 4.5, 1e9]), min_size=1),
    ends=st.tuples(*[st.sampled_from([0.0, 0.1, 2.0, 3.5])] * 2).map(sorted),
    which=st.sampled_from(["below", "above", "both", "below liked", "above liked"]),
)
@settings(max_examples=60, deadline=None)
def test_each_value_is_on_the_side_that_it_is_on(
    values: Values, ends: list[float], which: str
) -> None:
    low, high = ends
    options, expected = {
        "below": ({"disliked_below": low}, lambda x: x < low),
        "above": ({"disliked_above": high}, lambda x: x > high),
        "both": ({"disliked_below": low, "disliked_above": high}, lambda x: not low <= x <= high),
        "below liked": (
            {"disliked_below": low, "liked_from": high},
            lambda x: 1 if x < low else 0 if x >= high else 0.5,
        ),
        "above liked": (
            {"disliked_above": high, "liked_from": low},
            lambda x: 1 if x > high else 0 if x <= low else 0.5,
        ),
    }[which]
    frame = pl.DataFrame({"user": range(len(values)), "item": 7, "f": values}).cast(
        {"f": pl.Float64}
    )
    found = disliked(read_log(frame, feedback_column="f", **options))
    assert found == [None if x is None else float(expected(x)) for x in values]


@pytest.mark.parametrize("yes", ["true", "True", "YES", "t", "Y", "1", "1.0"])
@pytest.mark.parametrize("no", ["false", "FALSE", "No", "f", "n", "0"])
def test_yes_is_disliked(tmp_path: Path, yes: str, no: str) -> None:
    assert disliked(read(tmp_path, [no, yes, "", no])) == [0, 1, None, 0]
    # As for a column of what was liked.
    assert disliked(read(tmp_path, [no, yes, "", no], disliked_below=1)) == [1, 0, None, 1]


@pytest.mark.parametrize("missing", ["", "  ", "NULL", "nan", "NA", "\\N"])
def test_where_there_is_no_value_nothing_is_known(tmp_path: Path, missing: str) -> None:
    log = read(tmp_path, ["2", missing, "4"], disliked_below=3)
    assert disliked(log) == [1, None, 0]
    assert log.report.unread_feedback == ()


def test_a_missing_value_may_be_spelled_as_a_number_or_a_word(tmp_path: Path) -> None:
    log = read(tmp_path, ["2", "-1", "4", "no"], disliked_below=3, null_value="-1,no")
    assert disliked(log) == [1, None, 0, None]
    assert log.report.unread_feedback == ()


def test_what_cannot_be_read_is_unknown_and_counted(tmp_path: Path) -> None:
    fields = ["2", "4", "5", "5", "5", "soon", "inf", "-inf", "4 stars"]
    log = read(tmp_path, fields, disliked_below=3)
    assert disliked(log) == [1, 0, 0, 0, 0, *[None] * 4]
    assert log.report.unread_feedback == (7, 8, 9, 10)
    assert (
        "Rows whose feedback is unknown, since theirs is neither a number nor yes or no, kept: "
        "4 (lines 7, 8, 9, 10)." in log.report.describe()
    )


@pytest.mark.parametrize("fields", [["good", "bad"], ["1", "good"], ["", "good", "0", "bad", "1"]])
def test_a_column_of_other_text_is_refused(tmp_path: Path, fields: list[str]) -> None:
    with pytest.raises(DataError, match=r"numbers, or yes and no; .*Received: 'good' in") as caught:
        read(tmp_path, fields, disliked_below=3)
    assert "--feedback-column" in str(caught.value)


@pytest.mark.parametrize("column", [[[1], [2]], [{"a": 1}, {"a": 2}]])
def test_a_column_of_another_type_is_refused(column: list[Any]) -> None:
    with pytest.raises(DataError, match=r"Received: a column of type (List|Struct)"):
        read_log(pl.DataFrame({"user": [1, 2], "item": [1, 2], "f": column}), feedback_column="f")


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({}, r"a threshold; give --disliked-below .*Received: numbers from 0.5 to 5, and no thr"),
        ({"liked_from": 3}, r"`liked_from` must go with one of .*Received: liked_from=3"),
        (
            {"disliked_below": 1, "disliked_above": 4, "liked_from": 3},
            r"`liked_from` must go with one of .*Received: .*above=4, liked_from=3",
        ),
        ({"disliked_below": 3, "liked_from": 2.5}, r"must not be a number that is disliked.*2\.5"),
        ({"disliked_above": 3, "liked_from": 3.5}, r"must not be a number that is disliked.*3\.5"),
        ({"disliked_below": 4, "disliked_above": 3}, "must not be above `disliked_above`"),
        ({"disliked_below": math.nan}, "`disliked_below` must be a finite number. Received: nan"),
        ({"disliked_above": "3"}, "`disliked_above` must be a finite number. Received: '3'"),
    ],
)
def test_thresholds_that_cannot_be(tmp_path: Path, options: dict[str, Any], message: str) -> None:
    with pytest.raises(DataError, match=message):
        read(tmp_path, ["0.5", "5", ""], **options)


@pytest.mark.parametrize("name", ["disliked_below", "disliked_above"])
def test_a_threshold_without_a_column(name: str) -> None:
    frame = pl.DataFrame({"user": [1], "item": [2], "rating": [3]})
    with pytest.raises(DataError, match=rf"`{name}` must go with .*Received: {name}=2, and no col"):
        read_log(frame, **{name: 2})


# --- Where they stand -------------------------------------------------------------------------

ROWS = [("ann", "tea", 4.0), ("ann", "cup", None), ("bob", "tea", 1.0), ("bob", "pot", 3.0)]
EXPECTED = [0, None, 1, 0.5]
STARS = {"feedback_column": "rating", "disliked_below": 2, "liked_from": 4}


def lines(between: str, header: str = "user,item,rating") -> str:
    texts = [["" if one is None else str(one) for one in row] for row in ROWS]
    return "\n".join(between.join(row) for row in [header.split(","), *texts])


def columns() -> dict[str, list[Any]]:
    return dict(zip(("user", "item", "rating"), map(list, zip(*ROWS, strict=True)), strict=True))


FILES = {
    "log.csv": lines(","),
    "log.tsv": lines("\t"),
    "semicolons.txt": lines(";"),
    "log.inter": lines("\t", "user_id:token,item_id:token,rating:float"),
    "log.jsonl": "\n".join(json.dumps(dict(zip(columns(), row, strict=True))) for row in ROWS),
}


@pytest.mark.parametrize("packed", [False, True])
@pytest.mark.parametrize("name", FILES)
def test_files(tmp_path: Path, name: str, packed: bool) -> None:
    path = tmp_path / (f"{name}.gz" if packed else name)
    content = FILES[name].encode()
    path.write_bytes(gzip.compress(content) if packed else content)
    log = read_log(path, **STARS)
    assert disliked(log) == EXPECTED
    assert log.table["rating"].to_list() == [4, None, 1, 3]
    assert "ratings from 'rating', feedback from 'rating'" in log.report.columns


@pytest.mark.parametrize("rating_column", [None, "rating"])
def test_tables_and_parquet(tmp_path: Path, rating_column: str | None) -> None:
    frame = pl.DataFrame(columns())
    frame.write_parquet(tmp_path / "log.parquet")
    for source in (frame, frame.lazy(), ArrowOnly(frame), tmp_path / "log.parquet"):
        log = read_log(source, rating_column=rating_column, **STARS)
        assert disliked(log) == EXPECTED
        assert log.table["rating"].to_list() == [4, None, 1, 3]
        assert log.table.columns == ["line", "user", "item", "rating", "disliked"]


@pytest.mark.parametrize(
    "dtype", [pl.Boolean, pl.Int8, pl.UInt64, pl.Float32, pl.String, pl.Categorical]
)
def test_types_of_yes_and_no(dtype: Any) -> None:
    values = pl.Series([True, None, False])
    typed = values.cast(pl.String if dtype == pl.Categorical else dtype).cast(dtype)
    frame = pl.DataFrame({"user": [1, 2, 3], "item": 7, "returned": typed})
    assert disliked(read_log(frame, feedback_column="returned")) == [1, None, 0]


def test_numbers_of_less_precision_are_those_that_they_are_written_as() -> None:
    stars = pl.Series([4.2, 3.3, 1.1], dtype=pl.Float32)
    frame = pl.DataFrame({"user": [1, 2, 3], "item": 7, "stars": stars})
    log = read_log(frame, feedback_column="stars", disliked_below=3.3, liked_from=4.2)
    assert disliked(log) == [0, 0.5, 1]


def test_booleans_within_objects_of_json(tmp_path: Path) -> None:
    path = tmp_path / "log.jsonl"
    orders = [{"returned": True}, {"returned": False}, {}, {"returned": None}]
    path.write_text("\n".join(json.dumps({"user": 1, "item": 2, "order": one}) for one in orders))
    log = read_log(path, feedback_column="order.returned")
    assert disliked(log) == [1, 0, None, None]
    assert "feedback from 'order.returned'" in log.report.columns


def test_files_without_a_header(tmp_path: Path) -> None:
    path = tmp_path / "log.csv"
    path.write_text("ann,tea,40\nann,cup,2\n")
    options = {"feedback_column": "seconds", "disliked_below": 5}
    assert disliked(read_log(path, columns="user,item,seconds", **options)) == [0, 1]
    path = tmp_path / "u.data"
    path.write_text("1\t7\t2\t881250949\n1\t8\t5\t881250950\n")
    assert disliked(read_log(path, feedback_column="rating", disliked_below=3)) == [1, 0]


def test_feedback_is_read_from_no_column_that_is_not_named() -> None:
    frame = pl.DataFrame({"user": [1], "item": [2], "disliked": [True], "feedback": [3]})
    assert read_log(frame).table.columns == ["line", "user", "item"]
    with pytest.raises(
        DataError, match=r"Which column holds the feedback\? .*no column called 'loved'"
    ):
        read_log(frame, feedback_column="loved")


def test_bad_quotes_in_feedback_make_no_row_bad(tmp_path: Path) -> None:
    log = read(tmp_path, ["1", "0", '"1"x', "0"])
    assert disliked(log) == [1, 0, None, 0]
    assert (log.report.bad_rows, log.report.unread_feedback) == ((), (4,))


@pytest.mark.parametrize(
    ("format", "text"), [("pairs", "ann tea\nbob cup\n"), ("gaps", "ann tea cup\t0 5\n")]
)
def test_formats_without_names_have_no_feedback(tmp_path: Path, format: str, text: str) -> None:
    path = tmp_path / "log.txt"
    path.write_text(text)
    with pytest.raises(DataError, match=r"no named columns; leave .*Received: {'feedback': 'x'}"):
        read_log(path, format=format, feedback_column="x")
    with pytest.raises(DataError, match=r"--feedback-column.*no column called 'x'"):
        read_log(path, feedback_column="x")


# --- Several files, and what becomes of it ----------------------------------------------------


def several(folder: Path, *texts: str) -> list[Path]:
    paths = [folder / f"{number}.csv" for number, _ in enumerate(texts)]
    for path, text in zip(paths, texts, strict=True):
        path.write_text(text)
    return paths


def test_several_files_are_one_column(tmp_path: Path) -> None:
    second = "f,user,item\n5,b,1\n,b,2\nx,b,3\n0,c,1\n2,c,2"
    paths = several(tmp_path, "user,item,f\na,1,0\na,2,1\n", second)
    # All of the first are 0 or 1; that they are not yes and no is seen in the second.
    with pytest.raises(DataError, match=r"Received: numbers from 0 to 5"):
        read_log(paths, feedback_column="f")
    log = read_log(paths, feedback_column="f", disliked_below=2)
    assert disliked(log) == [1, 1, 0, None, None, 1, 0]
    assert f"kept: 1 (line {paths[1]}:4)" in log.report.describe()


def test_each_of_several_files_has_the_column(tmp_path: Path) -> None:
    paths = several(tmp_path, "user,item,f\na,1,0\n", "user,item\nb,1\n")
    with pytest.raises(DataError, match=r"holds the feedback.*no column called 'f' in '.*1\.csv'"):
        read_log(paths, feedback_column="f")


def test_the_report_counts_rows_of_each_kind(tmp_path: Path) -> None:
    fields = ["1", *["3"] * 2, *["4.5"] * 4, ""]
    log = read(tmp_path, fields, disliked_below=3, liked_from=4)
    assert (
        "Feedback: 1 disliked (12.5%), 4 liked (50.0%), 2 neither (25.0%), 1 unknown (12.5%), "
        "of numbers from 1 to 4.5." in log.report.describe()
    )
    log = read(tmp_path, ["yes", "no"])
    assert "Feedback: 1 disliked (50.0%), 1 liked (50.0%).\n" in log.report.describe()
    log = read(tmp_path, ["3", "4"], disliked_below=1)
    assert "Feedback: 0 disliked (0.0%), 2 liked (100.0%), of num" in log.report.describe()
    log = read(tmp_path, ["", ""], disliked_below=1)
    assert "Feedback: 0 disliked (0.0%), 2 unknown (100.0%), of no n" in log.report.describe()
    assert "Feedback" not in read_log(pl.DataFrame({"user": [1], "item": [2]})).report.describe()


def test_feedback_goes_with_its_interaction() -> None:
    frame = pl.DataFrame(
        {
            "user": ["b", "a", "b", "a", "b"],
            "item": [1, 2, 3, 4, 3],
            "time": [9, 8, 7, 6, 7],
            "stars": [1, 2, None, 4, 5],
        }
    )
    log = read_log(frame, feedback_column="stars", disliked_below=2, liked_from=4, repeats="drop")
    found = prepare(log)
    assert found.item_ids[found.items - 1].tolist() == [4, 2, 3, 1]
    assert found.disliked is not None
    np.testing.assert_array_equal(found.disliked, np.float32([0, 0.5, np.nan, 1]))
    other = prepare(read_log(frame, feedback_column="stars", disliked_below=3, repeats="drop"))
    assert found.fingerprint() != other.fingerprint()


# --- Real logs --------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("name", "separator", "disliked_rows", "liked_rows"),
    [
        ("ml-100k.inter", "\t", 17_480, 55_375),
        ("ml-latest-small/ratings.csv", ",", 19_073, 48_580),
    ],
)
def test_ratings_of_movielens(
    shared_data: Path, name: str, separator: str, disliked_rows: int, liked_rows: int
) -> None:
    path = shared_data / name
    log = read_log(path, feedback_column="rating", disliked_below=3, liked_from=4)
    text = path.read_text().splitlines()[1:]
    ratings = np.array([float(line.split(separator)[2]) for line in text])
    assert ((ratings < 3).sum(), (ratings >= 4).sum()) == (disliked_rows, liked_rows)
    expected = np.where(ratings < 3, 1, np.where(ratings >= 4, 0, 0.5))
    np.testing.assert_array_equal(log.table["disliked"].to_numpy(), expected)
