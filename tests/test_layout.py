"""Imports inside the package go downward only, and each library is used where it belongs.

``RULES`` is the project's table of layers. The test reads every import of the package, without
running it, and names each that the table does not allow.
"""

from __future__ import annotations

import ast
import sys
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

import pytest

PACKAGE = "tf_recdenoiser"
SOURCE = Path(__file__).resolve().parents[1] / PACKAGE

ANYTHING = None
COMMON = frozenset({"numpy", *sys.stdlib_module_names})
KERAS = frozenset({"keras", "tf_keras"})
TFRS = "tensorflow_recommenders"
BATCHES = f"{PACKAGE}/data/batches.py"


@dataclass(frozen=True)
class Rule:
    """What one part of the package may import; the standard library and NumPy always.

    Attributes:
        parts: other parts of the package, or ``ANYTHING``.
        libraries: top-level names of other packages, or ``ANYTHING``.
    """

    parts: frozenset[str] | None
    libraries: frozenset[str] | None


def rule(parts: str, libraries: str) -> Rule:
    return Rule(frozenset(parts.split()), frozenset(libraries.split()))


FREE = Rule(ANYTHING, ANYTHING)
RULES: Mapping[str, Rule] = {
    "_keras": rule("", "tensorflow keras tf_keras"),
    "_settings": rule("", ""),
    "_files": rule("", "filelock"),
    "ops": rule("", "tensorflow"),
    "estimators": rule("ops", "tensorflow"),
    "layers": rule("_keras ops estimators", "tensorflow"),
    "backbones": rule("_keras _settings ops estimators layers", "tensorflow"),
    "training": rule("_keras _settings ops estimators layers backbones", "tensorflow"),
    "noise": rule(
        "_keras _settings ops estimators layers backbones training data evaluation",
        "tensorflow scipy",
    ),
    "retrieval": rule(
        "_keras _files ops estimators layers backbones training noise",
        f"tensorflow tensorflow_serving google {TFRS}",
    ),
    "data": rule("_files", "polars scipy zstandard apache_beam"),
    "evaluation": rule("", ""),
    "runs": FREE,
    "experiments": FREE,
    "tuning": FREE,
    "reports": FREE,
    "serve": FREE,
    "cli": FREE,
    "__init__": FREE,
    "__main__": FREE,
}


@dataclass(frozen=True)
class Use:
    """One use of a module: its full dotted name and the line it stands on."""

    name: str
    line: int


def part_of(path: str) -> str:
    """The row of the table that a file belongs to: its folder, or its own name at the top."""
    return path.split("/")[1].removesuffix(".py")


def absolute(name: str, level: int, path: str) -> str:
    """The full name of ``name``, imported with ``level`` leading dots by the file ``path``."""
    if level == 0:
        return name
    base = path.split("/")[:-level]
    return ".".join([*base, name] if name else base)


def imports(tree: ast.AST, path: str) -> Iterator[Use]:
    """Every module that the statements of ``tree`` import, however deep they stand."""
    for node in ast.walk(tree):
        match node:
            case ast.Import(names=names):
                yield from (Use(alias.name, node.lineno) for alias in names)
            case ast.ImportFrom(module=module, names=names, level=level):
                base = absolute(module or "", level, path)
                yield from (Use(f"{base}.{alias.name}", node.lineno) for alias in names)
            case ast.Call(
                func=ast.Attribute(attr="import_module") | ast.Name(id="import_module"),
                args=[ast.Constant(value=str(name)), *_],
            ):
                bare = name.lstrip(".")
                yield Use(absolute(bare, len(name) - len(bare), path), node.lineno)


def keras_attributes(tree: ast.AST) -> Iterator[Use]:
    """Every ``tf.keras``, which is Keras without an import of it."""
    aliases = {
        alias.asname or alias.name
        for node in ast.walk(tree)
        if isinstance(node, ast.Import)
        for alias in node.names
        if alias.name == "tensorflow"
    }
    for node in ast.walk(tree):
        match node:
            case ast.Attribute(value=ast.Name(id=name), attr="keras") if name in aliases:
                yield Use("tensorflow.keras", node.lineno)


def imported_part(name: str) -> str:
    """The part of our own package that the dotted ``name`` leads to."""
    names = name.split(".")
    return names[1] if len(names) > 1 and names[1] in RULES else "__init__"


def complaint(use: Use, path: str) -> str | None:
    """Say what is wrong with one import, or return None."""
    part, name = part_of(path), use.name
    library = name.split(".")[0]
    allowed = RULES[part]
    if library == PACKAGE:
        target = imported_part(name)
        if target != part and allowed.parts is not ANYTHING and target not in allowed.parts:
            return f"{part} may not import {target}"
    elif (library in KERAS or f"{name}.".startswith("tensorflow.keras.")) and part != "_keras":
        return "only _keras.py imports Keras"
    elif library == TFRS and part != "retrieval":
        return f"only retrieval/ imports {TFRS}"
    elif library == "tensorflow" and part == "data":
        return None if path == BATCHES else "in data/, only batches.py imports tensorflow"
    elif allowed.libraries is not ANYTHING and library not in allowed.libraries | COMMON:
        return f"{part} may not import {library}"
    return None


def violations(sources: Mapping[str, str]) -> list[str]:
    """List the imports in ``{path: source}`` that ``RULES`` does not allow, as ``path:line: why``.

    A path starts with the package's name and has ``/`` between its parts.
    """
    found = []
    for path, source in sorted(sources.items()):
        if part_of(path) not in RULES:
            found.append(f"{path}:1: {part_of(path)} has no row in RULES")
            continue
        tree = ast.parse(source, path)
        uses = [*imports(tree, path), *keras_attributes(tree)]
        found += [
            f"{path}:{use.line}: {why} (here: {use.name})"
            for use in sorted(uses, key=lambda use: use.line)
            if (why := complaint(use, path))
        ]
    return found


