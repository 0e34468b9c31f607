"""The second stage of a run: its recommender, compiled, and its batches."""

from __future__ import annotations

import dataclasses
import math
from pathlib import Path
from typing import Any

import numpy as np

from tf_recdenoiser import _keras
from tf_recdenoiser._keras import keras
from tf_recdenoiser._settings import paths
from tf_recdenoiser.backbones import Backbone
from tf_recdenoiser.data import (
    Batches,
    Histories,
    PreparedDataset,
    StreamedBatches,
    TrainingBatches,
)
from tf_recdenoiser.estimators import get_estimator
from tf_recdenoiser.layers import GATES, get_attention
from tf_recdenoiser.noise.injection import noise_frequencies
from tf_recdenoiser.runs.checkpoints import (
    model_variables,
    read_checkpoint,
    training_variables,
)
from tf_recdenoiser.runs.cluster import Cluster
from tf_recdenoiser.runs.directory import RunDirectory
from tf_recdenoiser.runs.errors import parsed
from tf_recdenoiser.runs.noise_known import NoiseKnown
from tf_recdenoiser.runs.records import check_room
from tf_recdenoiser.runs.resolve import build_gates, build_objective, resolve
from tf_recdenoiser.runs.settings import Settings
from tf_recdenoiser.runs.shard_noise import ShardNoise
from tf_recdenoiser.runs.sources import streamed
from tf_recdenoiser.runs.warm_start import warm_start
from tf_recdenoiser.training import LAZY_FROM, OPTIMIZERS, Adam, Recommender, fix_gates


@dataclasses.dataclass(frozen=True, eq=False)
class Built:
    """A recommender, new or from its last checkpoint, and the batches it is trained by."""

    recommender: Recommender
    batches: Batches


def build(known: NoiseKnown, directory: RunDirectory, cluster: Cluster) -> Built:
    """The recommender of a run: the last checkpoint's, or a new one.

    It is made for the devices of `cluster`, and its batches are those of this process.
    """
    settings, item_count = known.settings, known.dataset.item_count
    train, noise = known.noisy.split.train, known.probability
    prepared = streamed(settings)
    users = known.user_count if prepared is None else sum(prepared.manifest.learned.values())
    with cluster.scope():
        recommender = build_recommender(settings, item_count, users, known.mixture_rate)
    if directory.exists() and directory.last.exists():
        _go_on(recommender, directory)
    else:
        if settings.fit.warm_start is not None:
            _take_weights(recommender, known, settings.fit.warm_start)
        observed = np.bincount(train.items, minlength=item_count + 1)
        recommender.assume_noise(noise_frequencies(observed, settings.noise.distribution))
        clean = None if noise is None else 1.0 - noise
        recommender.backbone.adapt(np.bincount(train.items, clean, minlength=item_count + 1))
        if getattr(settings.gates, "source", None) is not None:
            _take_gates(recommender, settings)
    batches: Batches
    if prepared is None:
        whole = build_batches(settings, train, item_count, recommender.backbone, noise)
        batches = cluster.part(whole)
    else:
        batches = _streamed_batches(known, prepared, recommender.backbone, cluster)
    return Built(recommender, batches)


