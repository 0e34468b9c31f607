"""The TFRS example finds items by their features, in seconds."""

from __future__ import annotations

import runpy
from pathlib import Path

import pytest

from tf_recdenoiser._keras import IS_KERAS_3

EXAMPLE = Path(__file__).resolve().parents[2] / "examples/retrieval.py"


@pytest.mark.skipif(IS_KERAS_3, reason="TensorFlow Recommenders needs tf_keras")
def test_retrieval_example(capsys: pytest.CaptureFixture[str]) -> None:
    hits = runpy.run_path(str(EXAMPLE))["main"](count=1500, epochs=4)
    assert hits > 0.3  # chance is 10 of 96
    assert "With new items listed" in capsys.readouterr().out
