"""Where a server listens, and what serves there."""

from __future__ import annotations

import ipaddress
import socket
from typing import NamedTuple

import uvicorn
from starlette.applications import Starlette

from tf_recdenoiser.runs import RunError

_MOST_CONNECTIONS = 64
_SECONDS_TO_END = 3


class Address(NamedTuple):
    """Where a server can be asked.

    Attributes
    ----------
    url
        For a browser.
    hosts
        The names by which it may be called; see `create_app`.
    """

    url: str
    hosts: tuple[str, ...]


def listen(host: str, port: int) -> socket.socket:
    """A socket that listens there; port 0 for any that is free.

    Raises
    ------
    RunError
        If the port is taken, or the address is not one of this machine.
    """
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    try:
        return socket.create_server((host, port), family=family)
    except OSError as error:
        raise RunError(
            f"Port {port} of {host} must be free, and {host} be this machine: end what listens "
            f"there, or choose another port by --port (0 for any). Received: {error.strerror}"
        ) from error


def address_of(listener: socket.socket) -> Address:
    """Where to ask what listens.

    Examples
    --------
    >>> with listen("127.0.0.1", 0) as listener:
    ...     url, hosts = address_of(listener)
    >>> url.startswith("http://127.0.0.1:"), "localhost" in hosts
    (True, True)
    """
    host, port = listener.getsockname()[:2]
    address = ipaddress.ip_address(host)
    if address.is_unspecified:
        host = "localhost"
    elif address.version == 6:
        host = f"[{host}]"
    hosts = ("localhost", "127.0.0.1", "::1", "[::1]", host) if address.is_loopback else ("*",)
    return Address(f"http://{host}:{port}", hosts)


def server_of(app: Starlette) -> uvicorn.Server:
    """A server with few connections, which ends at once when it is told to."""
    return uvicorn.Server(
        uvicorn.Config(
            app,
            log_config=None,
            log_level="error",  # not a line for each request that is refused
            access_log=False,
            http="h11",
            ws="none",
            lifespan="off",
            server_header=False,
            proxy_headers=False,
            limit_concurrency=_MOST_CONNECTIONS,
            timeout_graceful_shutdown=_SECONDS_TO_END,
        )
    )
