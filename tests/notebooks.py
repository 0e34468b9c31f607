"""Notebooks, executed cell by cell as Jupyter does it, and without Jupyter.

    python -m tests.notebooks examples/notebooks/*.ipynb

executes notebooks and stores in them what they print and draw.
"""

from __future__ import annotations

import ast
import base64
import contextlib
import io
import json
import os
import re
import sys
import tempfile
from pathlib import Path
from typing import Any

import matplotlib
from matplotlib import pyplot
from matplotlib.figure import Figure

Notebook = dict[str, Any]


def read(path: Path) -> Notebook:
    return dict(json.loads(path.read_text(encoding="utf-8")))


def code_cells(notebook: Notebook) -> list[dict[str, Any]]:
    return [cell for cell in notebook["cells"] if cell["cell_type"] == "code"]


def printed(cell: dict[str, Any]) -> str:
    """All text that a cell put out."""
    texts = [out.get("text") or out["data"].get("text/plain", "") for out in cell["outputs"]]
    return "\n".join("".join(text).rstrip("\n") for text in texts)


def execute(notebook: Notebook) -> Notebook:
    """The same notebook with the outputs that its cells have here, in the working folder."""
    matplotlib.use("agg")
    names: dict[str, Any] = {}
    cells = [
        {**cell, "outputs": _outputs("".join(cell["source"]), names)} if "outputs" in cell else cell
        for cell in notebook["cells"]
    ]
    return {**notebook, "cells": cells}


def _outputs(source: str, names: dict[str, Any]) -> list[dict[str, Any]]:
    """What a cell prints, what it draws, and the value of its last line."""
    body = ast.parse(source).body
    last = body.pop() if body and isinstance(body[-1], ast.Expr) else None
    text, value = io.StringIO(), None
    with contextlib.redirect_stdout(text):
        exec(compile(ast.Module(body, []), "cell", "exec"), names)
        if isinstance(last, ast.Expr):
            value = eval(compile(ast.Expression(last.value), "cell", "eval"), names)
    found: list[dict[str, Any]] = []
    if text.getvalue():
        lines = text.getvalue().splitlines(keepends=True)
        found.append({"output_type": "stream", "name": "stdout", "text": lines})
    figures = [pyplot.figure(number) for number in pyplot.get_fignums()]
    if isinstance(value, Figure):
        figures, value = [value], None
    found += [_display({"image/png": _png(figure)}) for figure in figures]
    pyplot.close("all")
    return found if value is None else [*found, _display({"text/plain": [repr(value)]})]


def _display(data: dict[str, Any]) -> dict[str, Any]:
    return {"output_type": "display_data", "metadata": {}, "data": data}


def _png(figure: Figure) -> str:
    out = io.BytesIO()
    figure.savefig(out, format="png", dpi=70)
    return base64.b64encode(out.getvalue()).decode()


def main(paths: list[str]) -> None:
    for path in map(Path, paths):
        notebook, here = read(path), Path.cwd()
        with tempfile.TemporaryDirectory() as folder:
            os.chdir(folder)
            done = execute(notebook)
            os.chdir(here)
        text = json.dumps(done, indent=1, ensure_ascii=False) + "\n"
        path.write_text(re.sub(re.escape(folder), "/tmp", text), encoding="utf-8")


if __name__ == "__main__":
    main(sys.argv[1:])
