"""What the small files of a run hold, judged by type and range; ValueError where it cannot be."""

from __future__ import annotations

import dataclasses
import re
from typing import Any

import numpy as np

from tf_recdenoiser.data import Fingerprint
from tf_recdenoiser.runs.settings import Settings

_SHA256 = re.compile("[0-9a-f]{64}")
_LARGEST_COUNT = 2**31 - 1
# Of the whole numbers among a backbone's settings: a matrix of positions then is 1 GB at most.
_LARGEST_SIZE = 2**14


@dataclasses.dataclass(frozen=True)
class ModelRecord:
    """What building a run's recommender needs beside the settings.

    Attributes
    ----------
    run
        64 hexadecimal digits, which the run's checkpoints hold too.
    item_count, user_count
        Of items, and of users of whom something can be learned.
    noise_rate
        How much of the targets the objective takes for noise.
    """

    run: str
    item_count: int
    user_count: int
    noise_rate: float

    @classmethod
    def of(cls, recorded: Any, fingerprint: Fingerprint) -> ModelRecord:
        """The record that a file holds, of a run on these data."""
        found = _fields(cls, recorded)
        digest("run", found.run)
        number("item_count", found.item_count, fingerprint.items, fingerprint.items, whole=True)
        number("user_count", found.user_count, 0, fingerprint.users, whole=True)
        number("noise_rate", found.noise_rate, 0, 1)
        return found


@dataclasses.dataclass(frozen=True)
class NoiseRecord:
    """What was found of noise, beside log ratios and detectors.

    Attributes
    ----------
    rate, roc_auc
        See `Detection`.
    detectors
        How many there are.
    items
        Of how many items there is a log ratio.
    """

    rate: float
    roc_auc: float
    detectors: int
    items: int

    @classmethod
    def of(cls, recorded: Any, folds: int, fingerprint: Fingerprint) -> NoiseRecord:
        """The record that a file holds, of a run on these data with a detector for each fold."""
        found = _fields(cls, recorded)
        number("rate", found.rate, 0, 1)
        number("roc_auc", found.roc_auc, 0, 1)
        number("detectors", found.detectors, folds, folds, whole=True)
        number("items", found.items, 1, fingerprint.interactions, whole=True)
        return found


def fingerprint_of(recorded: Any) -> Fingerprint:
    """The fingerprint of data that a file holds."""
    found = _fields(Fingerprint, recorded)
    digest("sha256", found.sha256)
    for name in ("users", "items", "interactions"):
        number(name, getattr(found, name), 0, _LARGEST_COUNT, whole=True)
    return found


def ids_of(recorded: Any) -> np.ndarray:
    """Raw ids `[N]`, all of them whole numbers or all of them texts, none of them twice."""
    kinds = {type(one) for one in recorded} if isinstance(recorded, list) else set()
    if not isinstance(recorded, list) or (kinds - {int} and kinds - {str}):
        raise ValueError("a list of whole numbers, or of texts, must be there")
    if len(set(recorded)) != len(recorded):
        raise ValueError("no id may be there twice")
    if str in kinds:
        # As objects: in NumPy's own texts each would take the room of the longest.
        return np.array(recorded, object)
    if any(not -(2**63) <= one < 2**63 for one in recorded):
        raise ValueError("whole numbers must be of 64 bits")
    return np.array(recorded, np.int64)


def titles_of(recorded: Any, count: int) -> np.ndarray:
    """Texts `[count]`, as objects."""
    if not isinstance(recorded, list) or not all(isinstance(one, str) for one in recorded):
        raise ValueError("a list of texts must be there")
    if len(recorded) != count:
        raise ValueError(f"a text for each of {count} items must be there, not {len(recorded)}")
    return np.array(recorded, object)


def versions_of(recorded: Any) -> dict[str, str]:
    """Versions by package, and the Keras that was in use."""
    if not all(isinstance(one, str) for one in entries(recorded).values()):
        raise ValueError("texts by name must be there")
    if recorded["keras_in_use"] not in ("keras", "tf_keras"):
        raise ValueError("`keras_in_use` must be keras or tf_keras")
    return recorded


def epoch_of(recorded: Any) -> dict[str, Any]:
    """What an epoch gave: numbers by name, those of validation from 0 to 1."""
    for name, value in entries(recorded).items():
        if type(value) not in (int, float):
            raise ValueError(f"`{name}` must be a number, not {value!r}")
        if name.startswith("val_"):
            number(name, value, 0, 1)
    return recorded


def metrics_of(recorded: Any) -> dict[str, Any]:
    """Metrics of a finished run, of which those of ranking are from 0 to 1."""
    for part in ("valid", "test"):
        for protocol, found in entries(entries(recorded)[part]).items():
            for name, value in entries(found).items():
                number(f"{part} {protocol} {name}", value, 0, 1)
    return dict(recorded)


def check_sizes(settings: Settings) -> None:
    """ValueError if a backbone is asked for that no run has."""
    for name, value in vars(settings.model).items():
        if type(value) is int:
            number(f"model.{name}", value, 0, _LARGEST_SIZE, whole=True)


def check_room(settings: Settings, item_count: int, size: int) -> None:
    """ValueError if what the settings build cannot have come from a checkpoint of `size` bytes."""
    width = getattr(settings.model, "hidden_dim", 0)
    blocks, length = getattr(settings.model, "num_layers", 1), settings.model.max_length
    least = item_count * width + blocks
    least += blocks * length**2 if settings.gates.name == "positional" else 0
    if 4 * least > size:
        raise ValueError(
            f"{size} bytes are too few for the model of the settings, which has {least} weights "
            "or more"
        )


def number(name: str, value: Any, least: float, most: float, whole: bool = False) -> None:
    """ValueError unless a value is a number, or a whole one, from `least` to `most`."""
    if type(value) not in ((int,) if whole else (int, float)) or not least <= value <= most:
        kind = "a whole number" if whole else "a number"
        raise ValueError(f"`{name}` must be {kind} from {least} to {most}, not {value!r}")


def digest(name: str, value: Any) -> None:
    """ValueError unless a value is a SHA-256 in hexadecimal."""
    if not isinstance(value, str) or _SHA256.fullmatch(value) is None:
        raise ValueError(f"`{name}` must be 64 hexadecimal digits, not {value!r}")


def entries(value: Any) -> dict[str, Any]:
    """A JSON object; ValueError if it is anything else."""
    if not isinstance(value, dict):
        raise ValueError(f"an object must be there, not {value!r:.100}")
    return value


def _fields(kind: Any, recorded: Any) -> Any:
    names = {field.name for field in dataclasses.fields(kind)}
    if set(entries(recorded)) != names:
        raise ValueError(f"an object with {', '.join(sorted(names))} must be there")
    return kind(**recorded)
