"""Settings as text: a TOML file, or `PATH=VALUE` with a TOML value."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import tomlkit
from tomlkit.exceptions import ParseError

from tf_recdenoiser._settings import SettingsError
from tf_recdenoiser.runs.settings import Settings


def read_settings(path: Path) -> dict[str, Any]:
    """The changes of settings that a TOML file holds, for `Settings.replace`.

    Raises
    ------
    SettingsError
        If there is no such file, or it is no TOML.
    """
    if not path.is_file():
        raise SettingsError(f"A file of settings must be there. Received: {path}")
    try:
        return tomlkit.parse(path.read_text(encoding="utf-8")).unwrap()
    except (ParseError, UnicodeDecodeError) as error:
        raise SettingsError(f"{path} must be TOML. Received: {error}") from error


def as_toml(settings: Settings) -> str:
    """All of the settings as the text of a TOML file."""
    return tomlkit.dumps(settings.document())


def assignment(text: str) -> tuple[str, Any]:
    """The path and the value in `PATH=VALUE`; what is no TOML value is a text as it stands.

    Raises
    ------
    SettingsError
        If there is no path and no value.

    Examples
    --------
    >>> assignment("fit.epochs=3"), assignment("gates=relative")
    (('fit.epochs', 3), ('gates', 'relative'))
    >>> assignment("model.hidden_dim=[32, 64]")
    ('model.hidden_dim', [32, 64])
    """
    path, equals, value = (part.strip() for part in text.partition("="))
    if not (path and equals and value):
        raise SettingsError(f"A setting is written PATH=VALUE, as fit.epochs=3. Received: {text!r}")
    try:
        return path, tomlkit.parse(f"value = {value}").unwrap()["value"]
    except ParseError:
        return path, value
