"""What the README, the guide, the notebooks and the examples show runs as it stands there."""

from __future__ import annotations

import functools
import json
import re
import runpy
import shlex
import subprocess
import sys
import tempfile
import urllib.request
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import polars as pl
import pytest

from tests import notebooks
from tests.data.test_shop_logs import ASKED, READ
from tests.pages import (
    GUIDE,
    PAGES,
    README,
    ROOT,
    SERVING,
    Shown,
    assert_prints,
    has_form_of,
    printed_by,
    shown_in,
)
from tests.serving import c_loader, servers
from tests.serving.servers import Addresses
from tf_recdenoiser._keras import IS_KERAS_3
from tf_recdenoiser.data import Dataset, synthetic_log
from tf_recdenoiser.runs import Settings, build_recommender

# --- Code -------------------------------------------------------------------------------------


def is_of_any_keras(code: str) -> bool:
    return "from tf_recdenoiser.layers" in code


def marks_of(page: Path, code: str) -> list[pytest.MarkDecorator]:
    if is_of_any_keras(code):
        return [pytest.mark.both_keras, pytest.mark.graph]
    return [pytest.mark.slow] if page.stem in ("python", "tfrs") else []


@pytest.mark.parametrize(
    "code",
    [
        pytest.param(
            shown.text,
            marks=marks_of(page, shown.text),
            id=f"{page.stem}-{number}",
        )
        for page in PAGES
        for number, shown in enumerate(shown_in(page), 1)
        if shown.kind == "python"
    ],
)
def test_code_runs(code: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    if IS_KERAS_3 and not is_of_any_keras(code) and "retrieval" in code:
        pytest.skip("TensorFlow Recommenders needs tf_keras")
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    exec(compile(code, "page", "exec"), {})
    assert "run.export(" not in code or list(tmp_path.rglob("saved_model.pb"))


# --- The README's sessions --------------------------------------------------------------------


DEMO, *SESSION = (shown for shown in shown_in(README) if shown.kind == "console")


def write_ratings(path: Path, named: list[int]) -> None:
    """A log like MovieLens's with a few users and films, of which some have the ids `named`."""
    table = synthetic_log(40, 40, clusters=4, length=(6, 12)).log.table.unique(
        ["user", "item"], maintain_order=True
    )
    numbers = [*named, *(number for number in range(1, 99) if number not in named)]
    table.select(
        userid=pl.col("user").rank("dense"),
        movieid=pl.col("item").rank("dense").cast(int).map_elements(lambda i: numbers[i - 1], int),
        rating=4.0,
        timestamp="time",
    ).write_csv(path)


def test_the_readme_prints_what_it_shows(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    (history,) = re.findall(r"--history ([\d,]+)", README.read_text("utf-8"))
    write_ratings(tmp_path / "ratings.csv", [int(item) for item in history.split(",")])
    titles = [f"{item},Film No. {item} (1995)" for item in range(1, 10_000)]
    (tmp_path / "movies.csv").write_text("\n".join(["movieId,title", *titles]))
    assert [shown.command for shown in SESSION] == ["train", "recommend", "recommend"]
    assert_prints(SESSION, "--epochs 2")


@pytest.mark.slow
@pytest.mark.graph
def test_the_readme_prints_what_it_shows_of_movielens(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, shared_data: Path
) -> None:
    monkeypatch.chdir(tmp_path)
    for name in ("ratings.csv", "movies.csv"):
        (tmp_path / name).symlink_to(shared_data / "ml-latest-small" / name)
    assert_prints(SESSION)


@pytest.mark.slow
@pytest.mark.graph
def test_the_demo_prints_what_the_readme_shows(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    assert DEMO.command == "demo"
    assert_prints([DEMO], "--users 300 --epochs 8")


# --- The pages' sessions ----------------------------------------------------------------------

FOLLOWED = [page for page in GUIDE if any(shown.kind == "console" for shown in shown_in(page))]


@pytest.fixture(scope="module")
def session(tmp_path_factory: pytest.TempPathFactory) -> Callable[[Path], Path]:
    """The folder in which all that a page shows was done, for each page once."""

    @functools.cache
    def done(page: Path) -> Path:
        folder = tmp_path_factory.mktemp(page.stem)
        with pytest.MonkeyPatch.context() as patch:
            patch.chdir(folder)
            assert_prints(shown_in(page))
        return folder

    return done


@pytest.mark.slow
@pytest.mark.graph
@pytest.mark.parametrize("page", FOLLOWED, ids=lambda page: page.stem)
def test_a_page_prints_what_it_shows(page: Path, session: Callable[[Path], Path]) -> None:
    session(page)


class Built(BaseException):
    """A command came to the training of a model that can be built.

    Not an Exception, which a search takes for the failure of a trial.
    """


def trains_from_the_start(shown: Shown) -> bool:
    """Whether a command trains, and needs no file but that of settings."""
    of_what = re.search(r"\b(synthetic|--config)\b", shown.text) and "--from" not in shown.text
    return bool(of_what) and shown.command in ("train", "tune", "experiment")


@pytest.mark.parametrize(
    ("page", "shown"),
    [
        pytest.param(page, shown, id=f"{page.stem}-{number}")
        for page in GUIDE
        for number, shown in enumerate(filter(trains_from_the_start, shown_in(page)), 1)
    ],
)
def test_what_a_page_trains_can_be_built(
    page: Path, shown: Shown, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def built(settings: Settings, dataset: Dataset, *_: Any, **__: Any) -> None:
        build_recommender(settings, dataset.item_count, len(dataset.user_ids))
        raise Built

    monkeypatch.chdir(tmp_path)
    trained = ("cli.train.train_run", "experiments.engine.train", "tuning.recommender_tuner.train")
    for name in trained:
        monkeypatch.setattr(f"tf_recdenoiser.{name}", built)
    if "--config" in shown.text:
        assert_prints(other for other in shown_in(page) if other.command == "settings")
    with pytest.raises(Built):
        printed_by(shown)


# --- Serving ----------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def served(session: Callable[[Path], Path]) -> Iterator[Addresses]:
    """The model that the page on serving exports."""
    if not c_loader.SUPPORTED:
        pytest.skip("TensorFlow's C library is found on Linux only")
    exported = session(ROOT / "docs/serving.md") / "saved_models/first/1"
    with servers.stand_in(exported) as addresses:
        yield addresses


@pytest.mark.slow
@pytest.mark.graph
def test_the_shown_clients_print_what_is_shown(served: Addresses) -> None:
    shown = [
        one for page in PAGES for one in shown_in(page) if one.text.startswith("python examples/")
    ]
    assert len(shown) == 5
    for one in shown:
        _, script, *arguments = shlex.split(one.text)
        address = served.grpc if "grpc" in script else served.rest
        command = [sys.executable, str(ROOT / script), *arguments, "--server", address]
        outcome = subprocess.run(command, capture_output=True, text=True)
        assert outcome.returncode == 0, outcome.stderr
        if one.output:
            assert has_form_of(outcome.stdout, one.output)
            assert len(outcome.stdout.splitlines()) == len(one.output.splitlines())


@pytest.mark.slow
@pytest.mark.graph
def test_the_shown_requests_have_answers_like_the_shown_ones(served: Addresses) -> None:
    requests = [shlex.split(one.text) for one in shown_in(SERVING) if one.text.startswith("curl ")]
    answers = re.findall(r"^```json\n(.*?)^```", SERVING.read_text("utf-8"), re.S | re.M)
    assert len(requests) == len(answers) == 2
    for (_, address, _, body), shown in zip(requests, answers, strict=True):
        url = served.rest + address.removeprefix("localhost:8501")
        with urllib.request.urlopen(url, body.encode()) as answer:
            assert kinds(json.load(answer)) == kinds(json.loads(shown))


def kinds(answer: Any) -> Any:
    """An answer with every number that is not whole as 0, and every id that is one as ID."""
    if isinstance(answer, dict):
        return {name: kinds(value) for name, value in answer.items()}
    if isinstance(answer, list):
        return [kinds(value) for value in answer]
    if isinstance(answer, float):
        return 0
    is_id = isinstance(answer, str) and re.fullmatch(r"c\d+-i\d+", answer)
    return "ID" if is_id else answer


# --- The notebooks ----------------------------------------------------------------------------

NOTEBOOKS = sorted((ROOT / "examples/notebooks").glob("*.ipynb"))


@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.stem)
def test_a_notebook_is_small_and_knows_no_machine(path: Path) -> None:
    assert path.stat().st_size < 100_000
    for cell in notebooks.code_cells(notebooks.read(path)):
        assert not re.search(r"(?<!\w)/(home|root|tmp|work|Users)/", json.dumps(cell))
    assert f"({path.relative_to(ROOT)})" in README.read_text("utf-8")


@pytest.mark.slow
@pytest.mark.graph
@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.stem)
def test_a_notebook_prints_what_it_shows(
    path: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    stored = notebooks.read(path)
    done = notebooks.execute(stored)
    for here, there in zip(*map(notebooks.code_cells, (done, stored)), strict=True):
        assert has_form_of(notebooks.printed(here), notebooks.printed(there))
        assert [list(out.get("data", [])) for out in here["outputs"]] == [
            list(out.get("data", [])) for out in there["outputs"]
        ]


# --- What pages say ---------------------------------------------------------------------------


def test_the_readme_is_short_and_its_picture_small() -> None:
    assert len(README.read_text("utf-8").splitlines()) <= 150
    assert (ROOT / "docs/history.png").stat().st_size < 200_000


def test_the_list_of_files_that_are_read_is_that_of_the_tests() -> None:
    text = (ROOT / "docs/get-your-log-in.md").read_text("utf-8")
    read, asked = re.findall(r"^\| file \|.*\n\|---.*\n((?:\|.*\n)+)", text, re.M)
    listed = [name for row in read.splitlines() for name in in_code(row.split("|")[1])]
    assert sorted(listed) == sorted({file.name for file in READ})
    options = {
        name: in_code(row.split("|")[3])[0]
        for row in asked.splitlines()
        for name in in_code(row.split("|")[1])
    }
    assert {name: option.split()[0] for name, option in options.items()} == {
        file.name: file.asks for file in ASKED
    }
    for file in ASKED:
        assert not file.answer or options[file.name] == f"{file.asks} {file.answer}"


def in_code(text: str) -> list[str]:
    return re.findall(r"`([^`]+)`", text)


def anchors(page: Path) -> set[str]:
    """What links to the headings of a page end with, as GitHub and MkDocs make it."""
    headings = re.findall(r"^#+ (.+)$", page.read_text("utf-8"), re.M)
    return {
        re.sub(r"[^\w -]", "", heading).strip().lower().replace(" ", "-") for heading in headings
    }


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.stem)
def test_links_lead_to_files_and_headings(page: Path) -> None:
    links = re.findall(r"\]\((?!\w+:)([^)\s]+)\)", page.read_text("utf-8"))
    for link in links:
        path, _, anchor = link.partition("#")
        target = (page.parent / path).resolve() if path else page
        assert target.exists(), link
        assert not anchor or anchor in anchors(target), link


def test_what_is_to_be_made_is_in_the_makefile() -> None:
    targets = re.findall(r"^([a-z0-9-]+):", (ROOT / "Makefile").read_text("utf-8"), re.M)
    text = "\n".join(page.read_text("utf-8") for page in PAGES)
    named = set(re.findall(r"(?:^|`)make ([a-z0-9-]+)", text, re.M))
    assert named and named <= set(targets)


# --- The examples -----------------------------------------------------------------------------


@pytest.mark.slow
def test_recommender_example(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    example = runpy.run_path(str(ROOT / "examples/recommender.py"))
    written = example["main"](example["SYNTHETIC"], tmp_path, epochs=1)
    assert (written / "saved_model.pb").exists()
    assert "The best item after" in capsys.readouterr().out


@pytest.mark.slow
def test_tuning_example(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    example = runpy.run_path(str(ROOT / "examples/tuning.py"))
    run = example["main"](example["SYNTHETIC"], tmp_path, epochs=1, trials=2)
    assert run.settings.model.hidden_dim in (16, 32)
    assert "NDCG@10 against the whole catalogue" in capsys.readouterr().out


@pytest.mark.slow
@pytest.mark.graph
def test_classifier_example(capsys: pytest.CaptureFixture[str]) -> None:
    found = runpy.run_path(str(ROOT / "examples/classifier.py"))["main"](users=1000, epochs=8)
    printed = capsys.readouterr().out.splitlines()
    assert [line.split("right for")[0].rstrip() for line in printed] == list(found)
    assert [line.count("of edges kept") for line in printed] == [1, 1, 0]
    assert min(found.values()) > 0.5  # a guess is right for a sixth


@pytest.mark.slow
@pytest.mark.graph
def test_convert_example(capsys: pytest.CaptureFixture[str]) -> None:
    example = runpy.run_path(str(ROOT / "examples/convert.py"))
    before, after = example["main"](users=500, epochs=5)
    difference, _, kept = capsys.readouterr().out.splitlines()
    assert float(difference.split()[-1]) < 1e-4
    assert kept.startswith("Edges kept in the two layers: ")
    assert after > before > 0.2  # chance is 5 of 60


@pytest.mark.graph
@pytest.mark.skipif(IS_KERAS_3, reason="TensorFlow Recommenders needs tf_keras")
def test_retrieval_example(capsys: pytest.CaptureFixture[str]) -> None:
    hits = runpy.run_path(str(ROOT / "examples/retrieval.py"))["main"](users=1000, epochs=6)
    printed = capsys.readouterr().out.splitlines()
    assert hits > 0.3  # chance is 10 of 120
    seen, best = printed[2].split()[1:], printed[3].split()[1:]
    assert len(best) == 5
    assert not set(seen) & set(best)
    assert "just listed" in printed[4]
