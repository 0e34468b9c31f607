"""The third stage of a run: training, with a record of each epoch."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from tf_recdenoiser._keras import raw_variable
from tf_recdenoiser.runs.build import Built
from tf_recdenoiser.runs.cluster import Cluster
from tf_recdenoiser.runs.directory import RunDirectory
from tf_recdenoiser.runs.errors import RunError
from tf_recdenoiser.runs.finite import RequireFinite
from tf_recdenoiser.runs.recording import Following, Recording, is_exhausted
from tf_recdenoiser.runs.scoring import Scorer
from tf_recdenoiser.runs.settings import Settings


def epochs_done(built: Built, directory: RunDirectory) -> list[dict[str, Any]]:
    """The log of the epochs that a recommender has behind it."""
    done = (
        int(raw_variable(built.recommender.optimizer.iterations).numpy())
        // built.batches.steps_per_epoch
    )
    history = directory.history()[:done]
    if [row.get("epoch") for row in history] != [*range(1, done + 1)]:
        raise RunError(
            f"{directory.history_file} must have a line for each of the {done} epochs that "
            f"{directory.last} has behind it: put back the file that the run wrote, or train "
            f"anew in another directory. Received: {len(history)} lines"
        )
    return history


def fit(
    built: Built,
    settings: Settings,
    valid: Scorer,
    directory: RunDirectory,
    history: list[dict[str, Any]],
    callbacks: Sequence[Any],
    cluster: Cluster,
) -> None:
    """Train on from the epochs of `history`, which grows, until the settings or patience end it."""
    recommender, batches, done = built.recommender, built.batches, len(history)
    # Without weights to train, an epoch changes nothing: one is enough to see how good it is.
    epochs = settings.fit.epochs if recommender.trainable_variables else 1
    if done >= epochs or (history and is_exhausted(history, settings.fit.patience)):
        return
    if not cluster.is_chief:
        recording: Any = Following(cluster.of_chief)
    else:
        recording = Recording(
            directory,
            lambda: valid.result(recommender, "full").summary(ks=(10,)),
            settings.evaluation.validate_every,
            epochs,
            settings.fit.patience,
            history,
            cluster.of_chief,
        )
    recommender.fit(
        cluster.dataset(batches, done, epochs - done, recommender.objective.example),
        initial_epoch=done,
        epochs=epochs,
        steps_per_epoch=batches.steps_per_epoch,
        shuffle=False,  # the batches are shuffled already
        callbacks=[RequireFinite(), recording, *callbacks],
        verbose=0,
    )
