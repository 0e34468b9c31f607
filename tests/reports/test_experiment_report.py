"""The page of an experiment: all that came out, and nothing from elsewhere."""

from __future__ import annotations

import re
from pathlib import Path

import numpy as np
import pytest

from tf_recdenoiser.experiments import (
    Curve,
    Experiment,
    Gains,
    Results,
    Row,
    Trial,
    Values,
    crossed,
)
from tf_recdenoiser.reports import write_experiment_report
from tf_recdenoiser.runs import RunDirectory

RNG = np.random.default_rng(0)
EXPERIMENT = Experiment(
    title="Tea & <pots>",
    about="One paragraph.\n\nAnother.",
    trials=crossed([Trial("plain", {}, baseline=None), Trial("new", {})], "n", {1: {}, 10: {}}),
    plots=(Gains(("hits",)), Curve("n", ("hits",), log=True), Values(("time",))),
    claims={"new": {"hits": 8.04}},
)


class Finished(RunDirectory):
    """A run of which little is asked."""

    def metrics(self) -> dict[str, object]:
        data = {"sha256": "ab" * 32, "users": 40, "items": 7, "interactions": 1234}
        return {"data": data, **dict.fromkeys(("best_epoch", "epochs", "seconds", "parameters"), 1)}

    def environment(self) -> dict[str, str]:
        return {"tensorflow": "2.21", "keras_in_use": "keras", "commit": "abc1234"}

    def settings(self) -> object:
        from tf_recdenoiser.runs import Settings

        return Settings.of("log.txt", {"fit.epochs": 3})


@pytest.fixture(scope="module")
def results() -> Results:
    rows = []
    for seed in (0, 1, 2):
        for trial in EXPERIMENT.trials:
            gain = 0.1 if trial.method == "new" else 0.0
            hits = 0.5 + gain + 0.01 * RNG.normal(size=40)
            values = {"hits": hits}
            directory = Finished(Path("nowhere"))
            rows.append(Row("tea", trial, seed, trial.factors, values, directory))
            rows.append(
                Row("tea", trial, seed, {**trial.factors, "part": "a"}, {"time": 2.0}, directory)
            )
    return Results(rows)


@pytest.fixture(scope="module")
def page(results: Results, tmp_path_factory: pytest.TempPathFactory) -> str:
    path = tmp_path_factory.mktemp("page") / "report.html"
    write_experiment_report(EXPERIMENT, results, 14, path)
    return path.read_text(encoding="utf-8")


def test_nothing_is_loaded_from_elsewhere(page: str) -> None:
    assert not re.findall(r'(?:src|href)="(?!#|data:)[^"]*"', page.replace("xlink:href", "href"))
    assert "<script" not in page and "@import" not in page and "url(http" not in page


def test_texts_are_texts(page: str) -> None:
    assert "<h1>Tea &amp; &lt;pots&gt;</h1>" in page
    assert "<p>One paragraph.</p>" in page and "<p>Another.</p>" in page


def test_the_table_has_means_gains_and_what_the_paper_claims(page: str, results: Results) -> None:
    (line,) = [one for one in results.lines("tea") if one.name == "new, n 10"]
    one, values = line.comparisons["hits"], line.means["hits"]
    low, high = one.gain_interval
    assert f"{values.mean():.4f} ± {values.std(ddof=1):.4f}" in page
    assert f"{one.gain:+.1f} % [{low:+.1f}, {high:+.1f}]" in page
    assert "the paper&#39;s gain in hits" in page and "+8.04 %" in page


def test_every_plot_is_drawn_and_says_what_it_shows(page: str) -> None:
    labels = re.findall(r'<svg role="img" aria-label="([^"]*)"', page)
    assert labels == ["Gains in hits on tea", "hits over n on tea", "time on tea"]
    assert len(re.findall(r"<figure>", page)) == 3
    # Of the page's own colours, so that they can be read on dark paper.
    assert "currentColor" in page and "#010203" not in page


def test_it_says_where_it_comes_from_and_how_far_it_is(page: str) -> None:
    assert "Not finished: 12 of 14 trainings are done." in page
    assert "abc1234" in page and "fit.epochs=3" in page and "tensorflow 2.21" in page
    assert "1,234 interactions (sha256 abababab)" in page
    assert "log.txt" not in page