def test_imports_of_the_package_go_downward() -> None:
    sources = {
        file.relative_to(SOURCE.parent).as_posix(): file.read_text(encoding="utf-8")
        for file in SOURCE.rglob("*.py")
    }
    assert f"{PACKAGE}/_keras.py" in sources
    assert violations(sources) == []


def test_every_folder_of_the_package_is_installed_with_it() -> None:
    # Setuptools leaves out, without a word, a folder that holds modules and no __init__.py.
    folders = {file.parent for file in SOURCE.rglob("*.py")}
    left_out = [str(folder) for folder in folders if not (folder / "__init__.py").is_file()]
    assert left_out == []


@pytest.mark.parametrize(
    ("path", "source", "why"),
    [
        ("ops/a.py", "from tf_recdenoiser.layers import b", "ops may not import layers"),
        ("ops/a.py", "import tf_recdenoiser.estimators.arm", "ops may not import estimators"),
        ("ops/a.py", "from .._keras import K", "ops may not import _keras"),
        ("ops/a.py", "from .. import layers", "ops may not import layers"),
        ("ops/a.py", "from tf_recdenoiser import __version__", "ops may not import __init__"),
        ("ops/a.py", "import tf_recdenoiser", "ops may not import __init__"),
        ("ops/deep/a.py", "from ...layers import b", "ops may not import layers"),
        ("ops/__init__.py", "from ..layers import b", "ops may not import layers"),
        ("ops/a.py", "import polars as pl", "ops may not import polars"),
        ("_keras.py", "from . import ops", "_keras may not import ops"),
        ("estimators/a.py", "from ..layers.b import c", "estimators may not import layers"),
        ("layers/a.py", "from ..backbones import b", "layers may not import backbones"),
        ("backbones/a.py", "from ..training import b", "backbones may not import training"),
        ("training/a.py", "from ..retrieval import b", "training may not import retrieval"),
        ("training/a.py", "from ..data import b", "training may not import data"),
        ("retrieval/a.py", "from ..cli import main", "retrieval may not import cli"),
        ("data/a.py", "from ..evaluation import b", "data may not import evaluation"),
        ("data/a.py", "import tensorflow as tf", "only batches.py imports tensorflow"),
        ("data/batches/a.py", "import tensorflow", "only batches.py imports tensorflow"),
        ("evaluation/a.py", "import polars", "evaluation may not import polars"),
        ("evaluation/a.py", "from tensorflow import math", "evaluation may not import tensorflow"),
        ("evaluation/a.py", "from ..data import b", "evaluation may not import data"),
        ("layers/a.py", "import keras", "only _keras.py imports Keras"),
        ("layers/a.py", "from keras.layers import Layer", "only _keras.py imports Keras"),
        ("tuning/a.py", "import tf_keras as keras", "only _keras.py imports Keras"),
        ("cli/a.py", "from tensorflow import keras", "only _keras.py imports Keras"),
        ("cli/a.py", "import tensorflow.keras.layers", "only _keras.py imports Keras"),
        ("cli/a.py", "import tensorflow as tf\ntf.keras.Model", "only _keras.py imports Keras"),
        ("cli/a.py", "import tensorflow_recommenders", "only retrieval/ imports tensorflow_rec"),
        ("training/a.py", "import tensorflow_recommenders as t", "only retrieval/ imports"),
        ("data/a.py", "def f():\n    import pandas", "data may not import pandas"),
        ("ops/a.py", "if TYPE_CHECKING:\n    from ..layers import b", "ops may not import layers"),
        ("ops/a.py", "importlib.import_module('..layers', __package__)", "may not import layers"),
        ("ops/a.py", "import_module('tf_recdenoiser.layers.b')", "ops may not import layers"),
        ("extra/a.py", "", "extra has no row in RULES"),
        ("extra.py", "", "extra has no row in RULES"),
    ],
)
def test_a_planted_violation_is_found(path: str, source: str, why: str) -> None:
    path = f"{PACKAGE}/{path}"
    found = violations({path: source})
    assert len(found) == 1
    assert found[0].startswith(f"{path}:{1 + source.count(chr(10))}: ")
    assert why in found[0]


@pytest.mark.parametrize(
    ("path", "source"),
    [
        ("_keras.py", "import tensorflow as tf\nK = tf.keras\nimport tf_keras"),
        ("ops/a.py", "import math\nimport numpy as np\nimport tensorflow as tf\nfrom .b import c"),
        ("estimators/a.py", "from tf_recdenoiser.ops import b\nfrom . import c"),
        ("layers/a.py", "from .._keras import K\nfrom ..ops.b import c\nK.keras"),
        ("training/a.py", "from ..backbones import b\nfrom collections.abc import Mapping"),
        ("retrieval/a.py", "import tensorflow_recommenders as tfrs\nfrom ..training import b"),
        ("retrieval/a.py", "from tensorflow_serving.apis import predict_pb2"),
        ("data/a.py", "import polars as pl\nfrom tf_recdenoiser.data.b import c"),
        ("data/batches.py", "import tensorflow as tf"),
        ("evaluation/a.py", "import numpy as np\nfrom .ranks import b"),
        ("tuning/a.py", "import keras_tuner\nfrom ..cli import b"),
        ("cli/__init__.py", "import typer\nfrom .. import __version__\nfrom ..data import b"),
        ("__init__.py", "from .layers import b"),
        ("__main__.py", "from tf_recdenoiser.cli import main"),
    ],
)
def test_what_the_table_allows_passes(path: str, source: str) -> None:
    assert violations({f"{PACKAGE}/{path}": source}) == []
