"""What a person did wrong is one sentence; what we did wrong is a traceback."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from tests.cli.shell import tf_recdenoiser
from tf_recdenoiser.runs import RunDirectory, RunError

Copy = Callable[[RunDirectory], RunDirectory]

USES = {
    "evaluate": (),
    "report": (),
    "recommend": ("--history", "c00-i000"),
    "explain": ("--history", "c00-i000"),
    "export": ("--to", "unused"),
}


@pytest.mark.parametrize("command", USES)
def test_a_directory_without_a_run_is_said_to_be_so(command: str, tmp_path: Path) -> None:
    path = tmp_path / "[/no] run"
    outcome = tf_recdenoiser(command, path, *USES[command])
    assert outcome.status == 1
    assert outcome.out == ""
    assert outcome.err.startswith(f"Error: {path} is not a run directory")
    assert f"`tf-recdenoiser train DATA --out {path}`" in outcome.err
    assert "Traceback" not in outcome.err
    assert "TRACEBACK" not in outcome.err


@pytest.mark.parametrize("command", USES)
@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        ("settings.toml", "[", "settings.toml is damaged"),
        ("environment.json", "{", "environment.json is damaged"),
        ("vocabulary.json", "[]", "vocabulary.json must have an id for each"),
        ("checkpoints/best.h5", "", "best.h5 is damaged"),
        ("checkpoints/best.h5", None, "no validated epoch yet"),
        ("checkpoints/last.h5", None, "last.h5 must be there"),
        ("settings.toml", None, "is not a run directory"),
    ],
)
def test_a_damaged_run_is_said_to_be_so(
    trained: RunDirectory, copy: Copy, command: str, name: str, content: str | None, message: str
) -> None:
    run = copy(trained)
    if content is None:
        (run.path / name).unlink()
    else:
        (run.path / name).write_text(content)
    outcome = tf_recdenoiser(command, run.path, *USES[command])
    assert outcome.status == 1
    assert outcome.out == ""
    assert message in outcome.err
    assert "Traceback" not in outcome.err


def fail(monkeypatch: pytest.MonkeyPatch, error: BaseException) -> Callable[[], tuple]:
    """`evaluate`, when it fails by this error."""

    def load_run(path: Path) -> None:
        raise error

    monkeypatch.setattr("tf_recdenoiser.cli.evaluate.load_run", load_run)
    return lambda: tf_recdenoiser("evaluate", "unused")


@pytest.mark.parametrize("error", [ValueError("[/x] :tv:"), OSError("[/x] :tv:")])
def test_an_unforeseen_error_says_how_to_see_more(
    monkeypatch: pytest.MonkeyPatch, error: Exception
) -> None:
    monkeypatch.delenv("TRACEBACK", raising=False)
    assert fail(monkeypatch, error)() == (
        1,
        "",
        "Error: [/x] :tv:\n(With TRACEBACK=1 in the environment, where it was raised is shown.)\n",
    )


def test_with_traceback_set_errors_are_raised(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TRACEBACK", "1")
    with pytest.raises(RunError, match="is not a run directory"):
        tf_recdenoiser("evaluate", "no-such-run")


def test_faults_of_ours_are_not_hidden(monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(TypeError, match="a fault"):
        fail(monkeypatch, TypeError("a fault"))()


def test_an_interrupted_command_is_status_130(monkeypatch: pytest.MonkeyPatch) -> None:
    assert fail(monkeypatch, KeyboardInterrupt())() == (130, "", "")


def test_several_logs_without_quotes_are_told_to_be_one_argument() -> None:
    outcome = tf_recdenoiser("train", "may.csv", "june.csv", "--out", "unused")
    assert outcome.status == 2
    assert outcome.err.endswith("one argument: a pattern in quotes, as 'logs/*.csv'.\n")
