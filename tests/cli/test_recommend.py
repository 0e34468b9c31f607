"""`tf-recdenoiser recommend` against the model's scores, sorted in plain Python."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pytest

from tests.cli.shell import Outcome, rows, tf_recdenoiser
from tf_recdenoiser.runs import RunDirectory, load_run, manifest
from tf_recdenoiser.training import Recommender

Copy = Callable[[RunDirectory], RunDirectory]


def expected(
    recommender: Recommender, ids: list[Any], history: list[Any], include_seen: bool = False
) -> list[tuple[Any, float]]:
    """Items with their scores, best first, after a history of known items."""
    codes = [ids.index(item) + 1 for item in history][-12:]
    scores = recommender.score(np.array([[0] * (12 - len(codes)) + codes], np.int32))[0]
    items = [item for item in ids if include_seen or item not in history]
    found = [(item, float(scores[ids.index(item) + 1])) for item in items]
    return sorted(found, key=lambda pair: -pair[1])


def recommended(outcome: Outcome) -> list[tuple[Any, Any]]:
    assert outcome.status == 0, outcome.err
    found = json.loads(outcome.out)
    assert all(set(entry) == {"item", "score"} for entry in found)
    return [(entry["item"], pytest.approx(entry["score"], abs=1e-5)) for entry in found]


@pytest.fixture(scope="module")
def recommender(trained: RunDirectory) -> Recommender:
    return load_run(trained.path).recommender


@pytest.fixture(scope="module")
def ids(trained: RunDirectory) -> list[str]:
    return json.loads((trained.path / "vocabulary.json").read_text())


def test_the_best_unseen_items_come_first(
    trained: RunDirectory, recommender: Recommender, ids: list[str]
) -> None:
    history = [ids[3], ids[17], ids[3], ids[30]]
    command = ("recommend", trained.path, "--history", ",".join(history), "--json")
    best = expected(recommender, ids, history)
    assert expected(recommender, ids, history) == recommended(tf_recdenoiser(*command, "-k", 99))
    assert best[:10] == recommended(tf_recdenoiser(*command))
    outcome = tf_recdenoiser(*command, "-k", 3, "--include-seen")
    assert expected(recommender, ids, history, include_seen=True)[:3] == recommended(outcome)


def test_items_before_the_newest_are_not_read_and_still_seen(
    trained: RunDirectory, recommender: Recommender, ids: list[str]
) -> None:
    history = ids[:20]
    outcome = tf_recdenoiser(
        "recommend", trained.path, "--history", ",".join(history), "-k", 40, "--json"
    )
    assert expected(recommender, ids, history) == recommended(outcome)


def test_unknown_items_are_reported_and_ignored(
    trained: RunDirectory, recommender: Recommender, ids: list[str]
) -> None:
    history = f"no-such, {ids[5]} ,[/b],{ids[6]},"
    outcome = tf_recdenoiser("recommend", trained.path, "--history", history, "--json")
    assert outcome.err == "Ignored, since the log has no such items: no-such, [/b]\n"
    assert expected(recommender, ids, ids[5:7])[:10] == recommended(outcome)


@pytest.mark.parametrize("command", ["recommend", "explain"])
@pytest.mark.parametrize("history", ["no-such", "", " , "])
def test_a_history_without_a_known_item_is_refused(
    trained: RunDirectory, ids: list[str], command: str, history: str
) -> None:
    outcome = tf_recdenoiser(command, trained.path, "--history", history)
    assert outcome.status == 1
    assert outcome.out == ""
    assert f"such as {', '.join(ids[:3])}. Received: {history!r}" in outcome.err


def test_the_table_says_what_the_json_says(trained: RunDirectory, ids: list[str]) -> None:
    command = ("recommend", trained.path, "--history", ids[0], "-k", 4)
    found = json.loads(tf_recdenoiser(*command, "--json").out)
    assert rows(tf_recdenoiser(*command).out) == [
        [str(rank), entry["item"], f"{entry['score']:.3f}"] for rank, entry in enumerate(found, 1)
    ]


def test_number_ids_stay_numbers(shop: tuple[Outcome, RunDirectory, Path]) -> None:
    run = load_run(shop[1].path)
    outcome = tf_recdenoiser("recommend", shop[1].path, "--history", "101,7,115", "--json")
    assert outcome.err == "Ignored, since the log has no such items: 7\n"
    ids = [*range(100, 120)]
    assert expected(run.recommender, ids, [101, 115])[:10] == recommended(outcome)


def test_ids_are_shown_as_they_are(
    trained: RunDirectory, copy: Copy, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Neither markup nor emoji, and none cut short."""
    odd = ["[/b]", "[red]x", ":tv:", "Ünïcode 🍣", *(f"{n:03}" + "x" * 150 for n in range(36))]
    run = copy(trained)
    (run.path / "vocabulary.json").write_text(json.dumps(odd))
    manifest.seal(run.path)
    for command in (("recommend", "-k", 99, "--include-seen"), ("explain",)):
        outcome = tf_recdenoiser(command[0], run.path, "--history", ",".join(odd), *command[1:])
        assert outcome.status == 0, outcome.err
        shown = "".join(outcome.out.split())
        shown = "".join(shown.translate(dict.fromkeys(map(ord, "│"))))
        wanted = odd if command[0] == "recommend" else odd[-12:]
        for item in wanted[:4] if command[0] == "recommend" else []:
            assert item.replace(" ", "") in shown
        # A long id is folded into several lines of its cell.
        assert outcome.out.count("x") >= 150 * sum(len(item) > 150 for item in wanted)


