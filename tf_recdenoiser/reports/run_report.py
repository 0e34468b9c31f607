"""What one trained run learned, as a page."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

from tf_recdenoiser.reports.attention import attention_before_and_after
from tf_recdenoiser.reports.calibration import noise_calibration
from tf_recdenoiser.reports.coverage import coverage
from tf_recdenoiser.reports.curves import training_curves
from tf_recdenoiser.reports.gates import keep_probabilities
from tf_recdenoiser.reports.groups import by_group
from tf_recdenoiser.reports.page import write_page
from tf_recdenoiser.reports.sections import Section
from tf_recdenoiser.reports.subject import Subject
from tf_recdenoiser.reports.summary import in_short
from tf_recdenoiser.reports.suspects import suspected_noise
from tf_recdenoiser.runs import Run, as_toml

SECTIONS: tuple[Callable[[Subject], Section | None], ...] = (
    in_short,
    training_curves,
    keep_probabilities,
    attention_before_and_after,
    suspected_noise,
    noise_calibration,
    by_group,
    coverage,
)
"""In the order of the page; each gives None where it does not apply. A new one is a line here."""


def report_sections(run: Run) -> list[Section]:
    """What there is to be said of a finished run, whose data are read again.

    Raises
    ------
    DataError, RunError
        If the data cannot be read, or are not what the run was trained on.
    """
    subject = Subject(run, run.dataset())
    found = (section(subject) for section in SECTIONS)
    return [section for section in found if section is not None]


def write_run_report(run: Run, path: Path) -> list[Section]:
    """Write the page about a run, one HTML file; gives its sections.

    Raises
    ------
    DataError, RunError
        See `report_sections`.
    """
    sections = report_sections(run)
    settings = run.settings
    about = (
        f"What a {settings.model.name} model learned from {settings.source}. It is the model of "
        "the best epoch, judged by each test user's last item, which it did not see in training."
    )
    page = {
        "title": f"Run {run.directory.path.resolve().name}",
        "about": about,
        "sections": sections,
        "origin": _origin(run),
    }
    write_page(path, "page.html", page)
    return sections


def _origin(run: Run) -> dict[str, Any]:
    """By what the numbers could be had again."""
    fingerprint, versions = run.directory.fingerprint(), run.directory.environment()
    return {
        "run": run.directory.path,
        "data": run.settings.source,
        "seed": run.settings.seed,
        "data, SHA-256": fingerprint.sha256,
        "versions": ", ".join(f"{name} {version}" for name, version in versions.items()),
        "settings": as_toml(run.settings),
    }
