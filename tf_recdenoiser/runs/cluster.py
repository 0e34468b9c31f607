"""The devices and processes that train one recommender together."""

from __future__ import annotations

import contextlib
import dataclasses
import functools
import json
import os
from collections.abc import Iterator
from contextlib import AbstractContextManager
from typing import Any

import tensorflow as tf

from tf_recdenoiser._keras import IS_KERAS_3, sum_over_replicas
from tf_recdenoiser.data import Batches, PartOfBatches
from tf_recdenoiser.runs.errors import RunError
from tf_recdenoiser.runs.rendezvous import named, silent, wait_for_all

STRATEGIES = ("mirrored", "multiworker")
"""By name: all devices of one machine, or those of several, each with the same command."""


@dataclasses.dataclass(frozen=True)
class Cluster:
    """Who takes each step together: by default one device alone.

    Attributes
    ----------
    strategy
        Of `tf.distribute`; None (default) for none.
    addresses
        Of the processes, which are called workers; none by default, of one process.
    index
        Which worker this process is; 0 by default. That is the chief: it alone looks for noise,
        validates and writes.
    """

    strategy: Any = None
    addresses: tuple[str, ...] = ()
    index: int = 0

    @property
    def is_chief(self) -> bool:
        """Whether this process is the one that writes."""
        return self.index == 0

    @property
    def workers(self) -> int:
        """How many processes there are."""
        return max(len(self.addresses), 1)

    @property
    def replicas(self) -> int:
        """How many devices there are in all."""
        return 1 if self.strategy is None else int(self.strategy.num_replicas_in_sync)

    def scope(self) -> AbstractContextManager[Any]:
        """In which variables are made that all devices share."""
        return contextlib.nullcontext() if self.strategy is None else self.strategy.scope()

    def dataset(self, batches: Batches, start_epoch: int, epochs: int, convert: Any) -> Any:
        """The examples of several epochs, for `fit`: of each batch what is for this process."""
        if self.strategy is None:
            return batches.dataset(start_epoch, epochs).map(convert)
        pieces = self.replicas // self.workers

        def own(_: Any) -> tf.data.Dataset:
            return batches.dataset(start_epoch, epochs, pieces).map(convert)

        return self.strategy.distribute_datasets_from_function(own)

    def part(self, batches: Batches) -> Batches:
        """Of each batch the rows for this process."""
        if self.workers == 1:
            return batches
        return PartOfBatches(batches, self.index, self.workers)

    def of_chief(self, value: bool) -> bool:
        """What the chief has for a value; all processes wait for one another here."""
        if self.workers == 1:
            return value
        found = self._total(tf.constant(float(value and self.is_chief)))
        return bool(self.strategy.experimental_local_results(found)[0] > 0)

    @functools.cached_property
    def _total(self) -> Any:
        """The sum over all devices of what each has, as a graph."""
        return tf.function(
            lambda own: self.strategy.run(lambda: sum_over_replicas(tf.identity(own)))
        )

    def wait(self) -> None:
        """Go on when all processes have come here."""
        self.of_chief(True)

    @contextlib.contextmanager
    def naming_failures(self) -> Iterator[None]:
        """RunError that names the workers which are gone, where TensorFlow's names none."""
        try:
            yield
        except tf.errors.OpError as error:
            gone = silent(self.addresses, self.index)
            if not gone:
                raise
            raise RunError(
                "All workers must stay until the end: start every one of them again with "
                f"`--resume`. Received: no answer from {named(self.addresses, gone)}"
            ) from error


ALONE = Cluster()
"""One device, in one process."""


def cluster_of(strategy: str | None, wait_seconds: float = 300.0) -> Cluster:
    """The cluster of a strategy's name, before TensorFlow has computed anything.

    Parameters
    ----------
    strategy
        One of `STRATEGIES`; None for one device.
    wait_seconds
        How long workers wait for one another; 300 by default.

    Raises
    ------
    RunError
        If TF_CONFIG does not say who the workers are, one of them is missing, or Keras 3 is used
        for several.
    """
    if strategy is None:
        return Cluster()
    if strategy == "mirrored":
        return Cluster(tf.distribute.MirroredStrategy())
    if IS_KERAS_3:
        raise RunError(
            "Several workers need tf_keras: set TF_USE_LEGACY_KERAS=1. Keras 3 trains on the "
            "devices of one machine alone, by `--strategy mirrored`. Received: Keras 3"
        )
    addresses, index = _workers()
    wait_for_all(addresses, index, wait_seconds)
    return Cluster(tf.distribute.MultiWorkerMirroredStrategy(), tuple(addresses), index)


def _workers() -> tuple[list[str], int]:
    """The workers' addresses and which of them this process is, by TF_CONFIG."""
    text = os.environ.get("TF_CONFIG", "")
    try:
        found = json.loads(text)
        jobs, task = found["cluster"], found["task"]
        addresses = [*jobs.get("chief", ()), *jobs["worker"]]
        index = int(task["index"]) + (len(jobs.get("chief", ())) if task["type"] == "worker" else 0)
        if set(jobs) - {"chief", "worker"} or not 0 <= index < len(addresses):
            raise ValueError("only `chief` and `worker`, and an index among them, are known")
        for address in addresses:
            int(address.rpartition(":")[2])
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        example = (
            '{"cluster": {"worker": ["host1:2222", "host2:2222"]}, '
            '"task": {"type": "worker", "index": 0}}'
        )
        raise RunError(
            "TF_CONFIG must name all workers and say which one this is, such as "
            f"{example}. Received: {text or 'nothing'}"
        ) from error
    return addresses, index
