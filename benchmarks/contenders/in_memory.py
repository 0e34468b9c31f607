"""Steps of a Keras model on batches that are in memory, in either Keras."""

from __future__ import annotations

import itertools
import time
from collections.abc import Callable, Iterable
from typing import Any

import tensorflow as tf

from benchmarks.sizes import KEPT_BATCHES


def step_of_fit(
    model: Any,
    batches: Iterable[Any],
    rows: int,
    example: Callable[..., Any] = lambda *parts: parts,
) -> Callable[[], Any]:
    """What `fit` runs for a batch, bound to some batches of so many rows.

    Parameters
    ----------
    model
        It is compiled.
    batches
        Tuples of tensors, or of dicts of them; those with fewer rows are left out.
    rows
        Of a batch.
    example
        What `fit` is given of a batch; the batch itself by default.

    Raises
    ------
    ValueError
        If no batch is full.
    """
    found = itertools.islice(batches, KEPT_BATCHES)
    full = [batch for batch in found if len(tf.nest.flatten(batch)[0]) == rows]
    if not full:
        raise ValueError(f"The log must fill a batch of {rows} rows.")
    stacked = tf.nest.map_structure(lambda *parts: tf.stack(parts), *full)
    examples = tf.data.Dataset.from_tensor_slices(stacked).map(example)
    iterator = iter(examples.cache().repeat().prefetch(2))
    step = model.make_train_function() or model.train_function
    return lambda: step(iterator)


def seconds_a_step(step: Callable[[], Any], steps: int) -> float:
    """Of so many, the last of which has ended."""
    started = time.perf_counter()
    for _ in range(steps):
        logs = step()
    float(tf.nest.flatten(logs)[0])
    return (time.perf_counter() - started) / steps
