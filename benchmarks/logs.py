"""The log that all contenders read: rows `user item`, each user's oldest first.

As SASRec's authors write them; whole numbers. NumPy alone, so that any environment can read it.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np

SYNTHETIC = "synthetic"
SHARED = Path(__file__).resolve().parents[2] / "shared" / "data" / "ml-1m.txt"

# The size of ml-1m, for where it is absent.
USERS, ITEMS, LENGTH = 6040, 3416, 165


def write_log(path: Path, users: int, items: int, length: int, seed: int = 0) -> Path:
    """Write a log in which every item is taken, and most by popularity (Zipf's law).

    Parameters
    ----------
    path
        Of the file.
    users, items
        How many.
    length
        Items of each user; more where the log would else be too short to hold every item.
    seed
        Of what is drawn.
    """
    rng = np.random.default_rng(seed)
    length = max(length, -(-items // users))
    share = 1.0 / np.arange(1.0, items + 1.0)
    taken = rng.choice(items, size=users * length, p=share / share.sum()) + 1
    taken[rng.permutation(users * length)[:items]] = np.arange(1, items + 1)
    rows = np.column_stack([np.repeat(np.arange(1, users + 1), length), taken])
    path.parent.mkdir(parents=True, exist_ok=True)
    np.savetxt(path, rows, fmt="%d")
    return path


def read_log(path: str) -> tuple[np.ndarray, np.ndarray]:
    """The users and the items of a log's rows, whatever else its rows hold."""
    with open(path, encoding="utf-8") as file:
        columns = np.loadtxt(file, dtype=np.int64, usecols=(0, 1))
    return columns[:, 0], columns[:, 1]


def describe(path: Path) -> str:
    """The name and the size of a log."""
    users, items = read_log(str(path))
    return (
        f"{path.name}: {len(np.unique(users)):,} users, {len(np.unique(items)):,} items, "
        f"{len(users):,} interactions"
    )
