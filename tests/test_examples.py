"""What the README and the examples show runs as it stands there."""

from __future__ import annotations

import contextlib
import io
import itertools
import json
import re
import runpy
import shlex
import subprocess
import sys
import tempfile
import urllib.request
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from tests.serving import c_loader, servers
from tests.serving.servers import Addresses
from tf_recdenoiser._keras import IS_KERAS_3
from tf_recdenoiser.cli.app import run
from tf_recdenoiser.data import Dataset
from tf_recdenoiser.runs import Settings, build_recommender

ROOT = Path(__file__).resolve().parents[1]
README = (ROOT / "README.md").read_text(encoding="utf-8")
SERVING = (ROOT / "examples/serving/README.md").read_text(encoding="utf-8")
PYTHON = re.findall(r"```python\n(.*?)```", README, re.S)
BLOCKS = ["own_model", "denoise", "tfrs", "recommender"]


OF_ANY_KERAS = {"own_model", "denoise"}


@pytest.mark.parametrize(
    ("block", "code"),
    [
        pytest.param(
            *(name, code),
            marks=(pytest.mark.both_keras, pytest.mark.graph) if name in OF_ANY_KERAS else (),
            id=name,
        )
        for name, code in zip(BLOCKS, PYTHON, strict=True)
    ],
)
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


# --- The commands -----------------------------------------------------------------------------


@dataclass(frozen=True)
class Shown:
    """A command and what a text shows that it prints; empty if nothing is shown."""

    command: str
    output: str


def shown_in(text: str) -> list[Shown]:
    blocks = re.findall(r"^```console\n(.*?)^```", text, re.S | re.M)
    return [
        Shown(*part.partition("\n")[::2])
        for block in blocks
        for part in re.split(r"^\$ ", block, flags=re.M)[1:]
    ]


def form(output: str) -> list[str]:
    """The lines of an output, whatever its numbers are and however many rows a table has."""
    lines = [
        re.sub(r"(?<![a-z])\d[\d.,]*", "#", " ".join(re.sub(r"[━─]+", "─", line).split()))
        for line in output.splitlines()
        if line.strip() not in ("", "…")
    ]
    # Ids are numbered too, and one group's stand for another's.
    lines = [re.sub(r"c\d+-i\d+", "ID", line) for line in lines]
    return [line for line, _ in itertools.groupby(lines)]


def printed_by(command: str) -> str:
    """Both streams of a command that ends well; its output is also in the file after `>`."""
    command, _, file = command.partition(" > ")
    both = io.StringIO()
    with contextlib.redirect_stdout(both), contextlib.redirect_stderr(both):
        status = run(shlex.split(command.removeprefix("tf-recdenoiser ")))
    assert status == 0, (command, both.getvalue())
    if file:
        Path(file).write_text(both.getvalue(), encoding="utf-8")
    return both.getvalue()


COMMANDS = [part for part in shown_in(README) if part.command.startswith("tf-recdenoiser ")]
GUIDE = [part for part in COMMANDS if part.output]


@dataclass(frozen=True)
class Followed:
    """The guide's commands, run one after the other in `folder`, and what each printed."""

    folder: Path
    printed: list[str]


@pytest.fixture(scope="module")
def followed(tmp_path_factory: pytest.TempPathFactory) -> Followed:
    folder = tmp_path_factory.mktemp("guide")
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(folder)
        return Followed(folder, [printed_by(part.command) for part in GUIDE])


@pytest.mark.graph
def test_the_guide_prints_what_it_shows(followed: Followed) -> None:
    names = [part.command.split()[1] for part in GUIDE]
    assert names == ["train", "recommend", "explain", "export"]
    for part, printed in zip(GUIDE, followed.printed, strict=True):
        here = printed.replace(str(followed.folder), "/home/you")
        assert form(here) == form(part.output), part.command
    assert (followed.folder / "saved_models/first/1/saved_model.pb").exists()


OTHERS = [part.command for part in COMMANDS if part not in GUIDE]


def test_the_other_commands_are_of_these_kinds() -> None:
    kinds = {command.split()[1] for command in OTHERS}
    assert kinds == {"settings", "train", "explain", "experiment", "tune"}