def test_a_history_may_be_json_or_ids_one_by_one(trained: RunDirectory, ids: list[str]) -> None:
    command = ("recommend", trained.path, "--json")
    by_commas = tf_recdenoiser(*command, "--history", ",".join(ids[:3]))
    by_json = tf_recdenoiser(*command, "--history", json.dumps(ids[:3]))
    one_by_one = tf_recdenoiser(*command, *(word for i in ids[:3] for word in ("--history", i)))
    assert by_commas.status == 0
    assert by_commas.out == by_json.out == one_by_one.out


def test_an_id_with_commas_can_be_asked_for(trained: RunDirectory, copy: Copy) -> None:
    run = copy(trained)
    vocabulary = json.loads((run.path / "vocabulary.json").read_text())
    known = tf_recdenoiser("recommend", run.path, "--history", vocabulary[4], "--json")
    vocabulary[4] = "tea, green"
    (run.path / "vocabulary.json").write_text(json.dumps(vocabulary))
    manifest.seal(run.path)
    found = tf_recdenoiser("recommend", run.path, "--history", '["tea, green"]', "--json")
    assert found.status == 0, found.err
    assert found.out == known.out


@pytest.mark.parametrize("history", ["[", '["a", 1.5]', "[null]", "[]", '{"a": 1}'])
def test_a_history_that_is_no_list_of_ids_is_refused(trained: RunDirectory, history: str) -> None:
    outcome = tf_recdenoiser("recommend", trained.path, "--history", history)
    assert outcome.status == 1
    assert "Received: " in outcome.err and "Traceback" not in outcome.err


# --- Many users at once -----------------------------------------------------------------------


def table_of(path: Path) -> pl.DataFrame:
    read = {".parquet": pl.read_parquet, ".csv": pl.read_csv, ".jsonl": pl.read_ndjson}
    return read[path.suffix](path)


