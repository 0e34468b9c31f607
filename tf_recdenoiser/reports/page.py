"""One HTML file that needs nothing else: no script, no picture or style from elsewhere."""

from __future__ import annotations

import functools
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from jinja2 import Environment, PackageLoader, StrictUndefined

from tf_recdenoiser._files import written_whole


@functools.cache
def _environment() -> Environment:
    loader = PackageLoader("tf_recdenoiser.reports")
    return Environment(
        loader=loader,
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )


def render(template: str, values: Mapping[str, Any]) -> str:
    """The HTML of a template in `reports/templates`, with values by name; texts are escaped.

    Examples
    --------
    >>> values = {"title": "Tea & pots", "about": "", "sections": [], "origin": {}}
    >>> "<h1>Tea &amp; pots</h1>" in render("page.html", values)
    True
    """
    return _environment().get_template(template).render(values)


def write_page(path: Path, template: str, values: Mapping[str, Any]) -> None:
    """Write what `render` gives; the file appears whole or not at all."""
    text = render(template, values)
    path.parent.mkdir(parents=True, exist_ok=True)
    with written_whole(path) as unfinished:
        unfinished.write_text(text, encoding="utf-8")
