"""A new recommender that begins with what another run has learned."""

from __future__ import annotations

import itertools
from pathlib import Path

import numpy as np

from tf_recdenoiser._keras import layers_of, raw_variable
from tf_recdenoiser.data import Dataset, Histories
from tf_recdenoiser.layers.users import UserEmbedding
from tf_recdenoiser.runs.checkpoints import model_variables
from tf_recdenoiser.runs.directory import RunDirectory
from tf_recdenoiser.runs.errors import RunError
from tf_recdenoiser.runs.settings import Settings
from tf_recdenoiser.training import Recommender

NEIGHBOURS = 2
"""How many items on either side of a new one in a history are its neighbours."""


def source_of(settings: Settings) -> RunDirectory | None:
    """The run that the settings begin with, if any."""
    path = settings.fit.warm_start
    return None if path is None else RunDirectory(Path(path))


def with_known_items(dataset: Dataset, settings: Settings) -> Dataset:
    """The data with the codes that the run has to which the settings begin, and new ones after.

    Its items stay in the vocabulary, whether the data have them or not.
    """
    source = source_of(settings)
    return dataset if source is None else dataset.with_items(grown(source.item_ids(), dataset))


def grown(known: np.ndarray, dataset: Dataset) -> np.ndarray:
    """Raw ids: those that are known, in their order, and then those that only the data have.

    Numbers become texts where the others are texts.
    """
    there = set(map(str, known.tolist()))
    new = [one for one in dataset.item_ids.tolist() if str(one) not in there]
    ids = [*known.tolist(), *new]
    if any(isinstance(one, str) for one in ids):
        return np.array([*map(str, ids)], object)
    return np.array(ids, np.int64)


def check_known_items(settings: Settings, dataset: Dataset) -> None:
    """RunError unless the data have the codes of the run that the settings begin with."""
    source = source_of(settings)
    if source is None:
        return
    known = source.item_ids()
    if [*map(str, dataset.item_ids[: len(known)].tolist())] != [*map(str, known.tolist())]:
        raise RunError(
            "The data must be those of `load_dataset(settings)`, which gives known items the codes "
            f"that they have in {source.path}. Received: data with other codes"
        )


def known_titles(
    settings: Settings, dataset: Dataset, given: np.ndarray | None
) -> np.ndarray | None:
    """The titles that are given, and for others those of the run with which the settings begin."""
    source = source_of(settings)
    known = None if source is None else source.titles()
    if known is None:
        return given
    titles = np.array([*known, *[""] * (dataset.item_count - len(known))], object)
    return titles if given is None else np.where(given == "", titles, given)


def warm_start(
    recommender: Recommender,
    trained: Recommender,
    users: tuple[np.ndarray | None, np.ndarray | None],
    train: Histories,
) -> None:
    """Give a new recommender the weights of a trained one.

    Vectors of known items and users are kept. A new item starts as the mean of the known items
    that stand next to it in the training sequences, and as it was drawn if there are none; a new
    user as the mean of the known ones.

    Parameters
    ----------
    recommender
        The new one, with the trained one's items first.
    trained
        The trained one, of the same settings.
    users
        Raw ids of the users that the new and the trained one know, by code; None if none.
    train
        The new one's training sequences.

    Raises
    ------
    RunError
        If the two have not the same weights.
    """
    of_users = {id(variable) for variable in _user_tables(recommender)}
    known = trained.backbone.item_count
    starts = _neighbours(train, known, recommender.backbone.item_count)
    ours, theirs = model_variables(recommender), model_variables(trained)
    if len(ours) != len(theirs):
        raise _unlike(recommender, trained)
    for variable, learned in zip(ours, theirs, strict=True):
        value, new = (raw_variable(one).numpy() for one in (learned, variable))
        if id(variable) in of_users:
            new = _of_users(value, *users)
        elif value.shape == new.shape:
            new = value
        elif (len(value), len(new), value.shape[1:]) == (
            known + 1,
            recommender.backbone.item_count + 1,
            new.shape[1:],
        ):
            new[: known + 1] = value
            for item, neighbours in starts.items():
                new[item] = value[neighbours].mean(axis=0)
        else:
            raise _unlike(recommender, trained)
        variable.assign(new)


def _unlike(recommender: Recommender, trained: Recommender) -> RunError:
    return RunError(
        "A run must have the model of the run that it begins with: leave out settings of the model "
        f"and its gates. Received: weights that differ ({recommender.count_params():,} numbers, "
        f"where {trained.count_params():,} were learned)"
    )


def _user_tables(recommender: Recommender) -> list[object]:
    return [one.embeddings for one in layers_of(recommender) if isinstance(one, UserEmbedding)]


def _of_users(learned: np.ndarray, new: np.ndarray | None, known: np.ndarray | None) -> np.ndarray:
    """A user table `[len(new), d]` from one that has a row for each of the `known`."""
    assert new is not None and known is not None
    row = {str(raw): number for number, raw in enumerate(known.tolist())}
    means = learned.mean(axis=0)
    rows = [row.get(str(raw)) for raw in new.tolist()]
    return np.stack([means if one is None else learned[one] for one in rows])


def _neighbours(train: Histories, known: int, item_count: int) -> dict[int, np.ndarray]:
    """Codes of the known items near each new one, as often as they are; by the new one's code."""
    owner = np.repeat(np.arange(train.row_count), train.lengths)
    pairs = []
    for distance in range(1, NEIGHBOURS + 1):
        same = owner[distance:] == owner[:-distance]
        left, right = train.items[:-distance][same], train.items[distance:][same]
        pairs += [np.stack([left, right]), np.stack([right, left])]
    item, near = np.concatenate(pairs, axis=1)
    wanted = (item > known) & (near <= known)
    item, near = item[wanted], near[wanted]
    order = np.argsort(item, kind="stable")
    item, near = item[order], near[order]
    starts = np.searchsorted(item, np.arange(known + 1, item_count + 2))
    return {
        known + 1 + index: near[first:last]
        for index, (first, last) in enumerate(itertools.pairwise(starts))
        if last > first
    }
