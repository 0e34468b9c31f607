"""What the page is told of a history is what the model itself says of it."""

from __future__ import annotations

import re
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from random import Random
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

from tests.retrieval.reference import (
    MAX_K,
    MAX_LENGTH,
    Taste,
    random_noise_scorer,
    random_recommender,
    recommend,
)
from tests.serving.random_requests import CLEANING, KINDS, NUMBERS, TEXTS, Kind, cleaned
from tests.serving.servers import app_server
from tests.serving.test_rest import ask
from tf_recdenoiser.runs import Run
from tf_recdenoiser.serve import create_app
from tf_recdenoiser.serve.app import FILES, model_of
from tf_recdenoiser.serve.catalogue import Catalogue
from tf_recdenoiser.serve.errors import RequestError
from tf_recdenoiser.serve.trial import Trial
from tf_recdenoiser.training.explain import explain

LARGEST_ID = 2**63 - 1
TITLES = np.array([f"Tea {number} <b>&amp;" for number in range(11)] + [""], object)


def run_of(kind: Kind, titles: Any = None) -> Any:
    """A run with this model, of which nothing is on a disk."""
    settings = SimpleNamespace(treatment=CLEANING, model=SimpleNamespace(name="sasrec"))
    detection: Any = kind.noise and SimpleNamespace(scorer=kind.noise)
    found = Run(Path(), settings, kind.model, kind.ids, detection)  # type: ignore[arg-type]
    object.__setattr__(found, "titles", titles)
    return found


@pytest.fixture(scope="module")
def numbers() -> Kind:
    return KINDS["numbers"]()


@pytest.fixture(scope="module")
def url(numbers: Kind) -> Iterator[str]:
    with app_server(create_app(run_of(numbers, TITLES), "shop", MAX_K)) as url:
        yield url


def test_a_history_is_answered_by_id_and_title(url: str, numbers: Kind) -> None:
    history = [40, 2, 7, -9, 40, 99, LARGEST_ID, 1]  # more than the model reads; 2 is no item
    asked = {"history": list(map(str, history)), "k": 4}
    found = ask(url, "POST", "/page/try", asked).body
    ids, scores = recommend(numbers.model, NUMBERS, history, 4, True)
    assert [one["id"] for one in found["recommended"]] == list(map(str, ids))
    assert [one["score"] for one in found["recommended"]] == pytest.approx(scores, abs=1e-4)
    assert [one["title"] for one in found["recommended"]] == [
        TITLES[NUMBERS.tolist().index(item)] for item in ids
    ]
    assert [one["id"] for one in found["history"]] == asked["history"]
    known = [place for place, item in enumerate(history) if item != 2]
    read = known[-MAX_LENGTH:]
    assert [one["known"] for one in found["history"]] == [item != 2 for item in history]
    assert [place for place, one in enumerate(found["history"]) if one["read"]] == read
    codes = [NUMBERS.tolist().index(history[place]) + 1 for place in read]
    kept = explain(numbers.model, np.array([codes], np.int32)).kept_per_layer[0].T
    np.testing.assert_allclose([found["history"][p]["kept"] for p in read], kept, rtol=1e-4)
    assert {one["noise"] for one in found["history"]} == {None}


@pytest.fixture(scope="module")
def noisy() -> Trial:
    """Of text, with what finds noise."""
    run = run_of(Kind(random_recommender(gates=None), TEXTS, random_noise_scorer()))
    return Trial(run, model_of(run, "shop", MAX_K))


@pytest.mark.parametrize("clean", [True, False])
def test_it_is_told_what_is_taken_for_noise(noisy: Trial, clean: bool) -> None:
    history = [*TEXTS[[2, 9, 4]].tolist(), "nothing", *TEXTS[[0, 7]].tolist()]
    found = noisy.tried({"history": history, "clean_history": clean})["history"]
    expected = random_noise_scorer()(np.array([[3, 10, 5, 1, 8]], np.int32))[0].tolist()
    assert found.pop(3)["noise"] is None
    assert [one["noise"] for one in found] == pytest.approx(expected, rel=1e-4)
    stay = cleaned(expected) if clean else [*range(5)]
    assert clean == (len(stay) < 5)
    assert [place for place, one in enumerate(found) if one["stays"]] == stay


@pytest.fixture(scope="module")
def rated() -> Trial:
    """Of text, with what finds dislikes."""
    run = run_of(Kind(random_recommender(gates=None), TEXTS, Taste.drawn().scorer()))
    return Trial(run, model_of(run, "shop", MAX_K))


def test_it_is_told_what_was_disliked(rated: Trial) -> None:
    assert rated.about()["feedback"]
    history = [*TEXTS[[2, 9]].tolist(), "nothing", *TEXTS[[0, 7]].tolist()]
    for said, known in (
        ({"disliked": [1, -1, 0, 0.0, -1]}, [1.0, np.nan, 0.0, np.nan]),
        ({}, [np.nan] * 4),
    ):
        found = rated.tried({"history": history, **said})["history"]
        expected = Taste.drawn().probabilities([3, 10, 1, 8], known)
        assert found.pop(2)["noise"] is None
        assert [one["noise"] for one in found] == pytest.approx(expected, rel=1e-4)


