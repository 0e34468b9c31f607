"""Workers wait for one another before TensorFlow does, which would wait for a missing one forever.

The first worker listens at its own address. Each other one connects, sends its number and waits for
the answer, a JSON list: the numbers of those that are missing, which is empty when all are there.
"""

from __future__ import annotations

import contextlib
import json
import socket
import time
from collections.abc import Sequence

from tf_recdenoiser.runs.errors import RunError

_RETRY_SECONDS = 0.2
_PROBE_SECONDS = 2.0


def wait_for_all(addresses: Sequence[str], index: int, seconds: float) -> None:
    """Return as soon as every worker has called this.

    Parameters
    ----------
    addresses
        Of the workers, `host:port` each, the same on all of them.
    index
        Which of them this one is.
    seconds
        How long to wait.

    Raises
    ------
    RunError
        If a worker is missing when the time is over; it says which.
    """
    missing = _gather(addresses, seconds) if index == 0 else _join(addresses[0], index, seconds)
    if missing:
        raise RunError(
            f"All {len(addresses)} workers must start within {seconds:g} s of each other, by the "
            "same command and with the same addresses in TF_CONFIG. "
            f"Received: nothing from {named(addresses, missing)}"
        )


def named(addresses: Sequence[str], indices: Sequence[int]) -> str:
    """Workers by their numbers and addresses, in words."""
    return " and ".join(f"worker {index} at {addresses[index]}" for index in indices)


def silent(addresses: Sequence[str], index: int) -> list[int]:
    """Which workers other than the one with this index answer no call."""
    return [
        other for other, address in enumerate(addresses) if other != index and not _answers(address)
    ]


def _answers(address: str) -> bool:
    try:
        socket.create_connection(_split(address), _PROBE_SECONDS).close()
    except OSError:
        return False
    return True


def _split(address: str) -> tuple[str, int]:
    host, _, port = address.rpartition(":")
    return host, int(port)


def _gather(addresses: Sequence[str], seconds: float) -> list[int]:
    """Wait for all others, and tell them who is missing; those that are."""
    until = time.monotonic() + seconds
    host, port = _split(addresses[0])
    joined: dict[int, socket.socket] = {}
    try:
        listener = socket.create_server((host, port))
    except OSError as error:
        raise RunError(
            "Worker 0 must be able to listen at its address in TF_CONFIG: end what listens there, "
            f"or give it another. Received: {addresses[0]}, {error.strerror}"
        ) from error
    with listener:
        while len(joined) < len(addresses) - 1 and (left := until - time.monotonic()) > 0:
            listener.settimeout(left)
            with contextlib.suppress(TimeoutError):
                number, connection = _caller(listener)
                joined[number] = connection
    missing = [number for number in range(1, len(addresses)) if number not in joined]
    for connection in joined.values():
        # One that is gone again is found to be by those that train.
        with connection, contextlib.suppress(OSError):
            connection.sendall(json.dumps(missing).encode())
    return missing


def _caller(listener: socket.socket) -> tuple[int, socket.socket]:
    """The number of the worker that calls next, and the line to it."""
    while True:
        connection, _ = listener.accept()
        connection.settimeout(_PROBE_SECONDS)
        try:
            said = connection.recv(16)
        except OSError:
            said = b""
        if said.isdigit():
            return int(said), connection
        connection.close()  # it was no worker


def _join(address: str, index: int, seconds: float) -> list[int]:
    """Tell the first worker that this one is there, and wait for its answer: who is missing."""
    until = time.monotonic() + seconds
    while (left := until - time.monotonic()) > 0:
        try:
            with socket.create_connection(_split(address), left) as connection:
                connection.sendall(str(index).encode())
                # It may have begun to wait just now, and then answers after all of its time.
                connection.settimeout(seconds + _PROBE_SECONDS)
                answer = connection.makefile("rb").read()
        except OSError:
            answer = b""
        if answer:
            found: list[int] = json.loads(answer)
            return found
        time.sleep(_RETRY_SECONDS)
    return [0]
