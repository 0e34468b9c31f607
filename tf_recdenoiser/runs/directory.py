"""A run directory: everything that a run was."""

from __future__ import annotations

import dataclasses
import hashlib
import importlib.metadata
import json
import platform
from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Any, TypeVar

import numpy as np

from tf_recdenoiser._files import locked
from tf_recdenoiser._keras import IS_KERAS_3
from tf_recdenoiser.data import Dataset, Fingerprint
from tf_recdenoiser.noise import Detection
from tf_recdenoiser.runs import manifest, records
from tf_recdenoiser.runs.checkpoints import model_variables, write_checkpoint
from tf_recdenoiser.runs.errors import RunError, parsed
from tf_recdenoiser.runs.files import read_json, read_text, write_json, write_text
from tf_recdenoiser.runs.records import ModelRecord, NoiseRecord
from tf_recdenoiser.runs.settings import Settings
from tf_recdenoiser.runs.toml import as_toml, read_settings

_T = TypeVar("_T")
_LARGEST_SETTINGS = 1 << 20
_PACKAGES = ("tf_recdenoiser", "tensorflow", "keras", "tf-keras", "numpy", "polars")


def keras_name() -> str:
    """The Keras in use, by the name of its package."""
    return "keras" if IS_KERAS_3 else "tf_keras"


