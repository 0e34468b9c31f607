"""What a run was made with: versions of packages, and of the project itself."""

from __future__ import annotations

import functools
import importlib.metadata
import platform
import shutil
import subprocess
from pathlib import Path

from tf_recdenoiser._keras import IS_KERAS_3

_PACKAGES = ("tf_recdenoiser", "tensorflow", "keras", "tf-keras", "numpy", "polars")
_ROOT = Path(__file__).resolve().parents[2]


def keras_name() -> str:
    """The Keras in use, by the name of its package."""
    return "keras" if IS_KERAS_3 else "tf_keras"


def environment() -> dict[str, str]:
    """Versions by package, the Keras in use, and the commit where the project is a checkout."""
    versions = {name: importlib.metadata.version(name) for name in _PACKAGES}
    commit = {} if (found := _commit()) is None else {"commit": found}
    return {
        "python": platform.python_version(),
        "keras_in_use": keras_name(),
        **versions,
        **commit,
    }


@functools.cache
def _commit() -> str | None:
    """The commit of the checkout, "-dirty" after it where files differ; None outside of one."""
    # Not of another project's checkout, in which the package is installed.
    if not (_ROOT / ".git").exists() or (git := shutil.which("git")) is None:
        return None
    asked = [git, "-C", str(_ROOT), "describe", "--always", "--dirty", "--exclude=*"]
    done = subprocess.run(asked, capture_output=True, text=True, check=False)
    return done.stdout.strip() or None
