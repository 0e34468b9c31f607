"""Where a step of this library goes: its operations, and its matrix products by themselves."""

from __future__ import annotations

import collections
import dataclasses
import math
import re
import statistics
import tempfile
import time
from collections.abc import Iterator, Mapping
from functools import cached_property
from pathlib import Path
from typing import Any, NamedTuple

import tensorflow as tf
from tensorflow.tsl.profiler.protobuf import xplane_pb2

from benchmarks.contenders.ours import Ours, settings_of

# A kernel in a trace is named NAME:TYPE, and nothing else is.
KERNEL = re.compile(r"^[^:]+:(\w+)$")
KERNELS_LINE = "tf_Compute"


class Product(NamedTuple):
    """A matrix product of a step: its operation, and what that is given."""

    type: str
    left: tuple[int, ...]
    right: tuple[int, ...]
    flags: tuple[tuple[str, bool], ...]

    @property
    def multiplications(self) -> int:
        """Of two numbers; there are as many additions."""
        flags = dict(self.flags)
        transposed = flags.get("transpose_a", False) or flags.get("adj_x", False)
        return self.left[-1 if transposed else -2] * math.prod(self.right)


@dataclasses.dataclass
class _Kernel:
    """One that runs, and what of its time is its own so far, in picoseconds."""

    name: str
    type: str
    end: int
    own: int

    @property
    def found(self) -> tuple[str, str, float]:
        return self.name, self.type, self.own * 1e-12


class Profiled(Ours):
    """A recommender whose step is taken apart."""

    @cached_property
    def products(self) -> collections.Counter[Product]:
        """The matrix products of a step, each with how often it is taken."""
        self.step(1)
        (step,) = self.recommender.train_function._list_all_concrete_functions()
        return collections.Counter(map(_product, _needed(step.graph)))

    @cached_property
    def _all_products(self) -> Any:
        """A graph of a step's matrix products alone, each of numbers of its own."""
        products = [*self.products.elements()]
        pairs = [(tf.random.normal(one.left), tf.random.normal(one.right)) for one in products]

        @tf.function
        def multiply(pairs: Any) -> Any:
            return [_multiply(one, *pair) for one, pair in zip(products, pairs, strict=True)]

        return lambda: multiply(pairs)

    def products_alone(self, repeats: int) -> float:
        """Seconds of a step's matrix products, without all else."""
        multiply = self._all_products
        multiply()
        started = time.perf_counter()
        for _ in range(repeats):
            multiply()
        return (time.perf_counter() - started) / repeats

    def billions(self) -> float:
        """Multiplications and additions of a step's matrix products, in 10^9."""
        return sum(2e-9 * n * product.multiplications for product, n in self.products.items())

    def operations(self, steps: int) -> dict[str, tuple[float, float]]:
        """How many kernels of each type a step runs, and their seconds.

        The seconds of a kernel are the median over steps, so that what else the machine does
        in one of them does not count.
        """
        self.step(2)
        options = tf.profiler.experimental.ProfilerOptions(host_tracer_level=3)
        with tempfile.TemporaryDirectory() as folder:
            tf.profiler.experimental.start(folder, options)
            self.step(steps)
            tf.profiler.experimental.stop()
            (path,) = Path(folder).rglob("*.xplane.pb")
            space = xplane_pb2.XSpace.FromString(path.read_bytes())
        return _by_type(_kernels(space), steps)


def _needed(graph: Any) -> Iterator[Any]:
    """The matrix products that a graph's results, or its effects, come from."""
    seen = set()
    waiting = [*(tensor.op for tensor in graph.outputs), *graph.control_outputs]
    while waiting:
        op = waiting.pop()
        if op in seen:
            continue
        seen.add(op)
        waiting += [*(tensor.op for tensor in op.inputs), *op.control_inputs]
        if op.type in ("MatMul", "BatchMatMulV2"):
            yield op


def _product(op: Any) -> Product:
    names = ("transpose_a", "transpose_b") if op.type == "MatMul" else ("adj_x", "adj_y")
    flags = tuple((name, bool(op.get_attr(name))) for name in names)
    left, right = (tuple(tensor.shape.as_list()) for tensor in op.inputs)
    return Product(op.type, left, right, flags)


def _multiply(product: Product, left: tf.Tensor, right: tf.Tensor) -> tf.Tensor:
    flags = dict(product.flags)
    if product.type == "MatMul":
        return tf.raw_ops.MatMul(a=left, b=right, **flags)
    return tf.raw_ops.BatchMatMulV2(x=left, y=right, **flags)


def _kernels(space: Any) -> Iterator[tuple[str, str, float]]:
    """The name, the type and the seconds of each kernel, without those that ran within it."""
    for plane in space.planes:
        names = {number: found.name for number, found in plane.event_metadata.items()}
        for line in plane.lines:
            if line.name.startswith(KERNELS_LINE):
                yield from _own_seconds(line.events, names)


def _own_seconds(events: Any, names: Mapping[int, str]) -> Iterator[tuple[str, str, float]]:
    around: list[_Kernel] = []
    for event in sorted(events, key=lambda one: (one.offset_ps, -one.duration_ps)):
        name = names[event.metadata_id]
        matched = KERNEL.match(name)
        if matched is None:
            continue
        while around and around[-1].end <= event.offset_ps:
            yield around.pop().found
        if around:
            around[-1].own -= event.duration_ps
        end = event.offset_ps + event.duration_ps
        around.append(_Kernel(name, matched[1], end, event.duration_ps))
    yield from (kernel.found for kernel in around)


def _by_type(
    kernels: Iterator[tuple[str, str, float]], steps: int
) -> dict[str, tuple[float, float]]:
    seconds = collections.defaultdict(list)
    for name, kind, own in kernels:
        seconds[name, kind].append(own)
    found: dict[str, tuple[float, float]] = {}
    for (_, kind), times in seconds.items():
        runs, total = found.get(kind, (0.0, 0.0))
        a_step = len(times) / steps
        found[kind] = runs + a_step, total + a_step * statistics.median(times)
    return found


def make(options: Mapping[str, Any], log: str, sizes: Mapping[str, Any]) -> Profiled:
    return Profiled(settings_of(log, sizes, options["changes"]))
