"""The functional classifier learns what Keras' own attention learns, in seconds."""

from __future__ import annotations

import runpy
from pathlib import Path

import pytest

EXAMPLE = Path(__file__).resolve().parents[1] / "examples/classifier.py"


def test_classifier_example(capsys: pytest.CaptureFixture[str]) -> None:
    found = runpy.run_path(str(EXAMPLE))["main"](count=1000, epochs=6)
    printed = capsys.readouterr().out.splitlines()
    assert [line.split(" right on ")[0].rstrip() for line in printed] == list(found)
    assert min(found.values()) > 0.6  # a guess is right on a third
