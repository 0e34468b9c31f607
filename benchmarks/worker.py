"""The process of one contender: it builds its model, waits, and measures when it is told to.

    python -m benchmarks.worker '{"module": …, "options": …, "log": …, "sizes": …, "cores": …}'

It reads a line of JSON, `{"do": METHOD, …arguments}`, and answers by one: `{"value": …}`, or
`{"error": TEXT}`. The first answer comes unasked, when the model is built. The standard library
alone, so that it runs in any environment.
"""

from __future__ import annotations

import contextlib
import importlib
import json
import os
import resource
import sys
from typing import IO, Any


def main() -> None:
    """Serve until the input ends."""
    job = json.loads(sys.argv[1])
    answers = own_stdout()
    keep_to_cores(job["cores"])
    limit_memory()
    contender: Any = None

    def build() -> None:
        nonlocal contender
        module = importlib.import_module(job["module"])
        contender = module.make(job["options"], job["log"], job["sizes"])

    answer(answers, build)
    for line in sys.stdin:
        request = json.loads(line)
        what = request.pop("do")
        method = peak_bytes if what == "peak_bytes" else getattr(contender, what, None)
        if method is None:
            write(answers, {"error": f"{job['module']} does not measure {what!r}"})
        else:
            answer(answers, method, **request)


def own_stdout() -> IO[str]:
    """A private copy of the standard output; what libraries print goes to standard error."""
    answers = os.fdopen(os.dup(1), "w", encoding="utf-8")
    os.dup2(2, 1)
    return answers


def keep_to_cores(count: int) -> None:
    """Run on the first of the cores that this process may use, where the system can do that."""
    if hasattr(os, "sched_setaffinity"):
        os.sched_setaffinity(0, sorted(os.sched_getaffinity(0))[:count])


def limit_memory() -> None:
    """Let what needs more memory than is free fail by itself, and nothing else with it."""
    with contextlib.suppress(OSError, ValueError), open("/proc/meminfo", encoding="utf-8") as file:
        available = next(int(line.split()[1]) for line in file if line.startswith("MemAvailable"))
        resource.setrlimit(resource.RLIMIT_DATA, (available * 1024, resource.RLIM_INFINITY))


def peak_bytes() -> int:
    """The most memory that this process had at any time."""
    # `ru_maxrss` of a new process begins with that of its parent.
    with contextlib.suppress(OSError), open("/proc/self/status", encoding="utf-8") as file:
        for line in file:
            if line.startswith("VmHWM:"):
                return int(line.split()[1]) * 1024
    unit = 1 if sys.platform == "darwin" else 1024
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * unit


def answer(answers: IO[str], method: Any, **arguments: Any) -> None:
    try:
        write(answers, {"value": method(**arguments)})
    except Exception as error:
        lines = str(error).strip().splitlines() or [""]
        write(answers, {"error": f"{type(error).__name__}: {lines[-1]}"})


def write(answers: IO[str], what: dict[str, Any]) -> None:
    answers.write(json.dumps(what) + "\n")
    answers.flush()


if __name__ == "__main__":
    main()