@dataclasses.dataclass(frozen=True)
class RunDirectory:
    """Where a run's files lie, and how they are read and written; each is written whole.

    `settings.toml`, `data.json` (fingerprint), `model.json` (what building the model needs
    besides), `environment.json` (package versions), `vocabulary.json` (raw item ids by code),
    `users.json` (raw user ids by code, where the backbone reads them), `titles.json` (of the items,
    where they are known), `history.jsonl` (a line an
    epoch), `metrics.json`, `checkpoints/last.h5` and `best.h5`, `manifest.json` (digests),
    `tensorboard/` on request; where noise was looked for `noise.json`, `noise.npy` and
    `checkpoints/detector_1.h5`, ….

    All of it is data: what is read is judged by type and range, and nothing in it is run.
    """

    path: Path

    def __post_init__(self) -> None:
        object.__setattr__(self, "path", Path(self.path))

    @property
    def last(self) -> Path:
        """The model after the newest epoch, with its optimizers."""
        return self.checkpoints / "last.h5"

    @property
    def best(self) -> Path:
        """The model after the epoch with the best validation NDCG@10."""
        return self.checkpoints / "best.h5"

    @property
    def history_file(self) -> Path:
        """A JSON object for each epoch."""
        return self.path / "history.jsonl"

    @property
    def metrics_file(self) -> Path:
        """The metrics of the finished run."""
        return self.path / manifest.METRICS

    @property
    def tensorboard(self) -> Path:
        """Event files for TensorBoard."""
        return self.path / "tensorboard"

    @property
    def checkpoints(self) -> Path:
        """The folder of the models' weights."""
        return self.path / "checkpoints"

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
        titles: np.ndarray | None = None,
    ) -> None:
        """Begin a run: write what is known before noise is looked for.

        Parameters
        ----------
        settings, dataset
            Of the run.
        user_ids
            Raw ids of the users that the model knows, `[user_count]`; None (default) if it knows
            none.
        titles
            Of the items, `[item_count]`; see `read_titles`. None (default) if they have none.

        Raises
        ------
        RunError
            If a run was begun here.
        """
        self.require_free()
        self.checkpoints.mkdir(parents=True, exist_ok=True)
        manifest.clear(self.path, manifest.is_listed)
        self._write("data.json", dataclasses.asdict(dataset.fingerprint()))
        self._write("vocabulary.json", dataset.item_ids.tolist())
        self._write("environment.json", _environment())
        if user_ids is not None:
            self._write("users.json", user_ids.tolist())
        if titles is not None:
            self._write("titles.json", titles.tolist())
        manifest.begin(self.path)
        # Last, since with it the run exists.
        self._write_settings(settings)

    def begin_training(
        self, detection: Detection | None = None, user_count: int = 0, noise_rate: float = 0.0
    ) -> None:
        """Write what is known before training, and not before noise was looked for.

        Parameters
        ----------
        detection
            What was found of noise; None (default) if it was not looked for.
        user_count, noise_rate
            As `build_recommender` was given them; 0 by default.
        """
        fingerprint = self.fingerprint()
        of_run = f"{fingerprint}\n{as_toml(self.settings())}"
        run = hashlib.sha256(of_run.encode()).hexdigest()
        if detection is not None:
            self._write_detection(detection, run)
        record = ModelRecord(run, fingerprint.items, user_count, noise_rate)
        self._write(manifest.MODEL, dataclasses.asdict(record))
        manifest.begin(self.path)

    def has_begun_training(self) -> bool:
        """Whether all is there that is written before training."""
        return self.last.exists() or manifest.lists(self.path, manifest.MODEL)

    def drop_search(self) -> None:
        """Delete what was found of noise before training began."""
        manifest.clear(self.path, manifest.is_of_search)

    def locked(self) -> AbstractContextManager[None]:
        """Has the directory to itself; FolderError if another process has it."""
        return locked(self.path, self.checkpoints)

    def clear(self) -> None:
        """Delete the run, if there is one."""
        manifest.clear(self.path, manifest.is_listed)
        (self.path / manifest.MANIFEST).unlink(missing_ok=True)

    def reopen(self, settings: Settings) -> None:
        """Go on with a run, by these settings: it is not finished any more."""
        self.begin_again()
        self._write_settings(settings)

    def begin_again(self) -> None:
        """Make an unfinished run of it, without metrics."""
        manifest.unseal(self.path)
        self.metrics_file.unlink(missing_ok=True)

    def is_finished(self) -> bool:
        """Whether the run has come to its end, and has not gone on since."""
        return manifest.is_sealed(self.path)

    def verify(self) -> None:
        """Raise RunError unless each file is as it was when the run wrote it."""
        manifest.verify(self.path)

    def _write_settings(self, settings: Settings) -> None:
        write_text(self.path / "settings.toml", as_toml(settings))

    def settings(self) -> Settings:
        """The recorded settings."""
        path = self.path / "settings.toml"
        self._require(path)
        return parsed(path, lambda: _settings(path))

    def check_fingerprint(self, dataset: Dataset) -> None:
        """Raise RunError unless `dataset` is the one the run was trained on."""
        if dataset.fingerprint() != self.fingerprint():
            raise RunError(
                f"{self.settings().source} is not what {self.path} was trained on: its content "
                f"has changed. Received: {dataset.fingerprint()}"
            )

    def fingerprint(self) -> Fingerprint:
        """The fingerprint of the data the run was trained on."""
        return self._read("data.json", records.fingerprint_of)

    def model_record(self) -> ModelRecord:
        """What building the recommender needs beside the settings."""
        fingerprint = self.fingerprint()
        return self._read("model.json", lambda recorded: ModelRecord.of(recorded, fingerprint))

    def item_ids(self) -> np.ndarray:
        """Raw item ids, `[item_count]`: integers or strings as in the log."""
        return self._read("vocabulary.json", records.ids_of)

    def user_ids(self) -> np.ndarray | None:
        """Raw user ids, `[user_count]`; None if the model knows no users."""
        if not (self.path / "users.json").exists():
            return None
        return self._read("users.json", records.ids_of)

    def titles(self) -> np.ndarray | None:
        """Titles of the items, `[item_count]`, empty where there is none; None if none has one."""
        if not (self.path / "titles.json").exists():
            return None
        count = len(self.item_ids())
        return self._read("titles.json", lambda found: records.titles_of(found, count))

    def history(self) -> list[dict[str, Any]]:
        """What each epoch gave, oldest first."""
        if not self.history_file.exists():
            return []
        return parsed(
            self.history_file,
            lambda: [
                records.epoch_of(json.loads(line))
                for line in read_text(self.history_file).splitlines()
            ],
        )

    def write_history(self, rows: Sequence[dict[str, Any]]) -> None:
        """Replace the training log."""
        write_text(self.history_file, "".join(json.dumps(row) + "\n" for row in rows))

    def metrics(self) -> dict[str, Any]:
        """The metrics of the finished run."""
        found = self._read(manifest.METRICS, records.metrics_of)
        manifest.check(self.path, manifest.METRICS)
        return found

    def write_metrics(self, metrics: dict[str, Any]) -> None:
        """Record the metrics of the run, which is finished with them."""
        self._write(manifest.METRICS, metrics)
        manifest.seal(self.path)

    def has_detection(self) -> bool:
        """Whether noise was looked for in this run."""
        return (self.path / "noise.json").exists()

    def _write_detection(self, detection: Detection, run: str) -> None:
        scorer = detection.scorer
        files = self.detectors(len(scorer.detectors))
        for file, detector in zip(files, scorer.detectors, strict=True):
            write_checkpoint(file, model_variables(detector), run)
        log_ratios = np.asarray(detection.log_ratios, "<f4")
        np.save(self.noise_file, log_ratios, allow_pickle=False)
        # Last, since with it the record is whole.
        record = NoiseRecord(scorer.rate, detection.roc_auc, len(scorer.detectors), len(log_ratios))
        self._write("noise.json", dataclasses.asdict(record))

    def noise_record(self, folds: int) -> NoiseRecord:
        """What was found of noise, beside log ratios and a detector for each of the folds."""
        fingerprint = self.fingerprint()
        return self._read("noise.json", lambda found: NoiseRecord.of(found, folds, fingerprint))

    @property
    def noise_file(self) -> Path:
        """The log ratios of the training sequences' items."""
        return self.path / "noise.npy"

    def detectors(self, count: int) -> list[Path]:
        """The checkpoints of so many detectors."""
        return [self.checkpoints / f"detector_{number + 1}.h5" for number in range(count)]

    def environment(self) -> dict[str, str]:
        """Versions by package when the run began, and `keras_in_use`."""
        return self._read("environment.json", records.versions_of)

    def check_keras(self) -> None:
        """Raise RunError if the run's models were saved by the other Keras."""
        recorded = self.environment()["keras_in_use"]
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


def _settings(path: Path) -> Settings:
    read_text(path, _LARGEST_SETTINGS)
    settings = Settings().replace(read_settings(path))
    records.check_sizes(settings)
    return settings


def _environment() -> dict[str, str]:
    versions = {name: importlib.metadata.version(name) for name in _PACKAGES}
    return {"python": platform.python_version(), "keras_in_use": keras_name(), **versions}
