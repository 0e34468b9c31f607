"""Recommenders as a KerasTuner `HyperModel`."""

from __future__ import annotations

import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import keras_tuner

from tf_recdenoiser.data import Dataset, user_codes
from tf_recdenoiser.runs import (
    Observer,
    RunDirectory,
    Settings,
    build_recommender,
    load_run,
    load_split,
    train,
)
from tf_recdenoiser.training import Recommender
from tf_recdenoiser.tuning.space import Choices, search_space


class RecommenderHyperModel(keras_tuner.HyperModel):
    """The search space for KerasTuner's own tuners: `RandomSearch`, `Hyperband` and others.

    Their objective is `keras_tuner.Objective("val_ndcg@10", "max")`, NDCG@10 against the whole
    catalogue. They need Keras 3: KerasTuner takes no model of tf_keras. `run_search` works with
    both, goes on after an interruption, and leaves run directories.

    Parameters
    ----------
    base
        Settings that hold for whatever is not searched.
    dataset
        The prepared data.
    choices
        What is searched; None (default): `choices_for(base)`.

    Examples
    --------
    >>> from tf_recdenoiser.runs import load_dataset
    >>> base = Settings.of("synthetic", {"log.users": 40, "log.items": 30, "log.clusters": 5})
    >>> hypermodel = RecommenderHyperModel(base, load_dataset(base), {"model.hidden_dim": (4, 8)})
    >>> hp = keras_tuner.HyperParameters()
    >>> hp.Fixed("model.hidden_dim", 4)
    4
    >>> hypermodel.build(hp).backbone.get_config()["hidden_dim"]
    4
    """

    def __init__(self, base: Settings, dataset: Dataset, choices: Choices | None = None) -> None:
        super().__init__()
        self._base = base
        self._dataset = dataset
        self._choices = choices
        self._user_count = int(user_codes(load_split(base, dataset).split.train).max())

    def settings(self, hp: Any) -> Settings:
        """The settings that `hp` chooses."""
        return search_space(hp, self._base, self._choices)

    def build(self, hp: Any) -> Recommender:
        """The untrained, compiled recommender."""
        return build_recommender(self.settings(hp), self._dataset.item_count, self._user_count)

    def fit(
        self,
        hp: Any,
        model: Recommender,
        callbacks: Sequence[Any] = (),
        verbose: Any = 0,
        epochs: int | None = None,
        initial_epoch: int = 0,
    ) -> dict[str, float]:
        """Train, as `runs.train` does; `model` gets the weights of the best epoch.

        Parameters
        ----------
        hp, model
            What `settings` and `build` take and give.
        callbacks
            Of Keras, for the training.
        verbose
            As `search` hands it on; training prints nothing.
        epochs
            In place of the settings' own, as `keras_tuner.Hyperband` and `search(epochs=…)` give
            them; None (default): those of the settings.
        initial_epoch
            Not used: the epochs before it are trained again, and come to the same.

        Returns
        -------
        Validation metrics of that epoch, such as `val_ndcg@10`.
        """
        with tempfile.TemporaryDirectory() as folder:
            directory = RunDirectory(Path(folder) / "run")
            observer = Observer()
            observer.callbacks = callbacks
            settings = self.settings(hp)
            if epochs is not None:
                settings = settings.replace({"fit.epochs": epochs})
            metrics = train(settings, self._dataset, directory, observer=observer)
            model.set_weights(load_run(directory.path).recommender.get_weights())
        return {f"val_{name}": value for name, value in metrics["valid"]["full"].items()}
