"""The package as a user imports it: quick, and each part when it is first used."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

import tf_recdenoiser as tfr

CODE = """
import sys
import tf_recdenoiser as tfr
assert "tensorflow" not in sys.modules
tfr.evaluation.ndcg
assert "tensorflow" not in sys.modules
tfr.layers.DenoisingMultiHeadAttention
assert "tensorflow" in sys.modules
"""


def test_tensorflow_is_imported_with_the_first_part_that_needs_it() -> None:
    subprocess.run([sys.executable, "-c", CODE], check=True)


def test_every_part_is_there() -> None:
    folders = {path.parent.name for path in Path(tfr.__file__).parent.glob("*/__init__.py")}
    assert set(tfr.__all__) == folders - {"cli"} | {"load"}
    for name in set(tfr.__all__) - {"load"}:
        assert getattr(tfr, name).__name__ == f"tf_recdenoiser.{name}"
    assert set(tfr.__all__) <= set(dir(tfr))


def test_what_is_not_there_is_an_attribute_error() -> None:
    with pytest.raises(AttributeError, match="has no attribute 'layer'"):
        tfr.layer  # noqa: B018
