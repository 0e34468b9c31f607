"""`tf-recdenoiser serve`: from the command to an answer, and to its end."""

from __future__ import annotations

import contextlib
import hashlib
import json
import signal
import socket
import subprocess
import sys
import threading
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from tests.cli.shell import tf_recdenoiser
from tf_recdenoiser.runs import RunDirectory
from tf_recdenoiser.serve import address_of, listen

ROOT = Path(__file__).resolve().parents[2]
CLIENT = ROOT / "examples" / "serving" / "rest_client.py"


def contents(folder: Path) -> dict[str, str]:
    return {
        str(path.relative_to(folder)): hashlib.sha256(path.read_bytes()).hexdigest()
        for path in folder.rglob("*")
        if path.is_file()
    }


HISTORY = ("--history", "c00-i001,c00-i003,c04-i000", "-k", "3")


def recommended(run: RunDirectory) -> str:
    """What the client must print, by `recommend`."""
    told = tf_recdenoiser("recommend", run.path, *HISTORY, "--json")
    return "".join(f"{one['item']}\t{one['score']:.3f}\n" for one in json.loads(told.out))


def ask_client(run: RunDirectory, url: str) -> str:
    command = [sys.executable, str(CLIENT), run.path.name, "--server", url, *HISTORY]
    return subprocess.run(command, capture_output=True, text=True, check=True).stdout


def test_a_run_is_served_until_ctrl_c(trained: RunDirectory) -> None:
    before = contents(trained.path)
    with listen("127.0.0.1", 0) as free:
        port = free.getsockname()[1]
    url, ended, answers = f"http://127.0.0.1:{port}", threading.Event(), []

    def ask_then_end() -> None:
        while not ended.wait(0.1):
            with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", port)):
                answers.append(ask_client(trained, url))
                signal.raise_signal(signal.SIGINT)
                return

    asking = threading.Thread(target=ask_then_end)
    asking.start()
    try:
        outcome = tf_recdenoiser("serve", trained.path, "--port", port)
    finally:
        ended.set()
        asking.join()
    assert outcome == (
        0,
        f"Page: {url}\nREST: {url}/v1/models/{trained.path.name}\n",
        "Ctrl-C ends it.\n",
    )
    assert answers == [recommended(trained)]
    assert contents(trained.path) == before


@pytest.mark.slow
def test_a_process_serves_and_ends(trained: RunDirectory) -> None:
    command = [sys.executable, "-m", "tf_recdenoiser", "serve", str(trained.path), "--port", "0"]
    pipes = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE, "text": True}
    server = subprocess.Popen(command, cwd=ROOT, **pipes)  # type: ignore[call-overload]
    try:
        url = server.stdout.readline().split()[1]
        assert ask_client(trained, url) == recommended(trained)
        server.send_signal(signal.SIGINT)
        assert server.communicate(timeout=60)[1] == "Ctrl-C ends it.\n"
        assert server.returncode == 0
    finally:
        server.kill()
        server.wait()


def test_a_port_that_is_taken_is_named(trained: RunDirectory) -> None:
    with listen("127.0.0.1", 0) as other:
        port = other.getsockname()[1]
        outcome = tf_recdenoiser("serve", trained.path, "--port", port)
    assert outcome.status == 1 and outcome.out == ""
    assert outcome.err.startswith(f"Error: Port {port} of 127.0.0.1 must be free")
    assert "choose another port by --port" in outcome.err and "in use" in outcome.err


def test_an_address_elsewhere_is_refused(trained: RunDirectory) -> None:
    outcome = tf_recdenoiser("serve", trained.path, "--host", "192.0.2.1", "--port", 0)
    assert outcome.status == 1 and "192.0.2.1 be this machine" in outcome.err


def test_what_is_no_run_is_refused(tmp_path: Path) -> None:
    outcome = tf_recdenoiser("serve", tmp_path, "--port", 0)
    assert outcome.status == 1 and "is not a run directory" in outcome.err


@pytest.mark.parametrize(
    ("at", "shown", "open_to"),
    [
        (("127.0.0.1", 8501), "127.0.0.1", "localhost"),
        (("127.1.2.3", 8501), "127.1.2.3", "127.1.2.3"),
        (("::1", 8501, 0, 0), "[::1]", "[::1]"),
        (("0.0.0.0", 8501), "localhost", "*"),
        (("::", 8501, 0, 0), "localhost", "*"),
        (("192.0.2.7", 8501), "192.0.2.7", "*"),
    ],
)
def test_only_this_machine_may_ask_unless_it_is_told_otherwise(
    at: tuple[Any, ...], shown: str, open_to: str
) -> None:
    listener: Any = SimpleNamespace(getsockname=lambda: at)
    url, hosts = address_of(listener)
    assert url == f"http://{shown}:8501"
    assert open_to in hosts and ("*" in hosts) == (open_to == "*")
