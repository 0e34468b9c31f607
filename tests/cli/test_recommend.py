"""`tf-recdenoiser recommend` against the model's scores, sorted in plain Python."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
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
