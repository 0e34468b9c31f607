"""The files that a path, a pattern or a list of them stands for."""

from __future__ import annotations

import glob
import os
from collections import Counter
from collections.abc import Sequence
from os import PathLike
from pathlib import Path
from typing import Any

from tf_recdenoiser.data.log import DataError


def log_paths(given: Any) -> list[Path]:
    """The files in the order given, those of a pattern in the order of their names.

    What exists is a file, whatever is in its name; else `*`, `?`, `[…]` and `**` make a pattern.

    Raises
    ------
    DataError
        If it is something else, no file fits a pattern, there are none, or one is given twice.
    """
    each = [given] if isinstance(given, (str, PathLike)) else given
    if not isinstance(each, Sequence) or not all(isinstance(one, (str, PathLike)) for one in each):
        raise DataError(
            "A log must be given as a path, a list of paths, or a table that is of Polars or has "
            f"the method __arrow_c_stream__ or __dataframe__. Received: {given!r}"
        )
    paths = [path for one in each for path in _matching(os.fspath(one))]
    if not paths:
        raise DataError(f"A list of logs must name one at least. Received: {given!r}")
    files = Counter(map(os.path.abspath, paths))
    twice = [str(path) for path in paths if files[os.path.abspath(path)] > 1]
    if twice:
        raise DataError(f"Each file of a log must be given once. Received: {twice}")
    return paths


def absolute_path(path: str) -> str:
    """The same file or pattern, for use from any folder.

    Examples
    --------
    >>> absolute_path("logs/*.csv") == os.path.join(glob.escape(os.getcwd()), "logs/*.csv")
    True
    """
    if not _is_pattern(path):
        return os.path.abspath(path)
    return os.path.normpath(os.path.join(glob.escape(os.getcwd()), path))


def _is_pattern(path: str) -> bool:
    return any(sign in path for sign in "*?[") and not os.path.lexists(path)


def _matching(path: str) -> list[Path]:
    if not _is_pattern(path):
        return [Path(path)]
    found = [Path(one) for one in sorted(glob.glob(path, recursive=True))]
    files = [one for one in found if not one.is_dir()]
    if not files:
        raise DataError(
            "A pattern for the files of a log must fit one at least; check the folder and its "
            f"files' names. Received: {path!r}, which fits none"
        )
    return files
