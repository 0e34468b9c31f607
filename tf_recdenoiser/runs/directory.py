"""A run directory: everything that a run was."""

from __future__ import annotations

import dataclasses
import importlib.metadata
import json
import os
import platform
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import Any, TypeVar

import numpy as np

from tf_recdenoiser._keras import IS_KERAS_3
from tf_recdenoiser.data import Dataset, Fingerprint
from tf_recdenoiser.noise import Detection, NoiseScorer
from tf_recdenoiser.runs.models import RunError, load_model, save_model
from tf_recdenoiser.runs.settings import Settings
from tf_recdenoiser.runs.toml import as_toml, read_settings

_T = TypeVar("_T")
_PACKAGES = ("tf_recdenoiser", "tensorflow", "keras", "tf-keras", "numpy", "polars")


def keras_name() -> str:
    """The Keras in use, by the name of its package."""
    return "keras" if IS_KERAS_3 else "tf_keras"


@dataclasses.dataclass(frozen=True)
class RunDirectory:
    """Where a run's files lie, and how they are read and written; each is written whole.

    `settings.toml`, `data.json` (fingerprint), `environment.json` (package versions),
    `vocabulary.json` (raw item ids by code), `users.json` (raw user ids by code, where the
    backbone reads them), `history.jsonl` (a line an epoch), `metrics.json`,
    `checkpoints/last.keras` and `best.keras`, `tensorboard/` on request; where noise was looked
    for `noise.json`, `noise.npy` and `checkpoints/detector_1.keras`, ….
    """

    path: Path

    def __post_init__(self) -> None:
        object.__setattr__(self, "path", Path(self.path))

    @property
    def last(self) -> Path:
        """The model after the newest epoch, with its optimizers."""
        return self._checkpoints / "last.keras"

    @property
    def best(self) -> Path:
        """The model after the epoch with the best validation NDCG@10."""
        return self._checkpoints / "best.keras"

    @property
    def history_file(self) -> Path:
        """A JSON object for each epoch."""
        return self.path / "history.jsonl"

    @property
    def metrics_file(self) -> Path:
        """The metrics of the finished run."""
        return self.path / "metrics.json"

    @property
    def tensorboard(self) -> Path:
        """Event files for TensorBoard."""
        return self.path / "tensorboard"

    def exists(self) -> bool:
        """Whether a run was begun here."""
        return (self.path / "settings.toml").exists()

    def require_free(self) -> None:
        """Raise RunError if a run was begun here."""
        if self.exists():
            raise RunError(
                f"{self.path} already holds a run. Go on with it by --resume, or choose another "
                "directory."
            )

    def create(
        self,
        settings: Settings,
        dataset: Dataset,
        user_ids: np.ndarray | None = None,
        detection: Detection | None = None,
    ) -> None:
        """Begin a run: write what is known before training.

        Parameters
        ----------
        settings, dataset
            Of the run.
        user_ids
            Raw ids of the users that the model knows, `[user_count]`; None (default) if it knows
            none.
        detection
            What was found of noise; None (default) if it was not looked for.
        """
        self.require_free()
        self.last.parent.mkdir(parents=True, exist_ok=True)
        self._write("data.json", dataclasses.asdict(dataset.fingerprint()))
        self._write("vocabulary.json", dataset.item_ids.tolist())
        self._write("environment.json", _environment())
        if user_ids is not None:
            self._write("users.json", user_ids.tolist())
        if detection is not None:
            self._write_detection(detection)
        # Last, since with it the run exists.
        self._write_settings(settings)

    def reopen(self, settings: Settings) -> None:
        """Go on with a run, by these settings: it is not finished any more."""
        self.metrics_file.unlink(missing_ok=True)
        self._write_settings(settings)

    def _write_settings(self, settings: Settings) -> None:
        _replace(self.path / "settings.toml", as_toml(settings))

    def settings(self) -> Settings:
        """The recorded settings."""
        path = self.path / "settings.toml"
        self._require(path)
        return _parsed(path, lambda: Settings().replace(read_settings(path)))

    def check_fingerprint(self, dataset: Dataset) -> None:
        """Raise RunError unless `dataset` is the one the run was trained on."""
        if dataset.fingerprint() != self.fingerprint():
            raise RunError(
                f"{self.settings().source} is not what {self.path} was trained on: its content "
                f"has changed. Received: {dataset.fingerprint()}"
            )

    def fingerprint(self) -> Fingerprint:
        """The fingerprint of the data the run was trained on."""
        return self._read("data.json", lambda recorded: Fingerprint(**recorded))

    def item_ids(self) -> np.ndarray:
        """Raw item ids, `[item_count]`: integers or strings as in the log."""
        return self._read("vocabulary.json", _id_array)

    def user_ids(self) -> np.ndarray | None:
        """Raw user ids, `[user_count]`; None if the model knows no users."""
        if not (self.path / "users.json").exists():
            return None
        return self._read("users.json", _id_array)

    def history(self) -> list[dict[str, Any]]:
        """What each epoch gave, oldest first."""
        if not self.history_file.exists():
            return []
        lines = self.history_file.read_text(encoding="utf-8").splitlines()
        return _parsed(self.history_file, lambda: [dict(json.loads(line)) for line in lines])

    def write_history(self, rows: Sequence[dict[str, Any]]) -> None:
        """Replace the training log."""
        _replace(self.history_file, "".join(json.dumps(row) + "\n" for row in rows))

    def metrics(self) -> dict[str, Any]:
        """The metrics of the finished run."""
        return self._read("metrics.json", dict)

    def write_metrics(self, metrics: dict[str, Any]) -> None:
        """Record the metrics of the finished run."""
        self._write("metrics.json", metrics)

    def has_detection(self) -> bool:
        """Whether noise was looked for in this run."""
        return (self.path / "noise.json").exists()

    def _write_detection(self, detection: Detection) -> None:
        files = self._detectors(len(detection.scorer.detectors))
        for file, detector in zip(files, detection.scorer.detectors, strict=True):
            save_model(detector, file)
        np.save(self.path / "noise.npy", detection.log_ratios)
        # Last, since with it the record is whole.
        scorer = detection.scorer
        self._write(
            "noise.json",
            {"rate": scorer.rate, "roc_auc": detection.roc_auc, "detectors": len(scorer.detectors)},
        )

    def detection(self) -> Detection:
        """What was found of noise."""
        recorded = self._read("noise.json", dict)
        return _parsed(
            self.path / "noise.npy",
            lambda: Detection(
                NoiseScorer(
                    tuple(load_model(file) for file in self._detectors(recorded["detectors"])),
                    recorded["rate"],
                ),
                np.load(self.path / "noise.npy"),
                recorded["roc_auc"],
            ),
        )

    def _detectors(self, count: int) -> list[Path]:
        return [self._checkpoints / f"detector_{number + 1}.keras" for number in range(count)]

    @property
    def _checkpoints(self) -> Path:
        return self.path / "checkpoints"

    def check_keras(self) -> None:
        """Raise RunError if the run's models were saved by the other Keras."""
        recorded = self._read("environment.json", lambda versions: versions["keras_in_use"])
        if recorded != keras_name():
            value = "1" if recorded == "tf_keras" else "0"
            raise RunError(
                f"{self.path} was trained with {recorded}, and this is {keras_name()}: set "
                f"TF_USE_LEGACY_KERAS={value} in the environment."
            )

    def _read(self, name: str, convert: Callable[[Any], _T]) -> _T:
        path = self.path / name
        self._require(path)
        return read_json(path, convert)

    def _require(self, path: Path) -> None:
        if not path.exists():
            raise RunError(
                f"{self.path} is not a run directory, or its run has not come so far: it has no "
                f"{path.name}. Make one with `tf-recdenoiser train DATA --out {self.path}`."
            )

    def _write(self, name: str, value: Any) -> None:
        write_json(self.path / name, value)


