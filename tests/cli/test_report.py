"""`tf-recdenoiser report` writes a page where it says."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.cli.shell import Outcome, tf_recdenoiser
from tf_recdenoiser.runs import RunDirectory


def test_the_page_lies_in_the_run_directory_which_stays_verified(
    trained: RunDirectory, copy: Callable[[RunDirectory], RunDirectory]
) -> None:
    run = copy(trained)
    outcome = tf_recdenoiser("report", run.path)
    page = run.path / "report.html"
    assert outcome == (0, f"The page is {page}.\n", "")
    assert page.read_text("utf-8").startswith("<!doctype html>")
    run.verify()


def test_numbers_for_other_programs_are_those_of_the_run(
    trained: RunDirectory, tmp_path: Path
) -> None:
    page = tmp_path / "new" / "page.html"
    outcome = tf_recdenoiser("report", trained.path, "--out", page, "--json")
    assert outcome.status == 0 and str(page) in outcome.err and page.exists()
    found = json.loads(outcome.out)
    assert found["page"] == str(page)
    assert found["summary"]["test"] == trained.metrics()["test"]
    assert found["gates"]["density"] == pytest.approx(trained.metrics()["density"])
    assert set(found) == {
        *("run", "page", "summary", "curves", "gates", "attention", "groups", "coverage")
    }
    assert not (trained.path / "report.html").exists()


def test_a_log_that_is_gone_or_has_changed_is_one_sentence(
    shop: tuple[Outcome, RunDirectory, Path],
    copy: Callable[[RunDirectory], RunDirectory],
) -> None:
    _, directory, log = shop
    run = copy(directory)
    hidden = log.with_name("hidden.csv")
    shutil.move(log, hidden)
    try:
        gone = tf_recdenoiser("report", run.path)
        log.write_text(hidden.read_text() + "\n3,101,99")
        changed = tf_recdenoiser("report", run.path)
    finally:
        shutil.move(hidden, log)
    for outcome, why in ((gone, str(log)), (changed, "its content has changed")):
        assert outcome.status == 1 and outcome.out == ""
        assert outcome.err.startswith("Error: ") and why in outcome.err
        assert "Traceback" not in outcome.err
    assert not (run.path / "report.html").exists()


def test_a_folder_is_no_page(trained: RunDirectory, tmp_path: Path) -> None:
    outcome = tf_recdenoiser("report", trained.path, "--out", tmp_path)
    assert outcome.status == 1
    assert "`--out` must be a file" in outcome.err and f"Received: {tmp_path}" in outcome.err
