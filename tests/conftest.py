"""What every test may use: the folder of real data, and a header that names the Keras in use."""

from __future__ import annotations

import os
from importlib.metadata import version
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]
SHARED_DATA = ROOT.parent / "shared" / "data"


def pytest_report_header() -> str:
    # As TensorFlow reads the variable, and without importing TensorFlow.
    legacy = os.environ.get("TF_USE_LEGACY_KERAS") in ("1", "true", "True")
    package = "tf_keras" if legacy else "keras"
    return f"tf.keras: {package} {version(package)}, tensorflow {version('tensorflow')}"


@pytest.fixture(scope="session")
def shared_data() -> Path:
    """The folder of real interaction logs, which lies beside the project and is never in it."""
    if not SHARED_DATA.is_dir():
        pytest.skip("no real data: the folder ../shared/data, beside the project, is absent")
    return SHARED_DATA
