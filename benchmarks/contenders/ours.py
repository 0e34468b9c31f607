"""This library, used as its command line uses it."""

from __future__ import annotations

import itertools
import shutil
import tempfile
import time
from collections.abc import Mapping
from functools import cached_property
from pathlib import Path
from typing import Any

import tensorflow as tf

from tf_recdenoiser._keras import keras
from tf_recdenoiser.data import Dataset, TrainingBatches
from tf_recdenoiser.runs import RunDirectory, Settings, build_recommender, load_dataset, load_split
from tf_recdenoiser.runs import train as train_run
from tf_recdenoiser.runs.build import build_batches

# Batches in memory, for a bare step; each has as many rows as the sizes say.
KEPT_BATCHES = 8


def settings_of(log: str, sizes: Mapping[str, Any], changes: Mapping[str, Any]) -> Settings:
    """The settings of a run with these sizes, without a search for noise."""
    return Settings.of(
        log,
        {
            "model.max_length": sizes["length"],
            "model.hidden_dim": sizes["width"],
            "model.num_layers": sizes["layers"],
            "model.num_heads": sizes["heads"],
            "model.dropout": sizes["dropout"],
            "fit.batch_size": sizes["batch"],
            "fit.learning_rate": sizes["learning_rate"],
            "noise.detector": "none",
            **changes,
        },
    )


class Ours:
    """A recommender of some settings; what is not asked for is not made."""

    def __init__(self, settings: Settings) -> None:
        self.settings = settings
        self.folder = Path(tempfile.mkdtemp(prefix="benchmark-"))
        keras.utils.set_random_seed(0)

    def __del__(self) -> None:
        shutil.rmtree(self.folder, ignore_errors=True)

    @cached_property
    def dataset(self) -> Dataset:
        return load_dataset(self.settings)

    @cached_property
    def recommender(self) -> Any:
        return build_recommender(self.settings, self.dataset.item_count)

    @cached_property
    def batches(self) -> TrainingBatches:
        train = load_split(self.settings, self.dataset).split.train
        return build_batches(
            self.settings, train, self.dataset.item_count, self.recommender.backbone
        )

    @cached_property
    def step_of_fit(self) -> Any:
        """What `fit` runs for a batch, bound to batches that are in memory."""
        whole = self.settings.fit.batch_size
        full = [
            batch
            for batch in itertools.islice(self.batches.epoch(0), KEPT_BATCHES)
            if len(batch[0]["item_ids"]) == whole
        ]
        if not full:
            raise ValueError(f"The log must fill a batch of {whole} rows.")
        stacked = tf.nest.map_structure(lambda *parts: tf.stack(parts), *full)
        examples = tf.data.Dataset.from_tensor_slices(stacked)
        examples = examples.map(self.recommender.objective.example).cache().repeat().prefetch(2)
        iterator = iter(examples)
        step = self.recommender.make_train_function() or self.recommender.train_function
        return lambda: step(iterator)

    def step(self, steps: int) -> float:
        """Seconds of an optimizer step."""
        step = self.step_of_fit
        started = time.perf_counter()
        for _ in range(steps):
            logs = step()
        float(tf.nest.flatten(logs)[0])  # what was started has ended
        return (time.perf_counter() - started) / steps

    def epoch(self) -> float:
        """Seconds of a step within `train`: the second epoch, its batches made on the way."""
        directory = RunDirectory(self.folder / "run")
        shutil.rmtree(directory.path, ignore_errors=True)
        epochs = {"fit.epochs": 2, "evaluation.validate_every": 2}
        train_run(self.settings.replace(epochs), self.dataset, directory)
        return directory.history()[-1]["seconds"] / self.batches.steps_per_epoch


def make(options: Mapping[str, Any], log: str, sizes: Mapping[str, Any]) -> Ours:
    return Ours(settings_of(log, sizes, options["changes"]))