@pytest.mark.parametrize("disliked", ["1", [], [0, 0, 0], ["1", 0], [10**400, 0]])
def test_what_is_said_of_other_items_or_no_number_is_refused(rated: Trial, disliked: Any) -> None:
    with pytest.raises(RequestError, match="`disliked` must"):
        rated.tried({"history": ["7", "a"], "disliked": disliked})


def test_no_history_is_a_history(url: str, numbers: Kind) -> None:
    found = ask(url, "POST", "/page/try", {}).body
    ids, _ = recommend(numbers.model, NUMBERS, [], 10, True)
    assert found["history"] == []
    assert [one["id"] for one in found["recommended"]] == list(map(str, ids))


@pytest.mark.parametrize("k", [-(10**400), 0, 10**400])
def test_any_k_is_taken_for_the_nearest(url: str, k: int) -> None:
    found = ask(url, "POST", "/page/try", {"k": k}).body
    assert len(found["recommended"]) == (1 if k < 1 else len(NUMBERS))


def test_an_example_is_made_of_items(url: str) -> None:
    items = ask(url, "GET", "/page/example").body["history"]
    assert 5 <= len({one["id"] for one in items}) == len(items)
    assert {one["id"] for one in items} <= {str(item) for item in NUMBERS.tolist()}


def test_an_example_holds_items_that_are_alike(numbers: Kind) -> None:
    run = run_of(numbers)
    trial = Trial(run, model_of(run, "shop", MAX_K))
    items = [int(one["id"]) for one in trial.example(Random(3))["history"]]
    stranger = items.pop(3)
    alike = {one.item for one in run.similar(items[-1], 5)}
    assert {*items[:-1]} == alike - {stranger}


def test_items_are_found_by_id_and_title(url: str) -> None:
    def search(text: str) -> list[str]:
        return [one["id"] for one in ask(url, "GET", f"/page/items?q={text}").body["items"]]

    named = zip(NUMBERS.tolist(), TITLES, strict=True)
    holding = [str(item) for item, title in named if "7" in f"{item} {title}"]
    assert len(holding) > 3
    assert search("7") == ["7", *(item for item in holding if item != "7")]
    assert search("tEA%2010") == ["13"]
    assert search("nothing") == []
    assert len(search("")) == len(NUMBERS)


def test_few_of_many_items_are_found() -> None:
    items = Catalogue(np.arange(1000))
    assert [one["id"] for one in items.search("9", 3)] == ["9", "19", "29"]


@pytest.mark.parametrize(
    "asked",
    [
        {"history": "7"},
        {"history": [7]},
        {"history": ["7"] * 501},
        {"k": "3"},
        {"k": 1.5},
        {"k": True},
        {"exclude_seen": 0},
        {"clean_history": None},
        {"user": 5},
    ],
)
def test_what_is_of_another_type_is_refused(url: str, asked: dict[str, Any]) -> None:
    answer = ask(url, "POST", "/page/try", asked)
    assert answer.status == 400 and "must" in answer.body["error"]


@pytest.mark.parametrize(
    ("name", "field"),
    [
        ("users and feedback", "users"),
        pytest.param("times and noise", "times", marks=pytest.mark.slow),
    ],
)
def test_models_that_read_users_and_times_are_tried_too(name: str, field: str) -> None:
    kind = KINDS[name]()
    run = run_of(kind)
    object.__setattr__(run, "user_ids", kind.options["user_ids"])
    trial = Trial(run, model_of(run, "shop", MAX_K))
    assert trial.about()[field]
    history = [str(one) for one in kind.ids[:3]]
    scores = [
        [one["score"] for one in trial.tried({"history": history, "user": user})["recommended"]]
        for user in ("", "-1", "no such user")
    ]
    assert scores[0] == scores[2]
    assert (scores[0] != scores[1]) == (field == "users")


def test_the_page_is_its_own(url: str) -> None:
    """It loads nothing from elsewhere, may run no other script, and writes no markup."""
    for path, kind in (("/", "html"), ("/page/page.css", "css"), ("/page/page.js", "javascript")):
        with urllib.request.urlopen(url + path) as answer:
            text = answer.read().decode()
            assert kind in answer.headers["Content-Type"]
            assert (
                "default-src 'none'; script-src 'self'" in answer.headers["Content-Security-Policy"]
            )
        assert not re.search(r"https?:|//\w+\.\w|innerHTML|insertAdjacentHTML|eval\(", text)
        assert not re.search(r"<script(?![^>]*src=)|style=|\son\w+=", text) or kind != "html"
    assert {path.name for path in FILES.iterdir()} == {"index.html", "page.css", "page.js"}


def test_what_is_shown_is_there(url: str) -> None:
    """Every element that the script asks for stands in the page."""
    page, script = ((FILES / name).read_text() for name in ("index.html", "page.js"))
    wanted = set(re.findall(r'by\("([\w-]+)"\)', script))
    assert wanted and wanted <= set(re.findall(r'id="([\w-]+)"', page))
    told = ask(url, "GET", "/page/about").body
    assert set(re.findall(r"about\.(\w+)", script)) <= told.keys()