@pytest.mark.slow
def test_the_other_commands_run_one_after_the_other(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    for command in OTHERS:
        printed_by(command)


class Built(BaseException):
    """A command came to the training of a model that can be built.

    Not an Exception, which a search takes for the failure of a trial.
    """


TRAINING = [one for one in OTHERS if one.split()[1] not in ("settings", "explain")]


@pytest.mark.parametrize("command", TRAINING)
def test_what_the_other_commands_train_can_be_built(
    command: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def built(settings: Settings, dataset: Dataset, *_: Any, **__: Any) -> None:
        build_recommender(settings, dataset.item_count, len(dataset.user_ids))
        raise Built

    monkeypatch.chdir(tmp_path)
    trained = ("cli.train.train_run", "experiments.paired.train", "tuning.recommender_tuner.train")
    for name in trained:
        monkeypatch.setattr(f"tf_recdenoiser.{name}", built)
    for other in OTHERS:
        if other.split()[1] == "settings":  # a file that another command takes
            printed_by(other)
    with pytest.raises(Built):
        printed_by(command)


@pytest.fixture(scope="module")
def served(followed: Followed) -> Iterator[Addresses]:
    """The model that the guide exported."""
    if not c_loader.SUPPORTED:
        pytest.skip("TensorFlow's C library is found on Linux only")
    with servers.stand_in(followed.folder / "saved_models/first/1") as addresses:
        yield addresses


@pytest.mark.graph
def test_the_shown_clients_print_what_is_shown(served: Addresses) -> None:
    shown = [
        part for part in shown_in(README) + shown_in(SERVING) if part.command.startswith("python ")
    ]
    assert len(shown) == 5
    for part in shown:
        _, script, *arguments = shlex.split(part.command)
        address = served.grpc if "grpc" in script else served.rest
        command = [sys.executable, str(ROOT / script), *arguments, "--server", address]
        outcome = subprocess.run(command, capture_output=True, text=True)
        assert outcome.returncode == 0, outcome.stderr
        if part.output:
            assert form(outcome.stdout) == form(part.output)
            assert len(outcome.stdout.splitlines()) == len(part.output.splitlines())


@pytest.mark.graph
def test_the_shown_requests_have_answers_like_the_shown_ones(served: Addresses) -> None:
    requests = [
        shlex.split(part.command) for part in shown_in(SERVING) if part.command.startswith("curl ")
    ]
    answers = re.findall(r"^```json\n(.*?)^```", SERVING, re.S | re.M)
    assert len(requests) == len(answers) == 2
    for (_, address, _, body), shown in zip(requests, answers, strict=True):
        url = served.rest + address.removeprefix("localhost:8501")
        with urllib.request.urlopen(url, body.encode()) as answer:
            assert kinds(json.load(answer)) == kinds(json.loads(shown))


def kinds(answer: Any) -> Any:
    """An answer with every number that is not whole as 0, and every id that is one as ID."""
    if isinstance(answer, dict):
        return {name: kinds(value) for name, value in answer.items()}
    if isinstance(answer, list):
        return [kinds(value) for value in answer]
    if isinstance(answer, float):
        return 0
    is_id = isinstance(answer, str) and re.fullmatch(r"c\d+-i\d+", answer)
    return "ID" if is_id else answer


@pytest.mark.slow
def test_recommender_example(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    example = runpy.run_path(str(ROOT / "examples/recommender.py"))
    written = example["main"](example["SYNTHETIC"], tmp_path, epochs=1)
    assert (written / "saved_model.pb").exists()
    assert "The best item after" in capsys.readouterr().out


@pytest.mark.slow
def test_tuning_example(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    example = runpy.run_path(str(ROOT / "examples/tuning.py"))
    run = example["main"](example["SYNTHETIC"], tmp_path, epochs=1, trials=2)
    assert run.settings.model.hidden_dim in (16, 32)
    assert "NDCG@10 against the whole catalogue" in capsys.readouterr().out


@pytest.mark.slow
@pytest.mark.graph
def test_classifier_example(capsys: pytest.CaptureFixture[str]) -> None:
    found = runpy.run_path(str(ROOT / "examples/classifier.py"))["main"](users=1000, epochs=8)
    printed = capsys.readouterr().out.splitlines()
    assert [line.split("right for")[0].rstrip() for line in printed] == list(found)
    assert [line.count("of edges kept") for line in printed] == [1, 1, 0]
    assert min(found.values()) > 0.5  # a guess is right for a sixth


@pytest.mark.slow
@pytest.mark.graph
def test_convert_example(capsys: pytest.CaptureFixture[str]) -> None:
    example = runpy.run_path(str(ROOT / "examples/convert.py"))
    before, after = example["main"](users=500, epochs=5)
    difference, _, kept = capsys.readouterr().out.splitlines()
    assert float(difference.split()[-1]) < 1e-4
    assert kept.startswith("Edges kept in the two layers: ")
    assert after > before > 0.2  # chance is 5 of 60


@pytest.mark.graph
@pytest.mark.skipif(IS_KERAS_3, reason="TensorFlow Recommenders needs tf_keras")
def test_retrieval_example(capsys: pytest.CaptureFixture[str]) -> None:
    hits = runpy.run_path(str(ROOT / "examples/retrieval.py"))["main"](users=1000, epochs=6)
    printed = capsys.readouterr().out.splitlines()
    assert hits > 0.3  # chance is 10 of 120
    seen, best = printed[2].split()[1:], printed[3].split()[1:]
    assert len(best) == 5
    assert not set(seen) & set(best)
    assert "just listed" in printed[4]
