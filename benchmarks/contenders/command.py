"""A command of an environment's Python, from its start to its end."""

from __future__ import annotations

import subprocess
import sys
import time
from collections.abc import Mapping, Sequence
from typing import Any


class Command:
    def __init__(self, arguments: Sequence[str]) -> None:
        self._command = [sys.executable, *arguments]

    def seconds(self) -> float:
        """Seconds until it ends; RuntimeError if it fails."""
        started = time.perf_counter()
        done = subprocess.run(self._command, capture_output=True, text=True)
        seconds = time.perf_counter() - started
        if done.returncode:
            lines = done.stderr.strip().splitlines() or [""]
            raise RuntimeError(f"status {done.returncode}: {lines[-1]}")
        return seconds


def make(options: Mapping[str, Any], log: str, sizes: Mapping[str, Any]) -> Command:
    return Command(options["arguments"])
