"""The manifest of a run: the SHA-256 of each of its files.

When a run begins it lists what does not change from then on; when the run is finished, all. A run
that goes on is first made an unfinished one, so that no kill between two writes leaves a manifest
that says what is not so.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

from tf_recdenoiser.runs import records
from tf_recdenoiser.runs.errors import RunError, damaged
from tf_recdenoiser.runs.files import read_json, sha256_of, write_json

MANIFEST = "manifest.json"
METRICS = "metrics.json"
MODEL = "model.json"
_SEARCH = re.compile(r"(model|noise)\.json|noise\.npy|checkpoints/detector_[1-9][0-9]?\.h5")
_FIXED = re.compile(rf"(data|environment|vocabulary|users|titles)\.json|{_SEARCH.pattern}")
_FINAL = re.compile(r"settings\.toml|history\.jsonl|metrics\.json|checkpoints/(last|best)\.h5")


def begin(run: Path) -> None:
    """List the files that do not change from now on."""
    _write(run, {name: sha256_of(run / name) for name in _present(run, is_fixed)})


def seal(run: Path) -> None:
    """List all files: the run is finished."""
    _write(run, {name: sha256_of(run / name) for name in _present(run, is_listed)})


def unseal(run: Path) -> None:
    """List only what does not change: the run goes on."""
    _write(run, {name: sha for name, sha in _read(run).items() if is_fixed(name)})


def is_sealed(run: Path) -> bool:
    """Whether the run is finished, and its metrics are there."""
    return (run / METRICS).exists() and lists(run, METRICS)


def lists(run: Path, name: str) -> bool:
    """Whether a file is listed."""
    return (run / MANIFEST).exists() and name in _read(run)


def clear(run: Path, chosen: Callable[[str], bool]) -> None:
    """Delete those files of a run whose names are chosen."""
    for name in _present(run, chosen):
        (run / name).unlink()


def verify(run: Path) -> None:
    """Raise RunError unless each file is as it was listed.

    Metrics may be missing: whoever deletes them can have them measured again.
    """
    listed = _read(run)
    for name in listed:
        check(run, name, listed)
    sealed = any(not is_fixed(name) for name in listed)
    for name in _present(run, is_listed if sealed else is_fixed):
        if name not in listed:
            raise RunError(
                f"{run / name} must be in {MANIFEST}, with the other files of the run: remove it, "
                f"or put back the {MANIFEST} that the run wrote. Received: a file that is not "
                "listed"
            )


def check(run: Path, name: str, listed: dict[str, str] | None = None) -> None:
    """Raise RunError if a file is not as it was listed; one that is not listed may be anything."""
    expected = (_read(run) if listed is None else listed).get(name)
    file = run / name
    if expected is None or (name == METRICS and not file.exists()):
        return
    if not file.is_file():
        raise RunError(
            f"{file} must be there, since {MANIFEST} lists it: put back the file that the run "
            "wrote, or train anew in another directory. Received: no such file"
        )
    found = sha256_of(file)
    if found != expected:
        raise damaged(file, f"SHA-256 {found}, where {MANIFEST} has {expected}")


def is_fixed(name: str) -> bool:
    """Whether a file does not change once a run has begun."""
    return _FIXED.fullmatch(name) is not None


def is_of_search(name: str) -> bool:
    """Whether a file is written between the search for noise and training."""
    return _SEARCH.fullmatch(name) is not None


def is_listed(name: str) -> bool:
    """Whether a file is in the manifest of a finished run."""
    return is_fixed(name) or _FINAL.fullmatch(name) is not None


def _present(run: Path, chosen: Callable[[str], bool]) -> list[str]:
    files = [*run.glob("*"), *(run / "checkpoints").glob("*")]
    return sorted(filter(chosen, (file.relative_to(run).as_posix() for file in files)))


def _read(run: Path) -> dict[str, str]:
    path = run / MANIFEST
    if not path.is_file():
        raise RunError(
            f"{path} must be there, with the digest of each file: put back the file that the run "
            "wrote, or train anew in another directory. Received: no such file"
        )
    return read_json(path, _listed)


def _listed(recorded: Any) -> dict[str, str]:
    found = records.entries(records.entries(recorded)["files"])
    for name, sha in found.items():
        records.digest(name, sha)
        if not is_listed(name):
            raise ValueError(f"no run has a file {name!r}")
    if not found:
        raise ValueError("at least one file must be listed")
    return dict(found)


def _write(run: Path, listed: dict[str, str]) -> None:
    write_json(run / MANIFEST, {"files": listed})
