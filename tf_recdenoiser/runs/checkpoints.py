"""Checkpoints: the variables of a model in one HDF5 file, which is read as data.

The first 512 bytes, a user block that HDF5 passes over, name the run and hold the SHA-256 of the
run's name and of all that follows. A dataset for each variable comes after, contiguous and without
filters, by the variable's number and its Keras path. What a file holds is compared with the
variables of a model that was built before, so that it decides neither what is built nor how much
memory is taken.
"""

from __future__ import annotations

import math
import re
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import h5py
import numpy as np

from tf_recdenoiser._files import written_whole
from tf_recdenoiser._keras import layers_of, raw_variable
from tf_recdenoiser.runs.errors import RunError, damaged
from tf_recdenoiser.runs.files import sha256_of

_BLOCK = 512
_HEADER = re.compile(
    rb"tf_recdenoiser checkpoint 1\nrun ([0-9a-f]{64})\nsha256 ([0-9a-f]{64})\n\0*"
)
# What HDF5 writes beside the numbers, and more: of a file and of each dataset.
_OVERHEAD, _OVERHEAD_EACH = 1 << 16, 1 << 11
_ERRORS = (OSError, RuntimeError, ValueError, KeyError, TypeError, AttributeError)


def model_variables(model: Any) -> list[Any]:
    """What a model computes by: all its weights, but for metrics."""
    of_metrics = {id(variable) for metric in model.metrics for variable in metric.variables}
    return [weight for weight in model.weights if id(weight) not in of_metrics]


def training_variables(model: Any) -> list[Any]:
    """What a recommender's training goes on from: with the model's, optimizers' and baselines'."""
    optimizers = [model.optimizer, model.gate_optimizer]
    return [
        *model_variables(model),
        *(variable for optimizer in optimizers for variable in optimizer.variables),
        *(variable for baseline in model._baselines for variable in baseline.weights),
    ]


def size_of(variables: Sequence[Any]) -> int:
    """The bytes of what variables hold."""
    return sum(math.prod(one.shape) * _dtype(one).itemsize for one in variables)


def write_checkpoint(path: Path, variables: Sequence[Any], run: str) -> None:
    """Write variables so that `path` never holds half of them.

    Parameters
    ----------
    path
        Of the file.
    variables
        Of `model_variables` or `training_variables`.
    run
        64 hexadecimal digits; see `ModelRecord`.
    """
    with written_whole(path) as temporary:
        with h5py.File(temporary, "w", userblock_size=_BLOCK) as file:
            for name, variable in _named(variables).items():
                file.create_dataset(name, data=raw_variable(variable).numpy())
        sign(temporary, run)


def sign(path: Path, run: str) -> None:
    """Write the user block of an HDF5 file that has room for it."""
    digest = sha256_of(path, _BLOCK, run.encode())
    header = f"tf_recdenoiser checkpoint 1\nrun {run}\nsha256 {digest}\n".encode()
    with path.open("r+b") as file:
        file.write(header.ljust(_BLOCK, b"\0"))


def read_checkpoint(path: Path, model: Any, variables: Sequence[Any], run: str) -> None:
    """Give variables the values that a checkpoint has for them.

    Parameters
    ----------
    path, variables, run
        As `write_checkpoint` was given them; names, shapes and types must be the same.
    model
        Whose variables they are.

    Raises
    ------
    RunError
        If there is no such file, or it is not this checkpoint.
    """
    named = _named(variables)
    _check_file(path, run, size_of(variables), len(variables))
    try:
        with h5py.File(path, "r") as file:
            values = _values(file, named)
    except _ERRORS as error:
        raise damaged(path, f"{type(error).__name__}: {error}") from error
    for variable, value in zip(variables, values, strict=True):
        variable.assign(value)
    for layer in layers_of(model):
        # Keras' Normalization keeps what it makes of its weights.
        if hasattr(layer, "finalize_state"):
            layer.finalize_state()


def _named(variables: Sequence[Any]) -> dict[str, Any]:
    """Variables by the names of their datasets.

    Without the numbers by which Keras tells things of one kind apart in a process.
    """
    paths = [getattr(variable, "path", variable.name) for variable in variables]
    plain = [re.sub(r"_\d+(?=_|/|$)", "", path.split(":")[0]).replace("/", ".") for path in paths]
    return {
        f"{number:04d}.{name}": variable
        for number, (name, variable) in enumerate(zip(plain, variables, strict=True))
    }


def _dtype(variable: Any) -> np.dtype:
    return np.dtype(raw_variable(variable).dtype.as_numpy_dtype)


def _check_file(path: Path, run: str, size: int, count: int) -> None:
    """Raise RunError unless a file has the user block and a size that it can have."""
    if not path.is_file():
        raise RunError(
            f"{path} must be a checkpoint: put back the file that the run wrote, or train anew in "
            "another directory. Received: no such file"
        )
    with path.open("rb") as file:
        header = _HEADER.fullmatch(file.read(_BLOCK))
    if header is None:
        raise damaged(path, "a file that does not begin as a checkpoint does")
    found, digest = (part.decode() for part in header.groups())
    if found != run:
        raise RunError(
            f"{path} must be a checkpoint of the run that it lies in: put back the file that the "
            f"run wrote. Received: one of the run {found}, where this is {run}"
        )
    most = size + _OVERHEAD + count * _OVERHEAD_EACH
    if path.stat().st_size > most:
        raise damaged(path, f"{path.stat().st_size} bytes, where the model has {size}")
    if sha256_of(path, _BLOCK, run.encode()) != digest:
        raise damaged(path, f"content whose SHA-256 is not {digest}")


def _values(file: h5py.File, named: dict[str, Any]) -> list[np.ndarray]:
    """What a file holds for each variable; ValueError if names, shapes or types are others."""
    if len(file) != len(named) or set(file) != set(named):
        odd = sorted(set(file) ^ set(named))[:3]
        raise ValueError(f"a dataset for each of {len(named)} variables must be there; see {odd}")
    for name, variable in named.items():
        _check_dataset(file, name, tuple(variable.shape), _dtype(variable))
    values = [file[name][()] for name in named]
    for name, value in zip(named, values, strict=True):
        if not np.isfinite(value).all():
            raise ValueError(f"{name} must hold finite numbers; training may have diverged")
    return values


def _check_dataset(file: h5py.File, name: str, shape: tuple[int, ...], dtype: np.dtype) -> None:
    """ValueError unless a dataset can be read as it lies in the file, in this shape and type."""
    # What a link leads to is not looked at, if it may lead to another file.
    if type(file.get(name, getlink=True)) is not h5py.HardLink:
        raise ValueError(f"{name} must be in the file itself")
    dataset = file[name]
    if not isinstance(dataset, h5py.Dataset):
        raise ValueError(f"{name} must be a dataset")
    if dataset.shape != shape or dataset.dtype != dtype:
        raise ValueError(
            f"{name} must be {dtype} {list(shape)}, not {dataset.dtype} {list(dataset.shape or ())}"
        )
    made = dataset.id.get_create_plist()
    plain = made.get_layout() == h5py.h5d.CONTIGUOUS and made.get_nfilters() == 0
    if not plain or made.get_external_count() or dataset.id.get_storage_size() != dataset.nbytes:
        raise ValueError(f"{name} must lie in the file in one piece, without filters")
