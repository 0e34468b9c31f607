"""What users disliked, as options, logs and files of settings say it."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from tests.cli.shell import SIZES, Outcome, tf_recdenoiser
from tf_recdenoiser.runs import RunDirectory, load_run, read_settings

HISTORY = "101,104,7,107"  # 7 is no item of the log


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


# --- Used -------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def rated(tmp_path_factory: pytest.TempPathFactory) -> tuple[Outcome, Path]:
    """A run on a log in which even items have few stars, and what training said."""
    folder = tmp_path_factory.mktemp("rated")
    lines = [
        f"{user},{item},{step},{item % 2 * 3 + 1 + (user + step) % 2}"
        for user in range(30)
        for step in range(6)
        for item in [100 + (user * 7 + step * 3) % 20]
    ]
    (folder / "log.csv").write_text("\n".join(["user,item,time,stars", *lines]))
    outcome = tf_recdenoiser(
        *("train", folder / "log.csv", "--out", folder / "run", *SIZES, "--epochs", 1),
        *("--num-layers", 1, "--gamma", 0, "--detector", "feedback"),
        *("--feedback-column", "stars", "--disliked-below", 3),
    )
    assert outcome.status == 0, outcome.err
    return outcome, folder / "run"


def test_training_says_how_well_dislikes_are_told(rated: tuple[Outcome, Path]) -> None:
    outcome, run = rated
    found = RunDirectory(run).metrics()["noise"]
    assert (
        f"Share of dislikes among items that users judged: {found['rate']:.2f}. They are told "
        f"from the others with a ROC AUC of {found['cross_fit_roc_auc']:.3f}.\n"
    ) in outcome.out
    assert "noise" not in outcome.out


@pytest.mark.parametrize(
    ("options", "known"),
    [
        (("--disliked", "104"), [np.nan, 1, np.nan]),
        (("--disliked", "[101, 107]", "--liked", "104"), [1, 0, 1]),
        (("--disliked", "104", "--disliked", "101"), [1, 1, np.nan]),
        (("--liked", "7,107"), [np.nan, np.nan, 0]),
    ],
)
def test_what_was_disliked_is_typed_by_id(
    rated: tuple[Outcome, Path], options: tuple[str, ...], known: list[float]
) -> None:
    loaded = load_run(rated[1])
    explained = tf_recdenoiser("explain", rated[1], "--history", HISTORY, *options, "--json")
    assert explained.status == 0, explained.err
    noise = np.array([row["noise"] for row in json.loads(explained.out)])
    is_known = ~np.isnan(known)
    np.testing.assert_array_equal(noise[is_known], np.array(known)[is_known])
    assert ((noise[~is_known] > 0) & (noise[~is_known] < 1)).all()
    found = tf_recdenoiser("recommend", rated[1], "--history", HISTORY, *options, "--json")
    expected = loaded.recommend([101, 104, 107], disliked=np.array(known))
    assert [one["item"] for one in json.loads(found.out)] == [one.item for one in expected]


@pytest.mark.parametrize("command", ["recommend", "explain"])
@pytest.mark.parametrize(
    ("options", "message"),
    [
        (("--disliked", "101,1O4"), "`--disliked` must name items of the history. Received: '1O4'"),
        (("--liked", "999"), "`--liked` must name items of the history. Received: '999'"),
        (("--liked", "101,104", "--disliked", "104"), "alone. Received: '104' in both"),
    ],
)
def test_what_is_not_of_the_history_is_refused(
    rated: tuple[Outcome, Path], command: str, options: tuple[str, ...], message: str
) -> None:
    outcome = tf_recdenoiser(command, rated[1], "--history", HISTORY, *options)
    assert (outcome.status, outcome.out) == (1, "")
    assert message in " ".join(outcome.err.split())


def test_a_run_that_did_not_look_for_noise_takes_none(trained: RunDirectory) -> None:
    item = json.loads((trained.path / "vocabulary.json").read_text())[0]
    for command in ("recommend", "explain"):
        outcome = tf_recdenoiser(command, trained.path, "--history", item, "--liked", item)
        assert outcome.status == 1
        assert "`disliked` must be left out: the run did not look for noise" in outcome.err


def test_many_users_are_not_told_what_one_disliked(trained: RunDirectory) -> None:
    outcome = tf_recdenoiser("recommend", trained.path, "--all-users", "--disliked", "101")
    assert outcome.status == 2 and "go with --history." in outcome.err


@pytest.mark.parametrize("says", [True, False])
def test_another_log_may_lack_the_feedback(
    rated: tuple[Outcome, Path], tmp_path: Path, says: bool
) -> None:
    newest, out = tmp_path / "newest.csv", tmp_path / "recs.csv"
    rows = [["user", "item", "time", "stars"], *([900, 101 + 3 * n, n, 5 - 4 * n] for n in (0, 1))]
    newest.write_text("\n".join(",".join(map(str, row[: 3 + says])) for row in rows))
    command = ("recommend", rated[1], "--histories", newest, "--out", out, "-k", 3)
    outcome = tf_recdenoiser(*command)
    assert outcome.status == 0, outcome.err
    note = f"{newest} has no column 'stars': what its users disliked is not known.\n"
    assert (note in outcome.err) == (not says)
    disliked = np.array([0.0, 1.0]) if says else None
    expected = load_run(rated[1]).recommend([101, 104], k=3, disliked=disliked)
    items = [line.split(",")[2] for line in out.read_text().splitlines()[1:]]
    assert items == [str(one.item) for one in expected]
    newest.write_text("user,thing,time\n900,101,1\n")
    refused = tf_recdenoiser(*command)
    assert refused.status == 1 and "Which column holds the items" in refused.err
