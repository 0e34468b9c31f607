"""What CONTRIBUTING adds to the library is one file and one line each, and works."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path
from typing import NamedTuple

import polars as pl
import pytest

ROOT = Path(__file__).parents[1]
_ADDITION = re.compile(
    r"New file `(?P<file>[\w/]+\.py)`:\n\n```python\n(?P<code>.*?)```\n\n"
    r"In `(?P<table_file>[\w/]+\.py)`, in `(?P<table>\w+)`:\n\n"
    r"```python\n(?P<import_>from [^\n]+)\n\n(?P<line>[^\n]+)\n```",
    re.DOTALL,
)


class Addition(NamedTuple):
    """One of the worked examples: a file, and a line of a table with the import it needs."""

    file: str
    code: str
    table_file: str
    table: str
    import_: str
    line: str

    def add_to(self, folder: Path) -> None:
        (folder / self.file).write_text(self.code)
        table_file = folder / self.table_file
        text = table_file.read_text()
        imports = re.findall(
            r"^from tf_recdenoiser[^\n]+ import (?:\w[^\n]*|\([^)]*\))\n", text, re.M
        )
        text = text.replace(imports[-1], f"{imports[-1]}{self.import_}\n", 1)
        table = re.search(rf"^{self.table}: [^\n]+ = {{\n.*?^}}\n", text, re.M | re.S)
        assert table is not None
        text = text.replace(table[0], table[0][: -len("}\n")] + f"{self.line}\n}}\n", 1)
        table_file.write_text(text)


ADDITIONS = [
    Addition(**found.groupdict())
    for found in _ADDITION.finditer((ROOT / "CONTRIBUTING.md").read_text(encoding="utf-8"))
]


@pytest.fixture(scope="module")
def extended(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A copy of the package with all additions; the package itself stays as it is."""
    folder = tmp_path_factory.mktemp("extended")
    ignored = shutil.ignore_patterns("__pycache__")
    shutil.copytree(ROOT / "tf_recdenoiser", folder / "tf_recdenoiser", ignore=ignored)
    for addition in ADDITIONS:
        addition.add_to(folder)
    return folder


def python(folder: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    environment = {**os.environ, "PYTHONPATH": str(folder)}
    return subprocess.run(
        [sys.executable, *arguments], cwd=folder, env=environment, capture_output=True, text=True
    )


def test_there_is_one_of_each_kind() -> None:
    assert [addition.table for addition in ADDITIONS] == [
        "ESTIMATORS",
        "BACKBONES",
        "CORRECTIONS",
        "READERS",
    ]


TRAIN = """
import sys
from tf_recdenoiser.cli.app import run
base = ["train", "log.feather", "--epochs", "1", "--max-length", "8", "--hidden-dim", "8"]
noise = ["--detector", "oracle", "--set", "noise.injection.rate=0.2", "--correction", "dropping"]
noise += ["--set", "noise.correction.drop_above=0.25"]
gated = [*noise, "--gates", "positional", "--estimator", "identity"]
status = run([*base, *gated, "--out", "gated"])
status = status or run([*base, "--backbone", "mean", "--detector", "none", "--out", "mean"])
status = status or run(["export", "mean", "--to", "served"])
sys.exit(status)
"""


def test_what_was_added_can_be_trained_and_exported(extended: Path) -> None:
    rows = [
        {"user": f"u{user}", "item": f"i{(user * 7 + step * 3) % 20}", "time": step}
        for user in range(30)
        for step in range(8)
    ]
    pl.DataFrame(rows).write_ipc(extended / "log.feather")
    done = python(extended, "-c", TRAIN)
    assert done.returncode == 0, done.stderr
    assert "240 rows read, 240 kept: 30 users, 20 items." in done.stderr
    assert (extended / "served" / "1" / "saved_model.pb").exists()
    written = (extended / "gated" / "settings.toml").read_text()
    assert 'name = "identity"' in written and "drop_above = 0.25" in written


@pytest.mark.slow
def test_the_tests_that_all_of_a_kind_share_pass_for_what_was_added(extended: Path) -> None:
    shutil.copytree(ROOT / "tests", extended / "tests", dirs_exist_ok=True)
    for name in ("conftest.py", "pyproject.toml"):
        shutil.copy(ROOT / name, extended / name)
    contracts = ("estimators/test_contract.py", "backbones/test_contract.py")
    files = [f"tests/{name}" for name in (*contracts, "noise/test_corrections.py")]
    chosen = "identity or Identity or mean or Mean or dropping"
    done = python(extended, "-m", "pytest", "-q", "-p", "no:cacheprovider", *files, "-k", chosen)
    assert done.returncode == 0, done.stdout
    passed = re.search(r"(\d+) passed", done.stdout)
    assert passed is not None and int(passed[1]) > 20


def test_without_its_line_it_is_not_there(extended: Path) -> None:
    """The additions were made to a copy: this package knows none of their names."""
    from tf_recdenoiser.runs import Settings, SettingsError

    for path, name in (
        ("model", "mean"),
        ("noise.correction", "dropping"),
        ("gates.estimator", "identity"),
    ):
        with pytest.raises(SettingsError, match=f"must be one of .*Received: {path}='{name}'"):
            Settings().replace({"gates": "positional", path: name})