def _streamed_batches(
    known: NoiseKnown, prepared: PreparedDataset, backbone: Backbone, cluster: Cluster
) -> Batches:
    settings, item_count = known.settings, known.dataset.item_count
    noise_of = None if known.detection is None else ShardNoise(known)
    own_rows = max(1, settings.fit.batch_size // cluster.workers)

    def batches_of(shard: str, train: Histories, seed: int) -> Batches:
        noise = None if noise_of is None else noise_of(shard, train)
        seeded = settings.replace({"seed": seed, "fit.batch_size": own_rows})
        return build_batches(seeded, train, item_count, backbone, noise)

    return StreamedBatches(
        prepared, batches_of, own_rows, settings.seed, cluster.index, cluster.workers
    )


def _go_on(recommender: Recommender, directory: RunDirectory) -> None:
    variables, run = training_variables(recommender), directory.model_record().run
    read_checkpoint(directory.last, recommender, variables, run)


def _take_weights(recommender: Recommender, known: NoiseKnown, path: str) -> None:
    users = known.user_ids, RunDirectory(Path(path)).user_ids()
    warm_start(recommender, _trained(path), users, known.noisy.split.train)


def _take_gates(recommender: Recommender, settings: Settings) -> None:
    fix_gates(
        recommender,
        _trained(settings.gates.source),
        settings.gates.shuffle,
        settings.seed,
        recommender.backbone.causal,
    )


def _trained(path: str) -> Recommender:
    """The recommender of another run."""
    source = RunDirectory(Path(path))
    source.check_keras()
    source.verify()
    return best_recommender(source)


def best_recommender(directory: RunDirectory) -> Recommender:
    """The recommender of a run's best epoch: built by what is recorded, with weights as they were.

    Raises
    ------
    RunError
        If the record, or the checkpoint, is not what a run wrote.
    """
    record, best = directory.model_record(), directory.best
    settings, file = directory.settings(), directory.path / "settings.toml"
    if best.is_file():
        parsed(best, lambda: check_room(settings, record.item_count, best.stat().st_size))
    recommender = parsed(
        file,
        lambda: build_recommender(
            settings, record.item_count, record.user_count, record.noise_rate
        ),
    )
    read_checkpoint(best, recommender, model_variables(recommender), record.run)
    return recommender


def build_batches(
    settings: Settings,
    train: Histories,
    item_count: int,
    backbone: Backbone,
    noise: np.ndarray | None = None,
) -> TrainingBatches:
    """The batches by which the settings train a backbone.

    Parameters
    ----------
    settings
        Of the run.
    train
        The users' training sequences.
    item_count
        Number of items.
    backbone
        What reads the batches.
    noise
        The probability of noise of each item of `train`; None (default) for none.
    """
    objective = build_objective(settings)
    known: dict[str, Any] = {}
    if noise is not None:
        correction = settings.noise.corrects
        known = {
            "target_weights": correction.target_weights(noise),
            "left_out": noise if correction.leaves_items_out else None,
            "clean_probability": 1.0 - noise,
        }
    return TrainingBatches(
        train,
        item_count,
        settings.model.max_length,
        settings.fit.batch_size,
        objective.negatives,
        settings.seed,
        settings.fit.windows,
        extra_inputs=backbone.extra_inputs,
        task=backbone.task,
        share_negatives=objective.share_negatives,
        **known,
    )


def build_recommender(
    settings: Settings, item_count: int, user_count: int = 0, noise_rate: float = 0.0
) -> Recommender:
    """The untrained, compiled recommender of these settings.

    Parameters
    ----------
    settings
        Of the run.
    item_count
        Number of items.
    user_count
        Of users of whom something can be learned; needed if the backbone knows users, or for
        `gates.delay`; 0 by default.
    noise_rate
        See `build_objective`; 0 by default.
    """
    settings = resolve(settings)
    with _keras.dtype_policy(settings.fit.precision):
        return _compiled(settings, item_count, user_count, noise_rate)


def _compiled(
    settings: Settings, item_count: int, user_count: int, noise_rate: float
) -> Recommender:
    model = settings.model
    attention = getattr(model, "attention", None)
    backbone: Backbone = model.make(
        item_count=item_count,
        user_count=user_count,
        gates=build_gates(settings),
        soften=settings.soften,
        attention=None if attention is None else get_attention(paths(attention)),
    )
    recommender = Recommender(backbone, build_objective(settings, noise_rate))
    optimizer = settings.fit.optimizer or ("lazy_adam" if item_count >= LAZY_FROM else "adam")
    recommender.compile(
        OPTIMIZERS[optimizer](settings.fit.learning_rate, beta_2=0.98),
        l2=settings.fit.l2,
        seed=settings.seed,
        **_gate_training(settings, user_count),
    )
    # Else the first train step makes the optimizers' variables, and has to be traced twice.
    recommender.build_optimizers()
    return recommender


def _gate_training(settings: Settings, user_count: int) -> dict[str, Any]:
    """What `GateTraining.compile` takes of gates that learn."""
    gates = settings.gates
    if gates.name not in GATES:
        return {}
    return {
        "gate_optimizer": Adam(_gate_learning_rate(settings, user_count)),
        "estimator": get_estimator(paths(gates.estimator)),
        "credit": gates.credit,
        "estimator_batch_size": gates.estimator_batch_size,
    }


def _gate_learning_rate(settings: Settings, user_count: int) -> Any:
    """Of the gates' Adam: a number, or a schedule that is 0 in the epochs of `gates.delay`."""
    gates = settings.gates
    if gates.delay == 0:
        return gates.learning_rate
    if user_count < 1:
        raise ValueError(
            "`user_count` must be given with `gates.delay`, whose epochs have as many steps as "
            f"there are batches of users. Received: user_count={user_count}"
        )
    if gates.target_density is not None:
        raise ValueError(
            "`gates.delay` must be 0 with `gates.target_density`, whose sparsity weight would only "
            f"rise while the gates stand still. Received: gates.delay={gates.delay}, "
            f"gates.target_density={gates.target_density}"
        )
    steps = gates.delay * math.ceil(user_count / settings.fit.batch_size)
    rates = [0.0, gates.learning_rate]
    return keras.optimizers.schedules.PiecewiseConstantDecay([steps - 1], rates)
