"""Which tests run under which Keras, in which order, and whether functions become graphs.

`pytest tests/...` runs what it is given, under the Keras that is set. `make test` runs each test
once, under the Keras of its folder; `make test-slow` runs every test under both.
"""

from __future__ import annotations

import gc
import os
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent

# As TensorFlow reads the variable; without it TFRS, which the module needs, is not to be had.
LEGACY = os.environ.get("TF_USE_LEGACY_KERAS") in ("1", "true", "True")
collect_ignore = [] if LEGACY else ["tf_recdenoiser/retrieval/denoising_retrieval.py"]

# Folders of `tests/` and of the package. What is used in models of any Keras:
KERAS_3 = {"backbones", "estimators", "layers", "noise", "training"}
# What imports no Keras, and is tested once in all:
KERAS_FREE = {"data", "evaluation", "ops", "test_layout"}
# All else is the command line's, which uses tf_keras.

# Whole runs, in which building graphs takes longer than training.
EAGER = {"cli", "experiments", "runs", "test_examples", "tuning"}


def pytest_addoption(parser: pytest.Parser) -> None:
    """`--graphs`."""
    parser.addoption("--graphs", action="store_true", help="run no test without graphs")


def folder_of(item: pytest.Item) -> str:
    """`cli` for anything in tests/cli or tf_recdenoiser/cli."""
    return item.path.relative_to(ROOT).parts[1].removesuffix(".py")


def homes_of(item: pytest.Item) -> set[str]:
    """The marks that say where a test runs."""
    folder = folder_of(item)
    if folder in KERAS_FREE:
        return {"keras_3", "keras_free"}
    if item.get_closest_marker("both_keras"):
        return {"keras_3", "tf_keras"}
    return {"keras_3"} if folder in KERAS_3 else {"tf_keras"}


# First, since `-m` chooses by these marks in the same hook.
@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Mark each test with the Keras it runs under, and put whole runs first."""
    for item in items:
        for name in homes_of(item):
            item.add_marker(name)
    # The longest files first, so that no worker is left with one at the end.
    items.sort(key=lambda item: folder_of(item) not in {*EAGER, "retrieval", "serving"})


def pytest_collection_finish() -> None:
    """Keep the garbage collector from walking through TensorFlow's modules again and again."""
    gc.collect()
    gc.freeze()


@pytest.hookimpl(tryfirst=True)
def pytest_runtest_setup(item: pytest.Item) -> None:
    """Before any fixture of the test, so that those that are shared keep to it too."""
    tf = sys.modules.get("tensorflow")
    if tf is None:  # as where data alone are tested
        return
    marks = {mark.name for mark in item.iter_markers()}
    eager = "eager" in marks or (folder_of(item) in EAGER and "graph" not in marks)
    tf.config.run_functions_eagerly(eager and not item.config.getoption("--graphs"))