def read_json(path: Path, convert: Callable[[Any], _T]) -> _T:
    """What `convert` makes of a JSON file; RunError if that is not what was written."""
    return _parsed(path, lambda: convert(json.loads(path.read_text(encoding="utf-8"))))


def write_json(path: Path, value: Any) -> None:
    """Write a JSON file whole: `path` never holds half of one."""
    _replace(path, json.dumps(value, indent=1, ensure_ascii=False) + "\n")


def _id_array(recorded: Iterable[int | str]) -> np.ndarray:
    """Ids as int64 or, since NumPy gives every text the room of the longest, as objects of str."""
    ids = np.array([*recorded], object)
    return ids if any(isinstance(one, str) for one in ids.tolist()) else ids.astype(np.int64)


def _parsed(path: Path, parse: Callable[[], _T]) -> _T:
    """What `parse` makes of the content of `path`; RunError if that is not what a run wrote."""
    try:
        return parse()
    except (ValueError, TypeError, KeyError) as error:
        raise RunError(
            f"{path} is damaged: put back the file that the run wrote, or train anew in another "
            f"directory. Received: {type(error).__name__}: {error}"
        ) from error


def _replace(path: Path, text: str) -> None:
    temporary = path.with_name(path.name + ".new")
    temporary.write_text(text, encoding="utf-8")
    os.replace(temporary, path)


def _environment() -> dict[str, str]:
    versions = {name: importlib.metadata.version(name) for name in _PACKAGES}
    return {"python": platform.python_version(), "keras_in_use": keras_name(), **versions}
