"""The data that settings name."""

from __future__ import annotations

from pathlib import Path

import pytest

from tf_recdenoiser.data import DataError, synthetic_log
from tf_recdenoiser.runs import Settings, load_dataset, load_log, synthetic_options


@pytest.mark.parametrize(
    ("text", "options"),
    [
        ("synthetic", {}),
        ("synthetic:", {}),
        ("synthetic:users=5", {"users": 5}),
        ("synthetic:noise=0,seed=7", {"noise": 0.0, "seed": 7}),
    ],
)
def test_options_have_the_type_of_their_default(text: str, options: dict[str, float]) -> None:
    found = synthetic_options(text)
    assert found == options
    assert {name: type(value) for name, value in found.items()} == {
        name: float if name == "noise" else int for name in options
    }


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("synthetic:user=5", r"takes users=…, items=….*Received: 'user=5'"),
        ("synthetic:users", r"`users` must be a number.*'users'"),
        ("synthetic:users=few", r"`users` must be a number.*'users=few'"),
        ("synthetic:users=2.5", r"`users` must be a number.*'users=2.5'"),
        ("synthetic:length=5", r"takes users=….*'length=5'"),
    ],
)
def test_other_options_are_refused_with_those_there_are(text: str, message: str) -> None:
    with pytest.raises(DataError, match=message):
        synthetic_options(text)


def test_the_synthetic_log_is_drawn_with_the_options() -> None:
    log = load_log(Settings("synthetic:users=9,items=40,clusters=5,noise=0.5,seed=3"))
    expected = synthetic_log(users=9, items=40, clusters=5, noise=0.5, seed=3).log
    assert log.table.equals(expected.table)


def test_a_file_whose_name_begins_like_the_synthetic_log_is_a_file(tmp_path: Path) -> None:
    path = tmp_path / "synthetic.csv"
    path.write_text("user,item\na,1\n")
    assert load_log(Settings(str(path))).table.height == 1


def test_columns_and_bad_rows_are_as_the_settings_say(tmp_path: Path) -> None:
    path = tmp_path / "log.txt"
    path.write_text("who|what|when|stars|user\nann|tea|2|5|x\nann|rice|1|4|x\nbob||3|5|x\n")
    settings = Settings(
        str(path),
        format="csv",
        on_bad_row="skip",
        user_column="who",
        item_column="what",
        time_column="when",
        rating_column="stars",
    )
    log = load_log(settings)
    assert log.table.select("user", "item", "time", "rating").rows() == [
        ("ann", "tea", 2, 5.0),
        ("ann", "rice", 1, 4.0),
    ]
    assert [row.line for row in log.report.bad_rows] == [4]
    dataset = load_dataset(settings, log)
    assert dataset.item_ids[dataset.sequence(0) - 1].tolist() == ["rice", "tea"]


def test_the_core_is_as_dense_as_the_settings_say(tmp_path: Path) -> None:
    path = tmp_path / "log.csv"
    path.write_text("user,item\na,1\na,2\nb,1\nb,2\nc,1\nc,3\n")
    assert load_dataset(Settings(str(path))).item_ids.tolist() == [1, 2, 3]
    # Without item 3, which one user has, user c has one item left.
    dense = load_dataset(Settings(str(path), k_core=2))
    assert (dense.user_ids.tolist(), dense.item_ids.tolist()) == (["a", "b"], [1, 2])
