"""An exported model, loaded as TensorFlow Serving does or as Python does, and asked for items."""

from __future__ import annotations

import importlib
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack
from typing import Any

import numpy as np

from benchmarks.logs import read_log

# Only gRPC servers know what stands for an input that is left out.
DEFAULTS = {
    "lengths": np.array([-1], np.int32),
    "k": np.array([10], np.int32),
    "exclude_seen": np.array([True]),
}

Answer = Callable[[np.ndarray], Any]


class Served:
    """A model, and the users' newest raw ids, `[U, n]`."""

    def __init__(self, answer: Answer, histories: np.ndarray) -> None:
        self._answer = answer
        self._histories = histories

    def latencies(self, batch: int, requests: int) -> dict[str, float]:
        """Seconds of a request for ten new items, as percentiles by their names."""
        asked = self._requests(batch)
        self._answer(next(asked))
        seconds = []
        for _ in range(requests):
            histories = next(asked)
            started = time.perf_counter()
            self._answer(histories)
            seconds.append(time.perf_counter() - started)
        return {f"p{p}": float(np.percentile(seconds, p)) for p in (50, 99)}

    def _requests(self, batch: int) -> Iterator[np.ndarray]:
        rng = np.random.default_rng(0)
        while True:
            yield self._histories[rng.integers(len(self._histories), size=batch)]


def by_python(path: str) -> Answer:
    """`tf.saved_model.load`."""
    tf = importlib.import_module("tensorflow")
    model = tf.saved_model.load(path)
    signature = model.signatures["serving_default"]

    def answer(histories: np.ndarray) -> Any:
        # The model keeps the variables that the signature reads.
        assert model is not None
        inputs = {"histories": histories, **DEFAULTS}
        found = signature(**{name: tf.constant(one) for name, one in inputs.items()})
        return {name: one.numpy() for name, one in found.items()}

    return answer


def by_c_library(path: str) -> Answer:
    """TensorFlow's C library, without TensorFlow for Python."""
    loader = importlib.import_module("tests.serving.c_loader")
    stack = ExitStack()
    model = stack.enter_context(loader.load(path))

    def answer(histories: np.ndarray) -> Any:
        return model.run("serving_default", {"histories": histories, **DEFAULTS})

    answer.stack = stack  # type: ignore[attr-defined]  # it closes the model
    return answer


LOADERS = {"python": by_python, "c": by_c_library}


def histories_of(log: str, length: int) -> np.ndarray:
    """The newest raw ids of each user, `[U, n]`, -1 where there are fewer."""
    users, items = read_log(log)
    order = np.argsort(users, kind="stable")
    counts = np.unique(users, return_counts=True)[1]
    histories = np.full([len(counts), length], -1, np.int64)
    for row, part in enumerate(np.split(items[order], np.cumsum(counts)[:-1])):
        newest = part[-length:]
        histories[row, length - len(newest) :] = newest
    return histories


def make(options: Mapping[str, Any], log: str, sizes: Mapping[str, Any]) -> Served:
    answer = LOADERS[options["loader"]](options["path"])
    return Served(answer, histories_of(log, sizes["length"]))
