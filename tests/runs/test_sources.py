"""The data that settings name."""

from __future__ import annotations

from pathlib import Path

import pytest

from tf_recdenoiser.data import synthetic_log
from tf_recdenoiser.runs import Settings, load_dataset, load_log, resolve


def test_the_synthetic_log_is_drawn_with_the_options() -> None:
    options = {"users": 9, "items": 40, "clusters": 5, "noise": 0.5, "seed": 3}
    log = load_log(Settings.of("synthetic", {"log": {"name": "synthetic", **options}}))
    expected = synthetic_log(**options).log
    assert log.table.equals(expected.table)


def test_a_file_whose_name_begins_like_the_synthetic_log_is_a_file(tmp_path: Path) -> None:
    path = tmp_path / "synthetic.csv"
    path.write_text("user,item\na,1\n")
    assert load_log(Settings.of(str(path))).table.height == 1


def test_columns_and_bad_rows_are_as_the_settings_say(tmp_path: Path) -> None:
    path = tmp_path / "log.txt"
    path.write_text("who|what|when|stars|user\nann|tea|2|5|x\nann|rice|1|4|x\nbob||3|5|x\n")
    settings = Settings.of(
        str(path),
        {
            "log.format": "csv",
            "log.on_bad_row": "skip",
            "log.user_column": "who",
            "log.item_column": "what",
            "log.time_column": "when",
            "log.rating_column": "stars",
        },
    )
    log = load_log(settings)
    assert log.table.select("user", "item", "time", "rating").rows() == [
        ("ann", "tea", 2, 5.0),
        ("ann", "rice", 1, 4.0),
    ]
    assert [row.line for row in log.report.bad_rows] == [4]
    dataset = load_dataset(settings, log)
    assert dataset.item_ids[dataset.sequence(0) - 1].tolist() == ["rice", "tea"]


def test_quotes_and_missing_values_are_as_the_settings_say(tmp_path: Path) -> None:
    path = tmp_path / "log.csv"
    path.write_text('user,title,item\nNA,"odd,1\nnil,odd",2\nbob,plain,3\n')
    settings = Settings.of(
        str(path),
        {"log.quote_char": "none", "log.null_value": "nil", "log.on_bad_row": "skip"},
    )
    log = load_log(settings)
    assert log.table.select("user", "item").rows() == [("NA", 1), ("bob", 3)]
    assert [row.line for row in log.report.bad_rows] == [3]
    kept = load_log(settings.replace({"log.null_value": "none"}))
    assert kept.report.rows_kept == 3


def test_the_core_is_as_dense_as_the_settings_say(tmp_path: Path) -> None:
    path = tmp_path / "log.csv"
    path.write_text("user,item\na,1\na,2\nb,1\nb,2\nc,1\nc,3\n")
    assert load_dataset(Settings.of(str(path))).item_ids.tolist() == [1, 2, 3]
    # Without item 3, which one user has, user c has one item left.
    dense = load_dataset(Settings.of(str(path), {"log.k_core": 2}))
    assert (dense.user_ids.tolist(), dense.item_ids.tolist()) == (["a", "b"], [1, 2])


def test_columns_times_and_repeats_are_as_the_settings_say(tmp_path: Path) -> None:
    path = tmp_path / "log.txt"
    path.write_text("5000 tea ann\n5000 tea ann\n4500 rice ann\n")
    changes = {"log.columns": "time,item,user", "log.time_unit": "ms", "log.repeats": "drop"}
    settings = Settings.of(str(path), changes)
    dataset = load_dataset(settings)
    assert dataset.item_ids[dataset.sequence(0) - 1].tolist() == ["rice", "tea"]
    assert dataset.times is not None and dataset.times.tolist() == [4.5, 5.0]


def test_a_pattern_is_a_log_in_any_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = tmp_path / "shop [2024]" / "logs"
    folder.mkdir(parents=True)
    for month in (1, 2):
        (folder / f"{month}.csv").write_text(f"user,item\nann,{month}\nbob,7\nann,8\n")
    monkeypatch.chdir(folder.parent)
    settings = resolve(Settings.of("logs/*.csv"))
    monkeypatch.chdir(tmp_path)
    assert resolve(settings) == settings
    dataset = load_dataset(settings)
    assert dataset.item_ids[dataset.sequence(0) - 1].tolist() == [1, 8, 2, 8]
    again = load_dataset(resolve(Settings.of("shop [[]2024]/logs/[12].csv")))
    assert dataset.fingerprint() == again.fingerprint()
