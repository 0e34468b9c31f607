"""What users disliked, as options and files of settings say it."""

from __future__ import annotations

from pathlib import Path

from tests.cli.shell import tf_recdenoiser
from tf_recdenoiser.runs import read_settings


def test_train_refuses_feedback_by_which_nothing_or_all_is_disliked(tmp_path: Path) -> None:
    path = tmp_path / "log.csv"
    rows = [f"u{n % 3},i{n},{n % 5 + 1}" for n in range(15)]
    path.write_text("\n".join(["user,item,stars", *rows]))
    for threshold, count in ((0, 15), (5, 0)):
        options = ("--feedback-column", "stars", "--set", f"log.disliked_above={threshold}")
        outcome = tf_recdenoiser("train", path, "--out", tmp_path / "run", *options)
        assert (outcome.status, outcome.out) == (1, "")
        assert f"Feedback: {count} disliked" in outcome.err
        assert "of numbers from 1 to 5." in outcome.err
        assert f"--disliked-above, or leave --feedback-column out. Received: {count} of 15" in (
            " ".join(outcome.err.split())
        )
        assert not (tmp_path / "run").exists()


def test_flags_and_files_of_settings_say_what_is_disliked(tmp_path: Path) -> None:
    config = tmp_path / "settings.toml"
    config.write_text(
        '[log]\npath = "log.csv"\nfeedback_column = "stars"\ndisliked_below = 2\nliked_from = 4.5\n'
    )
    flags = ("--disliked-above", 3, "--set", "log.disliked_below=none", "--liked-from", 1)
    printed = tf_recdenoiser("settings", "--config", config, *flags)
    assert printed.status == 0, printed.err
    config.write_text(printed.out)
    log = read_settings(config)["log"]
    assert (log["feedback_column"], log["disliked_above"], log["liked_from"]) == ("stars", 3, 1)
    assert "disliked_below" not in log
