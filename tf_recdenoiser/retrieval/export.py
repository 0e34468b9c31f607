"""A trained recommender as a SavedModel for TensorFlow Serving."""

from __future__ import annotations

import math
import os
from pathlib import Path

import numpy as np
import tensorflow as tf

from tf_recdenoiser._files import check_room, locked, written_whole
from tf_recdenoiser.noise import NoiseScorer, Treatment
from tf_recdenoiser.retrieval.server_files import write_server_files
from tf_recdenoiser.retrieval.serving_module import ServingModule
from tf_recdenoiser.retrieval.versions import free_version
from tf_recdenoiser.retrieval.warmup import write_warmup_requests
from tf_recdenoiser.training.recommender import Recommender


def export_saved_model(
    recommender: Recommender,
    item_ids: np.ndarray,
    directory: str | os.PathLike[str],
    version: int | None = None,
    max_k: int = 100,
    noise: NoiseScorer | None = None,
    cleaning: Treatment | None = None,
    user_ids: np.ndarray | None = None,
    titles: np.ndarray | None = None,
) -> Path:
    """Write a recommender as `directory/VERSION/`, with warm-up requests.

    It takes and returns raw ids, in the signatures `serving_default` and `explain` that
    `ServingModule.signatures` describes, and loads with TensorFlow alone. The version appears
    whole or not at all: it is written beside its place, under a name that TensorFlow Serving
    does not take for a version, and then renamed.

    Beside the versions stand `models.config`, which names the model and where a container has
    it, and `batching.config`, for a server that runs requests together. They are written once,
    and then left as they are.

    Parameters
    ----------
    recommender
        The trained model.
    item_ids
        The raw ids `[item_count]`, integers or strings: the item with the code c has the id
        `item_ids[c - 1]`. All different; strings not empty.
    directory
        The model's, with a subdirectory for each version. Made if need be. Its name is the
        model's in the warm-up requests.
    version
        At least 1; None (default) for the one after the highest there is.
    max_k
        The most items that a row is answered with, whatever it asks for; 100 by default.
    noise, cleaning
        What finds noise in histories, and what is done about it; see `ServingModule`.
    user_ids
        The raw ids of the users that the backbone knows, by code; None (default) for a backbone
        that reads no users.
    titles
        What people call the items, texts `[item_count]`, to be answered beside their ids; None
        (default) for none.

    Returns
    -------
    The version directory.

    Raises
    ------
    FileExistsError
        If the version is there already.
    FolderError
        If the directory cannot be written to, or another process writes to it.
    ValueError, TypeError
        If the model, the ids, the version or `max_k` cannot be exported.

    Examples
    --------
    >>> import tempfile
    >>> from tf_recdenoiser.backbones import SASRec
    >>> model = Recommender(SASRec(item_count=3, max_length=4, hidden_dim=8))
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     path = export_saved_model(model, np.array([10, 20, 30]), Path(folder, "fruit"))
    ...     loaded = tf.saved_model.load(str(path))
    >>> path.parts[-2:]
    ('fruit', '1')
    >>> sorted(loaded.signatures)
    ['explain', 'serving_default']
    """
    directory = Path(directory).absolute()
    module = ServingModule(recommender, item_ids, max_k, noise, cleaning, user_ids, titles)
    with locked(directory):
        # What is written holds the weights once, and little else.
        check_room(directory, 2 * _size_of(recommender))
        target = directory / str(free_version(directory, version))
        with written_whole(target) as written:
            tf.saved_model.save(module, str(written), signatures=module.signatures)
            write_warmup_requests(
                written,
                module.item_ids,
                recommender.backbone.max_length,
                directory.name,
                cleans=noise is not None,
                user_ids=user_ids,
                timed="times" in recommender.backbone.extra_inputs,
                reads_feedback=noise is not None and noise.reads_feedback,
            )
        write_server_files(directory, module.no_id)
    return target


def _size_of(recommender: Recommender) -> int:
    """The bytes of all weights, taken for float32."""
    return 4 * sum(math.prod(weight.shape) for weight in recommender.weights)
