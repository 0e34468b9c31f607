"""The page about a run: what is in it, and what is not."""

from __future__ import annotations

from html.parser import HTMLParser
from pathlib import Path

import numpy as np
import pytest

from tests.params import only
from tests.runs.small import DATASET, plain
from tf_recdenoiser.noise import roc_auc
from tf_recdenoiser.reports.coverage import recommended
from tf_recdenoiser.reports.run_report import report_sections, write_run_report
from tf_recdenoiser.reports.sections import Section
from tf_recdenoiser.reports.subject import Subject
from tf_recdenoiser.runs import Run, load_dataset, load_run, train

TITLE = "Tea for $2 & <b>pots</b> 茶"
GATED = {"gates": "positional", "noise.detector": "context"}
EVERYWHERE = ["summary", "groups", "coverage"]
VOID = {"meta", "br", "path", "use", "rect", "image"}


class Page(HTMLParser):
    """The tags of a page, what it refers to, and its text; every tag must be closed."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.tags: list[str] = []
        self.links: list[str] = []
        self.ids: list[str] = []
        self.text = ""
        self._open: list[str] = []
        self.feed(text)
        assert self._open == []

    def handle_starttag(self, tag: str, attributes: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)
        given = {name.rpartition(":")[2]: value or "" for name, value in attributes}
        self.links += [given[name] for name in ("src", "href", "data", "action") if name in given]
        self.ids += [given["id"]] if "id" in given else []
        if tag not in VOID:
            self._open.append(tag)

    def handle_startendtag(self, tag: str, attributes: list[tuple[str, str | None]]) -> None:
        self.handle_starttag(tag, attributes)
        if tag not in VOID:
            self._open.pop()

    def handle_endtag(self, tag: str) -> None:
        if tag not in VOID:
            assert self._open.pop() == tag

    def handle_data(self, data: str) -> None:
        self.text += data


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Run:
    """Positional gates, a detector, titles that are no HTML, and a log whose noise is known."""
    titles = np.array([f"{TITLE} {number}" for number in range(DATASET.item_count)], object)
    titles[3] = ""
    path = tmp_path_factory.mktemp("reports") / "run"
    train(plain(GATED), DATASET, path, titles=titles)
    return load_run(path)


@pytest.fixture(scope="module")
def written(run: Run) -> tuple[str, dict[str, Section]]:
    """The page and its sections by name."""
    path = run.directory.path / "report.html"
    sections = write_run_report(run, path)
    return path.read_text("utf-8"), {section.name: section for section in sections}


def test_the_page_is_whole_and_refers_to_nothing_else(
    written: tuple[str, dict[str, Section]], run: Run
) -> None:
    text, sections = written
    page = Page(text)
    assert all(link.startswith(("#", "data:image/png;base64,")) for link in page.links)
    assert {link[1:] for link in page.links if link.startswith("#")} <= set(page.ids)
    assert not {"script", "link", "iframe", "img", "b"} & set(page.tags)
    assert page.tags.count("section") == len(sections)
    assert "url(http" not in text and "@import" not in text
    assert TITLE in page.text and TITLE not in text
    assert len(text) < 1_000_000
    run.directory.verify()  # the page is not of the manifest


def test_every_section_is_there_and_says_how_to_read_it(
    written: tuple[str, dict[str, Section]],
) -> None:
    _, sections = written
    assert list(sections) == [
        *("summary", "curves", "gates", "attention", "suspects", "calibration"),
        *("groups", "coverage"),
    ]
    assert all(section.about.endswith(".") and section.numbers for section in sections.values())


def test_groups_average_to_the_metrics_of_the_run(
    written: tuple[str, dict[str, Section]], run: Run
) -> None:
    metrics = run.directory.metrics()["test"]["full"]
    for groups in written[1]["groups"].numbers.values():
        for name in ("ndcg@10", "hit@10"):
            means = [group[name] for group in groups if group[name]["count"]]
            total = sum(one["mean"] * one["count"] for one in means)
            assert sum(one["count"] for one in means) == 60
            assert total / 60 == pytest.approx(metrics[name])


def test_what_is_recommended_is_what_the_run_recommends(
    written: tuple[str, dict[str, Section]], run: Run
) -> None:
    subject = Subject(run, run.dataset())
    best = recommended(subject)
    for user in (0, 7):
        history = run.item_ids[subject.histories.row(user) - 1].tolist()
        expected = [one.item for one in run.recommend(history)]
        assert run.item_ids[best[user] - 1].tolist() == expected
    numbers = written[1]["coverage"].numbers
    assert numbers["recommended_items"] == len(np.unique(best))
    counts = np.bincount(subject.noisy.split.train.items, minlength=DATASET.item_count + 1)
    assert numbers["mean_popularity"] == pytest.approx(counts[best].mean())
    assert numbers["taken_mean_popularity"] == pytest.approx(counts[subject.targets].mean())


def test_probabilities_are_judged_by_the_noise_that_is_known(
    written: tuple[str, dict[str, Section]], run: Run
) -> None:
    found = written[1]["calibration"].numbers
    subject = Subject(run, run.dataset())
    is_item = subject.item_ids > 0
    noise, marks = subject.noise, subject.noisy.test.last(subject.length)
    assert noise is not None
    assert found["known"] and found["items"] == is_item.sum()
    assert found["brier"] == pytest.approx(((noise - marks)[is_item] ** 2).mean())
    auc = roc_auc(noise[is_item], marks[is_item] > 0)
    assert auc == pytest.approx(run.directory.metrics()["noise"]["roc_auc"])


def test_suspects_have_the_highest_probability_of_their_history(
    written: tuple[str, dict[str, Section]], run: Run
) -> None:
    subject = Subject(run, run.dataset())
    users = {subject.user(row): row for row in range(len(subject.targets))}
    assert subject.noise is not None
    for one in written[1]["suspects"].numbers["users"]:
        highest = np.sort(subject.noise[users[one["user"]]])[::-1][:3]
        assert [suspect["noise"] for suspect in one["suspects"]] == highest.astype(float).tolist()
        assert all(len(suspect["worst_neighbours"]) == 2 for suspect in one["suspects"])


ATTENTION = ["summary", "curves", "attention", "groups", "coverage"]
KINDS = {
    "sasrec": ({}, ATTENTION),
    "gru4rec": ({"model": "gru4rec"}, ["summary", "curves", "groups", "coverage"]),
    "popularity": ({"model": "popularity", "fit.epochs": 1}, EVERYWHERE),
    "popularity with a detector": (
        {"model": "popularity", "fit.epochs": 1, "noise.detector": "context"},
        ["summary", "suspects", "calibration", "groups", "coverage"],
    ),
    "fpmc": ({"model": "fpmc"}, ["summary", "curves", "groups", "coverage"]),
    "caser": ({"model": "caser"}, ["summary", "curves", "groups", "coverage"]),
    "bert4rec": (
        {"model": {"name": "bert4rec", "max_length": 12, "hidden_dim": 8}, "gates": "positional"},
        ["summary", "curves", "gates", "attention", "groups", "coverage"],
    ),
    "tisasrec": ({"model": {"name": "tisasrec", "max_length": 12, "hidden_dim": 8}}, ATTENTION),
    "sse_pt": ({"model": {"name": "sse_pt", "max_length": 12, "hidden_dim": 8}}, ATTENTION),
    "linear": ({"model.attention": "linear"}, ATTENTION),
    "softening": (
        {"noise.detector": "context", "noise.correction": "everywhere", "gates": "item"},
        [
            *("summary", "curves", "gates", "attention", "suspects", "calibration"),
            *("groups", "coverage"),
        ],
    ),
    "oracle": ({"noise.detector": "oracle", "noise.injection.rate": 0.2}, ATTENTION),
}


@pytest.mark.parametrize("kind", only(lambda kind: kind == "popularity", KINDS))
def test_what_does_not_apply_is_left_out(kind: str, tmp_path: Path) -> None:
    changes, expected = KINDS[kind]
    train(plain(changes), DATASET, tmp_path / "run")
    sections = report_sections(load_run(tmp_path / "run"))
    assert [section.name for section in sections] == expected


@pytest.mark.slow
def test_where_noise_is_not_known_that_is_said(tmp_path: Path) -> None:
    log = tmp_path / "log.csv"
    rng = np.random.default_rng(0)
    rows = [f"{user},{rng.integers(30)},{time}" for user in range(40) for time in range(9)]
    log.write_text("\n".join(["user,item,time", *rows]))
    settings = plain({"noise.detector": "context"}, str(log))
    train(settings, load_dataset(settings), tmp_path / "run")
    found = {one.name: one for one in report_sections(load_run(tmp_path / "run"))}
    assert not found["calibration"].numbers["known"]
    assert "nobody knows" in found["calibration"].about
