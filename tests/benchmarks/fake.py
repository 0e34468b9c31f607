"""A contender that answers with what it is told, and fails when it is told to."""

from __future__ import annotations

import os
from collections.abc import Mapping
from typing import Any


class Fake:
    def __init__(self, times: list[float]) -> None:
        self._times = iter(times)

    def step(self, steps: int) -> float:
        print("what a library prints is no answer")
        return next(self._times) * steps

    def cores(self) -> int:
        return len(os.sched_getaffinity(0))

    def fail(self) -> None:
        raise ValueError("first line\nlast line")

    def die(self) -> None:
        os.write(2, b"killed by itself\n")
        os._exit(3)


def make(options: Mapping[str, Any], log: str, sizes: Mapping[str, Any]) -> Fake:
    if options.get("broken"):
        raise RuntimeError("no model of this")
    return Fake(options["times"])
