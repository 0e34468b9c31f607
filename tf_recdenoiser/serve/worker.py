"""Requests that are read within limits, and answers in JSON."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import anyio
from anyio import to_thread
from starlette.requests import ClientDisconnect, Request
from starlette.responses import Response

from tf_recdenoiser.serve.errors import RequestError

MOST_BYTES = 1 << 20
"""The longest body that is read; so long is the longest that is parsed and held."""

# Of a longer body so much is read and forgotten, since a client that is still sending would not see
# the answer.
_MOST_FORGOTTEN = 1 << 25
_SECONDS = 30


class Worker:
    """Does one thing at a time, in a thread, so that requests do not add up in memory."""

    def __init__(self) -> None:
        self._one = anyio.CapacityLimiter(1)

    async def __call__(self, request: Request, work: Callable[[bytes], Any]) -> Response:
        """The answer that `work` makes of a request's body.

        Raises
        ------
        RequestError
            If the body is too long or comes too slowly, or if `work` does.
        """
        body = await _body(request)
        return await to_thread.run_sync(lambda: answer(work(body)), limiter=self._one)


def answer(value: Any, status: int = 200) -> Response:
    """A value as JSON that every parser reads: without NaN and infinity."""
    text = json.dumps(value, ensure_ascii=False, allow_nan=False)
    # Half of a surrogate pair, which JSON can hold and UTF-8 cannot, comes from a request alone.
    return Response(text.encode(errors="replace"), status, media_type="application/json")


def parsed(body: bytes) -> dict[str, Any]:
    """The object of JSON that a body holds; RequestError if it holds none."""
    try:
        value = json.loads(body)
    except (ValueError, RecursionError) as error:
        raise RequestError(f"JSON Parse error: {error}") from error
    if not isinstance(value, dict):
        raise RequestError(f"The body must be a JSON object. Received: {type(value).__name__}")
    return value


async def _body(request: Request) -> bytes:
    size, parts = 0, []
    try:
        with anyio.fail_after(_SECONDS):
            async for part in request.stream():
                size += len(part)
                if size <= MOST_BYTES:
                    parts.append(part)
                elif size > _MOST_FORGOTTEN:
                    break
    except TimeoutError as error:
        raise RequestError(f"The body must come within {_SECONDS} seconds.", 408) from error
    except ClientDisconnect as error:
        raise RequestError("The client went away.") from error
    if size > MOST_BYTES:
        raise RequestError(
            f"The body must have at most {MOST_BYTES} bytes; send fewer histories at once. "
            f"Received: {size} or more",
            413,
        )
    return b"".join(parts)
