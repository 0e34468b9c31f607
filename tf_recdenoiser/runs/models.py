"""Models as files: never half of one, and an error that says what to do."""

from __future__ import annotations

import os
import zipfile
from pathlib import Path
from typing import Any

from tf_recdenoiser._keras import keras
from tf_recdenoiser.training import Recommender


class RunError(RuntimeError):
    """A run directory cannot be used as asked; the text is fit for a command line."""


def save_model(model: Any, path: Path) -> None:
    """Save `model` so that `path` never holds half of it."""
    temporary = path.with_name(path.stem + ".new.keras")
    try:
        model.save(temporary)
        os.replace(temporary, path)
    finally:
        temporary.unlink(missing_ok=True)


def load_model(path: Path) -> Recommender:
    """The recommender saved at `path`.

    Raises
    ------
    RunError
        If there is none, or it cannot be read.
    """
    # Keras loads what is no zip archive as other formats, and fails on it in many ways.
    if not zipfile.is_zipfile(path):
        raise RunError(
            f"{path} must be a saved model: put back the file that the run wrote, or train anew "
            f"in another directory. Received: {_what_is_at(path)}"
        )
    recommender: Recommender = keras.models.load_model(path)
    return recommender


def _what_is_at(path: Path) -> str:
    return "a damaged file" if path.exists() else "no such file"
