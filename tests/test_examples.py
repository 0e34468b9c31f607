"""What the README and the examples show runs as it stands there."""

from __future__ import annotations

import re
import runpy
import shlex
import tempfile
from pathlib import Path

import pytest

from tf_recdenoiser.cli.app import run

ROOT = Path(__file__).resolve().parents[1]
README = (ROOT / "README.md").read_text(encoding="utf-8")
PYTHON = re.findall(r"```python\n(.*?)```", README, re.S)
COMMANDS = re.findall(r"^\$ tf-recdenoiser (.*)$", README, re.M)


def test_readme_has_code_and_commands() -> None:
    assert len(PYTHON) == 2
    assert {command.split()[0] for command in COMMANDS} == {
        "train",
        "evaluate",
        "recommend",
        "explain",
        "experiment",
        "export",
        "tune",
    }


@pytest.mark.parametrize("code", PYTHON, ids=["own_model", "recommender"])
def test_readme_code_runs(code: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    names: dict[str, object] = {}
    exec(compile(code, "README.md", "exec"), names)
    if "metrics" in names:
        assert list(tmp_path.rglob("saved_model.pb"))


def test_readme_commands_run_one_after_the_other(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    for command in COMMANDS:
        assert run(shlex.split(command)) == 0, command
    assert (tmp_path / "saved_models/first/1/saved_model.pb").exists()


def test_recommender_example(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    example = runpy.run_path(str(ROOT / "examples/recommender.py"))
    written = example["main"](example["SYNTHETIC"], tmp_path, epochs=1)
    assert (written / "saved_model.pb").exists()
    assert "The best item after" in capsys.readouterr().out


def test_tuning_example(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    example = runpy.run_path(str(ROOT / "examples/tuning.py"))
    run = example["main"](example["SYNTHETIC"], tmp_path, epochs=1, trials=2)
    assert run.settings.width in (16, 32)
    assert "NDCG@10 against the whole catalogue" in capsys.readouterr().out