@pytest.mark.parametrize("name", ["recs.parquet", "recs.csv", "recs.jsonl"])
def test_what_all_users_get_is_written_to_a_file(
    trained: RunDirectory, tmp_path: Path, name: str
) -> None:
    out, deny = tmp_path / name, tmp_path / "deny.txt"
    deny.write_text("c00-i000\n\nno-such-item\n")
    outcome = tf_recdenoiser(
        *("recommend", trained.path, "--all-users", "--out", out, "-k", 2, "--deny", deny)
    )
    assert outcome.status == 0, outcome.err
    assert outcome.out == f"120 recommendations to 60 users are in {out}.\n"
    assert "does not know 1 item: no-such-item" in outcome.err
    run = load_run(trained.path)
    expected = run.recommend_all(wanted=run.wanted(2, deny=["c00-i000"]))
    found = table_of(out)
    assert found.columns == expected.columns
    assert found.drop("score").rows() == expected.drop("score").rows()
    np.testing.assert_allclose(found["score"], expected["score"], atol=1e-5)
    assert "c00-i000" not in found["item"].to_list()


def test_histories_may_come_from_another_log(
    shop: tuple[Outcome, RunDirectory, Path], tmp_path: Path
) -> None:
    _, run, _ = shop
    newest, out = tmp_path / "newest.csv", tmp_path / "recs.csv"
    newest.write_text("userId,movieId,timestamp\n900,103,1\n900,999,2\n900,101,3\n901,999,1\n")
    outcome = tf_recdenoiser(
        *("recommend", run.path, "--histories", newest, "--out", out, "-k", 4, "--include-seen")
    )
    assert outcome.status == 0, outcome.err
    assert "4 recommendations to 1 user are in" in outcome.out
    assert "1 user of whom the run knows no item got none." in outcome.err
    expected = load_run(run.path).recommend([103, 101], k=4, exclude_seen=False)
    assert table_of(out)["item"].to_list() == [one.item for one in expected]


def test_other_histories_do_not_need_the_run_that_it_began_with(
    shop: tuple[Outcome, RunDirectory, Path], copy: Copy, tmp_path: Path
) -> None:
    run, newest, out = copy(shop[1]), tmp_path / "newest.csv", tmp_path / "recs.csv"
    settings = run.path / "settings.toml"
    settings.write_text(settings.read_text().replace("[fit]", '[fit]\nwarm_start = "gone"'))
    manifest.seal(run.path)
    newest.write_text("userId,movieId,timestamp\n900,103,1\n")
    outcome = tf_recdenoiser("recommend", run.path, "--histories", newest, "--out", out)
    assert outcome.status == 0, outcome.err


@pytest.mark.parametrize(
    ("arguments", "status", "message"),
    [
        ((), 2, "Give one of --history, --all-users and --histories."),
        (("--history", "1", "--all-users"), 2, "Give one of"),
        (("--all-users",), 1, "`--out` must be given with many users.* Received: None"),
        (("--all-users", "--out", "recs.xlsx"), 1, "end in .parquet, .csv, .jsonl. Received: recs"),
        (("--histories", "no-such.csv", "--out", "recs.csv"), 1, "`--histories` needs a run on"),
        (("--history", "c00-i000", "--allow", "no-such.txt"), 1, "no-such.txt"),
    ],
)
def test_what_cannot_be_recommended_is_said(
    trained: RunDirectory, arguments: tuple[str, ...], status: int, message: str
) -> None:
    outcome = tf_recdenoiser("recommend", trained.path, *arguments)
    assert outcome.status == status
    assert re.search(message, outcome.err)


def test_similar_items_are_shown(trained: RunDirectory) -> None:
    command = ("similar", trained.path, "c00-i001", "-k", 3)
    expected = load_run(trained.path).similar("c00-i001", 3)
    shown = [[str(n), one.item, f"{one.score:.3f}"] for n, one in enumerate(expected, 1)]
    assert rows(tf_recdenoiser(*command).out) == shown
    found = json.loads(tf_recdenoiser(*command, "--json").out)
    assert found == [{"item": one.item, "similarity": one.score} for one in expected]
    unknown = tf_recdenoiser("similar", trained.path, "tea")
    assert unknown.status == 1 and "Received: 'tea'" in unknown.err
