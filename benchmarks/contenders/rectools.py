"""RecTools' SASRecModel: its data preparator's batches, its Lightning module's training step."""

from __future__ import annotations

import itertools
import logging
import time
import warnings
from collections.abc import Mapping
from functools import cached_property
from typing import Any

import numpy as np
import pandas as pd
import torch
from pytorch_lightning import Callback, Trainer
from rectools import Columns
from rectools.dataset import Dataset
from rectools.metrics import NDCG, HitRate, calc_metrics
from rectools.models import SASRecModel

from benchmarks.logs import read_log
from benchmarks.sizes import KEPT_BATCHES

warnings.filterwarnings("ignore")
logging.getLogger("pytorch_lightning").setLevel(logging.ERROR)


class Clock(Callback):
    """The seconds of each epoch."""

    def __init__(self) -> None:
        self.epochs: list[float] = []
        self._started = 0.0

    def on_train_epoch_start(self, *_: Any) -> None:
        self._started = time.perf_counter()

    def on_train_epoch_end(self, *_: Any) -> None:
        self.epochs.append(time.perf_counter() - self._started)


class RecTools:
    """SASRecModel with the sizes of all contenders, and some arguments of its own."""

    def __init__(self, options: Mapping[str, Any], log: str, sizes: Mapping[str, Any]) -> None:
        torch.manual_seed(0)
        self._arguments = {
            "session_max_len": sizes["length"],
            "n_factors": sizes["width"],
            "n_blocks": sizes["layers"],
            "n_heads": sizes["heads"],
            "dropout_rate": sizes["dropout"],
            "batch_size": sizes["batch"],
            "lr": sizes["learning_rate"],
            **options,
        }
        users, items = read_log(log)
        times = pd.to_datetime(np.arange(len(users)), unit="s")
        columns = {Columns.User: users, Columns.Item: items, Columns.Datetime: times}
        rows = pd.DataFrame({**columns, Columns.Weight: 1.0})
        # A pair must be there once; the last time counts.
        rows = rows.drop_duplicates([Columns.User, Columns.Item], keep="last")
        self._rows = rows
        self.dataset = Dataset.construct(rows)

    @cached_property
    def training(self) -> tuple[Any, Any, Any]:
        """The Lightning module, its optimizer, and batches in memory without end."""
        model = SASRecModel(**self._arguments)
        # As `fit` begins; it does not part building from training.
        model._build_model_from_dataset(self.dataset)
        module = model.lightning_model
        module._xavier_normal_init()
        module.log = lambda *_, **__: None  # it is a Trainer's to log
        module.train()
        whole = self._arguments["batch_size"]
        found = itertools.islice(model.data_preparator.get_dataloader_train(), KEPT_BATCHES)
        full = [batch for batch in found if len(batch["x"]) == whole]
        if not full:
            raise ValueError(f"The log must fill a batch of {whole} rows.")
        return module, module.configure_optimizers(), itertools.cycle(full)

    def step(self, steps: int) -> float:
        """Seconds of an optimizer step."""
        module, optimizer, batches = self.training
        started = time.perf_counter()
        for number, batch in enumerate(itertools.islice(batches, steps)):
            optimizer.zero_grad()
            module.training_step(batch, number).backward()
            optimizer.step()
        return (time.perf_counter() - started) / steps

    def epoch(self) -> float:
        """Seconds of a step within `fit`: the second epoch, its batches made on the way."""
        clock = Clock()

        def trainer() -> Trainer:  # as RecTools makes it, with the clock
            return Trainer(
                max_epochs=2,
                min_epochs=2,
                enable_progress_bar=False,
                enable_model_summary=False,
                logger=False,
                enable_checkpointing=False,
                devices=1,
                callbacks=[clock],
            )

        model = SASRecModel(**self._arguments, get_trainer_func=trainer)
        model.fit(self.dataset)
        steps = len(model.data_preparator.get_dataloader_train())
        found = next(one for one in model.fit_trainer.callbacks if isinstance(one, Clock))
        return found.epochs[-1] / steps

    @cached_property
    def _fitted(self) -> Any:
        return self._fit(self.dataset)

    def recommend(self) -> float:
        """Seconds of ten new items for each user."""
        model, users = self._fitted, self._rows[Columns.User].unique()
        started = time.perf_counter()
        model.recommend(users, self.dataset, k=10, filter_viewed=True)
        return time.perf_counter() - started

    @cached_property
    def _split(self) -> tuple[Any, Any, Any]:
        """A model of all but each user's last item, its data, and these items."""
        is_last = ~self._rows.duplicated(Columns.User, keep="last")
        data = Dataset.construct(self._rows[~is_last])
        known = self._rows[Columns.Item].isin(self._rows[Columns.Item][~is_last])
        return self._fit(data), data, self._rows[is_last & known]

    def evaluate(self) -> float:
        """Seconds of two metrics of each user's last item, as its examples compute them."""
        model, data, last = self._split
        users = last[Columns.User].unique()
        started = time.perf_counter()
        found = model.recommend(users, data, k=10, filter_viewed=True)
        calc_metrics({"hit": HitRate(k=10), "ndcg": NDCG(k=10)}, found, last)
        return time.perf_counter() - started

    def _fit(self, data: Dataset) -> Any:
        quiet = {"logger": False, "enable_progress_bar": False, "enable_model_summary": False}

        def trainer() -> Trainer:
            return Trainer(max_epochs=1, devices=1, enable_checkpointing=False, **quiet)

        return SASRecModel(**self._arguments, get_trainer_func=trainer).fit(data)


def make(options: Mapping[str, Any], log: str, sizes: Mapping[str, Any]) -> RecTools:
    return RecTools(options, log, sizes)
