"""RecBole's SASRec, with its own data loader and the steps of its trainer.

RecBole cuts a sequence into all its beginnings, each of them a row with one target: a batch has as
many targets as rows, where the others have one for each position.
"""

from __future__ import annotations

import itertools
import os
import sys
import tempfile
import time
from collections.abc import Iterable, Mapping
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
import torch
from recbole.config import Config
from recbole.data import create_dataset, data_preparation
from recbole.trainer import Trainer
from recbole.utils import get_model, init_seed

from benchmarks.logs import read_log
from benchmarks.sizes import KEPT_BATCHES

NAME = "log"

# An epoch has a hundred times as many rows as that of others; of its steps so many are measured.
STEPS_OF_EPOCH = 200


class RecBole:
    """SASRec by BPR with one item drawn, as its example configures it."""

    def __init__(self, options: Mapping[str, Any], log: str, sizes: Mapping[str, Any]) -> None:
        sys.argv = sys.argv[:1]  # Config reads it
        self._folder = tempfile.TemporaryDirectory()
        os.chdir(self._folder.name)  # its trainer writes to where it is
        users, items = read_log(log)
        with tempfile.TemporaryDirectory() as folder:
            path = Path(folder, NAME, f"{NAME}.inter")
            path.parent.mkdir()
            rows = np.column_stack([users, items, np.arange(len(users))])
            heading = "user_id:token\titem_id:token\ttimestamp:float"
            np.savetxt(path, rows, fmt="%d", delimiter="\t", header=heading, comments="")
            settings = {
                "data_path": folder,
                "load_col": {"inter": ["user_id", "item_id", "timestamp"]},
                "MAX_ITEM_LIST_LENGTH": sizes["length"],
                "hidden_size": sizes["width"],
                "inner_size": sizes["width"],
                "n_layers": sizes["layers"],
                "n_heads": sizes["heads"],
                "hidden_dropout_prob": sizes["dropout"],
                "attn_dropout_prob": sizes["dropout"],
                "learning_rate": sizes["learning_rate"],
                "train_batch_size": sizes["batch"],
                "loss_type": "BPR",
                "train_neg_sample_args": {"distribution": "uniform", "sample_num": 1},
                "eval_args": {"split": {"LS": "valid_and_test"}, "order": "TO", "mode": "full"},
                "use_gpu": False,
                "show_progress": False,
                "state": "ERROR",
                **options,
            }
            config = Config(model="SASRec", dataset=NAME, config_dict=settings)
            init_seed(0, True)
            dataset = create_dataset(config)
            self._batches, _, self._test = data_preparation(config, dataset)
            self._model = get_model("SASRec")(config, self._batches.dataset)
        self._trainer = Trainer(config, self._model)
        self._model.train()
        self._optimizer = torch.optim.Adam(self._model.parameters(), lr=sizes["learning_rate"])

    @cached_property
    def _kept(self) -> Any:
        return itertools.cycle(list(itertools.islice(self._batches, KEPT_BATCHES)))

    def step(self, steps: int) -> float:
        """Seconds of an optimizer step."""
        kept = self._kept
        return self._seconds(itertools.islice(kept, steps), steps)

    def epoch(self) -> float:
        """Seconds of a step, its batches made on the way, as the trainer's loop does it."""
        steps = min(STEPS_OF_EPOCH, len(self._batches))
        return self._seconds(itertools.islice(self._batches, steps), steps)

    def evaluate(self) -> float:
        """Seconds of its metrics of each user's last item, untrained."""
        started = time.perf_counter()
        self._trainer.evaluate(self._test, load_best_model=False)
        return time.perf_counter() - started

    def _seconds(self, batches: Iterable[Any], steps: int) -> float:
        started = time.perf_counter()
        for batch in batches:
            self._optimizer.zero_grad()
            self._model.calculate_loss(batch).backward()
            self._optimizer.step()
        return (time.perf_counter() - started) / steps


def make(options: Mapping[str, Any], log: str, sizes: Mapping[str, Any]) -> RecBole:
    return RecBole(options, log, sizes)
