"""This library after an epoch of training: what a run is used for."""

from __future__ import annotations

import time
from collections.abc import Mapping
from functools import cached_property
from pathlib import Path
from typing import Any

from benchmarks.contenders.ours import Ours, settings_of
from tf_recdenoiser.runs import Run, RunDirectory, Settings, load_run, load_split
from tf_recdenoiser.runs import train as train_run
from tf_recdenoiser.runs.detect import detect
from tf_recdenoiser.runs.noise_known import NoiseKnown


class Trained(Ours):
    """A run of one epoch, made when it is first asked for."""

    def __init__(self, settings: Settings, protocol: str | None) -> None:
        super().__init__(settings)
        self._protocol = protocol

    @cached_property
    def run(self) -> Run:
        directory = RunDirectory(self.folder / "run")
        train_run(self.settings.replace({"fit.epochs": 1}), self.dataset, directory)
        return load_run(directory.path)

    @cached_property
    def scorer(self) -> Any:
        return self.run.scorer("test", self.dataset)

    def recommend(self) -> float:
        """Seconds of ten new items for each user, as `recommend --all-users` finds them."""
        run, dataset = self.run, self.dataset
        started = time.perf_counter()
        run.recommend_all(dataset)
        return time.perf_counter() - started

    def evaluate(self) -> float:
        """Seconds of all test metrics by a protocol."""
        scorer, recommender = self.scorer, self.run.recommender
        started = time.perf_counter()
        scorer.result(recommender, self._protocol).summary(ks=(1, 5, 10, 20))
        return time.perf_counter() - started

    def export(self, to: str) -> str:
        """The folder of the exported model."""
        return str(self.run.export(Path(to) / "model"))


class Detecting(Ours):
    """What looks for noise, as the settings say."""

    @cached_property
    def known(self) -> NoiseKnown:
        return NoiseKnown(
            self.settings, self.dataset, load_split(self.settings, self.dataset), None
        )

    @cached_property
    def found(self) -> NoiseKnown:
        return detect(self.known, lambda text: None)

    def detect(self) -> float:
        """Seconds of the search in the whole log."""
        known = self.known
        started = time.perf_counter()
        self.found = detect(known, lambda text: None)
        return time.perf_counter() - started

    def judge(self) -> float:
        """Seconds of P(noise) of the newest n items of all users."""
        assert self.found.detection is not None
        item_ids = self.dataset.histories.last(self.settings.model.max_length)
        started = time.perf_counter()
        self.found.detection.scorer(item_ids)
        return time.perf_counter() - started


def make(options: Mapping[str, Any], log: str, sizes: Mapping[str, Any]) -> Ours:
    settings = settings_of(log, sizes, options["changes"])
    if settings.looks_for_noise:
        return Detecting(settings)
    return Trained(settings, options.get("protocol"))
