"""The command as a process of its own."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from tests.cli.shell import SMALL, SYNTHETIC, tf_recdenoiser
from tf_recdenoiser import __version__
from tf_recdenoiser.runs import RunDirectory

ENTRY = "from tf_recdenoiser.cli import main; main()"
QUICK = (*SMALL, "--num-layers", "1")


def environment(**changes: str) -> dict[str, str]:
    return {**os.environ, "PYTHONUNBUFFERED": "1", **changes}


def test_a_process_is_quiet_and_uses_tf_keras_unless_told_otherwise() -> None:
    code = (
        "import atexit, sys\n"
        "atexit.register(lambda: print(sys.modules['tensorflow'].keras.Model.__module__))\n"
    )
    bare = {k: v for k, v in environment().items() if k != "TF_USE_LEGACY_KERAS"}
    done = subprocess.run(
        [sys.executable, "-c", code + ENTRY, "settings"],
        env=bare,
        capture_output=True,
        text=True,
        check=True,
    )
    assert done.stderr == ""
    assert done.stdout.splitlines()[-1].startswith("tf_keras.")


def test_the_module_is_the_command() -> None:
    command = [sys.executable, "-m", "tf_recdenoiser", "--version"]
    done = subprocess.run(command, env=environment(), capture_output=True, text=True, check=True)
    assert (done.stdout.strip(), done.stderr) == (__version__, "")


@pytest.mark.graph
@pytest.mark.skipif(os.name == "nt", reason="there is no SIGINT for a process on Windows")
def test_ctrl_c_leaves_a_run_that_goes_on_to_the_same_numbers(tmp_path: Path) -> None:
    directory = RunDirectory(tmp_path / "my run")
    command = ["train", *SYNTHETIC, "--out", str(directory.path), *QUICK, "--epochs", "100000"]
    with subprocess.Popen(
        [sys.executable, "-c", ENTRY, *command],
        env=environment(),
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    ) as process:
        assert process.stderr is not None
        for line in process.stderr:
            if line.split()[:1] == ["2"]:
                break
        process.send_signal(signal.SIGINT)
        out, err = process.communicate()
    assert process.returncode == 130
    assert out == ""
    done = len(directory.history())
    assert done >= 2
    assert err.splitlines()[-1] == (
        f"Stopped after {done} epochs. Go on with: "
        f"tf-recdenoiser train synthetic --out '{directory.path}' --resume"
    )
    assert "Traceback" not in err
    assert not directory.metrics_file.exists()

    epochs = ("--epochs", done + 1)
    straight = RunDirectory(tmp_path / "straight")
    resumed = tf_recdenoiser("train", "synthetic", "--out", directory.path, "--resume", *epochs)
    assert resumed.status == 0, resumed.err
    unbroken = tf_recdenoiser("train", *SYNTHETIC, "--out", straight.path, *QUICK, *epochs)
    assert unbroken.status == 0, unbroken.err
    ours, theirs = directory.metrics(), straight.metrics()
    assert {**ours, "seconds": 0} == {**theirs, "seconds": 0}
    assert [{**row, "seconds": 0} for row in directory.history()] == [
        {**row, "seconds": 0} for row in straight.history()
    ]


def test_help_does_not_wait_for_tensorflow() -> None:
    script = "import atexit, sys; atexit.register(lambda: print(sorted(sys.modules))); " + ENTRY
    done = subprocess.run([sys.executable, "-c", script, "--help"], capture_output=True, text=True)
    assert "Train a recommender on an interaction log" in done.stdout
    assert "'tf_recdenoiser.cli.commands'" in done.stdout
    assert "'tensorflow'" not in done.stdout
