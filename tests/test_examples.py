"""What the README and the examples show runs as it stands there."""

from __future__ import annotations

import re
import runpy
import shlex
import tempfile
from pathlib import Path

import pytest

from tf_recdenoiser._keras import IS_KERAS_3
from tf_recdenoiser.cli.app import run

ROOT = Path(__file__).resolve().parents[1]
README = (ROOT / "README.md").read_text(encoding="utf-8")
PYTHON = re.findall(r"```python\n(.*?)```", README, re.S)
BLOCKS = ["own_model", "denoise", "tfrs", "recommender"]
COMMANDS = re.findall(r"^\$ tf-recdenoiser (.*)$", README, re.M)


def test_readme_has_code_and_commands() -> None:
    assert len(PYTHON) == len(BLOCKS)
    assert {command.split()[0] for command in COMMANDS} == {
        "train",
        "evaluate",
        "recommend",
        "explain",
        "experiment",
        "export",
        "tune",
    }


@pytest.mark.parametrize(("block", "code"), zip(BLOCKS, PYTHON, strict=True), ids=BLOCKS)
def test_readme_code_runs(
    block: str, code: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    if block == "tfrs" and IS_KERAS_3:
        pytest.skip("TensorFlow Recommenders needs tf_keras")
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    names: dict[str, object] = {}
    exec(compile(code, "README.md", "exec"), names)
    if block == "recommender":
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


def test_classifier_example(capsys: pytest.CaptureFixture[str]) -> None:
    found = runpy.run_path(str(ROOT / "examples/classifier.py"))["main"](users=1000, epochs=8)
    printed = capsys.readouterr().out.splitlines()
    assert [line.split("right for")[0].rstrip() for line in printed] == list(found)
    assert [line.count("of links kept") for line in printed] == [1, 1, 0]
    assert min(found.values()) > 0.5  # a guess is right for a sixth


def test_convert_example(capsys: pytest.CaptureFixture[str]) -> None:
    example = runpy.run_path(str(ROOT / "examples/convert.py"))
    before, after = example["main"](users=500, epochs=5)
    difference, _, kept = capsys.readouterr().out.splitlines()
    assert float(difference.split()[-1]) < 1e-4
    assert kept.startswith("Links kept in the two layers: ")
    assert after > before > 0.2  # chance is 5 of 60


@pytest.mark.skipif(IS_KERAS_3, reason="TensorFlow Recommenders needs tf_keras")
def test_retrieval_example(capsys: pytest.CaptureFixture[str]) -> None:
    hits = runpy.run_path(str(ROOT / "examples/retrieval.py"))["main"](users=1000, epochs=6)
    printed = capsys.readouterr().out.splitlines()
    assert hits > 0.3  # chance is 10 of 120
    seen, best = printed[2].split()[1:], printed[3].split()[1:]
    assert len(best) == 5
    assert not set(seen) & set(best)
    assert "just listed" in printed[4]
