"""Estimators of the gates' gradient on a trained model: bias, variance, cost."""

from __future__ import annotations

import time
from collections.abc import Iterator
from typing import Any

import numpy as np
import tensorflow as tf

from tf_recdenoiser._keras import raw_variable
from tf_recdenoiser.data import Dataset
from tf_recdenoiser.estimators import ESTIMATORS, Estimator, PathwiseEstimator, get_estimator
from tf_recdenoiser.experiments.measurement import Measurement
from tf_recdenoiser.layers.sample import Evaluation, Sample
from tf_recdenoiser.runs import Run, load_split
from tf_recdenoiser.runs.build import best_recommender, build_batches
from tf_recdenoiser.training import Adam, Recommender

_FREE = 8
# Of gates that are looked up in a table, and of those that need the model.
_LOOKED_UP, _WORKED_OUT = 200_000, 200
_STEPS = 40
# Beyond it float32's sigmoid is 0 or 1.
_CERTAIN = 40.0


def estimators(run: Run, dataset: Dataset) -> Iterator[Measurement]:
    """Bias, variance and cost of every estimator on a batch of a trained model with gates.

    Bias: the eight gates that are least decided are drawn, all others are what they probably are,
    and dropout is off. All 256 states are tried, which gives the exact gradient of the expected
    loss, sum_z P(z) f(z) (z - sigma(logits)). "bias" is the distance of an estimator's mean from
    it, in percent of its length, and "chance" what of that the number of draws explains;
    "deviation" is the standard deviation of one draw in the same unit.

    Cost: of whole train steps, with dropout and all gates. "variance" is the sum over all gates of
    the variance of their gradient, "seconds" the median time of a step, and "variance × time" their
    product: what it costs to know the gradient as well. Both are ratios to ARM's.
    """
    batch = _batch(run, dataset)
    found = {name: _bias(_compiled(run, name, credit=False), batch) for name in ESTIMATORS}
    steps = {
        (name, credit): _steps(_compiled(run, name, credit), batch)
        for name in ESTIMATORS
        for credit in _credits(run.recommender, name)
    }
    usual_variance, usual_time = steps["arm", False]
    for (name, credit), (variance, seconds) in steps.items():
        ratio, slower = variance / usual_variance, seconds / usual_time
        yield Measurement(
            {
                # Credit leaves out what a gate cannot change: the mean is the same.
                **({} if credit else found[name]),
                "variance": ratio,
                "time": slower,
                "variance × time": ratio * slower,
            },
            {"estimator": f"{name} + credit" if credit else name},
        )


def _credits(model: Recommender, name: str) -> tuple[bool, ...]:
    pathwise = isinstance(get_estimator(name), PathwiseEstimator)
    return (False,) if pathwise or not model.backbone.causal else (False, True)


def _batch(run: Run, dataset: Dataset) -> Any:
    """The first batch that the run was trained by, as a train step takes it."""
    train = load_split(run.settings, dataset).split.train
    batches = build_batches(run.settings, train, dataset.item_count, run.recommender.backbone)
    inputs, rest = next(iter(batches.dataset()))
    return run.recommender.objective.example(inputs, rest)


def _compiled(run: Run, name: str, credit: bool) -> Recommender:
    """The run's model anew, since estimators leave running means in it."""
    model = best_recommender(run.directory)
    model.compile(Adam(1e-3), estimator=name, credit=credit, seed=0)
    return model


def _bias(model: Recommender, batch: Any) -> dict[str, float]:
    free, estimator = FreeGates(model, batch), model.estimator
    losses = free.losses()
    exact = exact_gradient(free.logits, losses)
    draws = (
        free.drawn(_WORKED_OUT)
        if isinstance(estimator, PathwiseEstimator)
        else looked_up(estimator, free.logits, losses, _LOOKED_UP)
    )
    length = float(np.linalg.norm(exact))
    deviation = float(np.sqrt(draws.var(axis=0).sum()))
    return {
        "bias": 100 * float(np.linalg.norm(draws.mean(axis=0) - exact)) / length,
        "chance": 100 * deviation / np.sqrt(len(draws)) / length,
        "deviation": 100 * deviation / length,
    }


class FreeGates:
    """The least decided gates of a model, while all others are what they probably are.

    Parameters
    ----------
    model
        Compiled, with gates that are the same for every sequence.
    batch
        Of which the loss is taken.
    count
        How many gates are free; 8 by default.
    """

    def __init__(self, model: Recommender, batch: Any, count: int = _FREE) -> None:
        self._model, self._batch = model, batch
        self._variables = [raw_variable(layer.logits) for layer in model.gate_layers]
        self._kept = [variable.numpy() for variable in self._variables]
        with self._evaluation(tf.zeros([2], tf.int32)) as recorder:
            model._batch_losses(batch)
        usable = [
            np.broadcast_to(record.usable.numpy(), kept.shape)
            for record, kept in zip(recorder.gates.values(), self._kept, strict=True)
        ]
        flat = np.concatenate([kept.ravel() for kept in self._kept])
        undecided = np.where(np.concatenate([one.ravel() for one in usable]), abs(flat), np.inf)
        self._places = np.argsort(undecided, kind="stable")[:count]
        self._certain = np.where(flat > 0, _CERTAIN, -_CERTAIN).astype(flat.dtype)
        self._raw = flat[self._places]
        self._loss = tf.function(self._mean_loss)

    @property
    def logits(self) -> np.ndarray:
        """Of the free gates, `[m]` float64: k times what is learned."""
        return np.asarray(self._sharpness * self._raw, np.float64)

    @property
    def _sharpness(self) -> float:
        return float(self._model.gate_layers[0].sharpness)

    def losses(self) -> np.ndarray:
        """The batch's loss in every state of the free gates, `[2**m]`."""
        found = []
        for state in gate_states(len(self._places)):
            self._set(np.where(state > 0, _CERTAIN, -_CERTAIN))
            found.append(float(self._loss(tf.zeros([2], tf.int32))))
        return np.array(found)

    def drawn(self, draws: int) -> np.ndarray:
        """Gradients of the free gates that flow through the model, `[draws, m]`.

        Those of the estimator that the model is compiled with.
        """
        self._set(self._raw)

        @tf.function
        def gradients(seed: tf.Tensor) -> list[tf.Tensor]:
            with tf.GradientTape() as tape:
                loss = self._mean_loss(seed)
            return [tf.convert_to_tensor(one) for one in tape.gradient(loss, self._variables)]

        found = []
        for draw in range(draws):
            parts = gradients(tf.constant([draw, 1]))
            flat = np.concatenate([part.numpy().ravel() for part in parts])
            found.append(flat[self._places] / self._sharpness)
        return np.stack(found)

    def _set(self, values: np.ndarray) -> None:
        flat = self._certain.copy()
        flat[self._places] = values
        sizes = np.cumsum([kept.size for kept in self._kept])[:-1]
        for variable, part in zip(self._variables, np.split(flat, sizes), strict=True):
            variable.assign(part.reshape(variable.shape))

    def _mean_loss(self, seed: tf.Tensor) -> tf.Tensor:
        with self._evaluation(seed):
            losses, targets, _ = self._model._batch_losses(self._batch)
        return tf.reduce_sum(losses) / targets

    def _evaluation(self, seed: tf.Tensor) -> Evaluation:
        estimator = self._model.estimator
        return Evaluation(Sample(seed, estimator, with_penalties=False, with_dropout=False))


def gate_states(count: int) -> np.ndarray:
    """All states of `count` gates, `[2**count, count]`: state s has bit g in column g.

    Examples
    --------
    >>> gate_states(2).tolist()
    [[0.0, 0.0], [1.0, 0.0], [0.0, 1.0], [1.0, 1.0]]
    """
    return ((np.arange(2**count)[:, None] >> np.arange(count)) & 1).astype(float)


def exact_gradient(logits: np.ndarray, losses: np.ndarray) -> np.ndarray:
    """The gradient of the expected loss in the logits: sum_z P(z) f(z) (z - sigma(logits)).

    Parameters
    ----------
    logits
        `[m]`.
    losses
        f in every state, `[2**m]`, in the order of `gate_states`.

    Examples
    --------
    >>> exact_gradient(np.zeros(1), np.array([0.0, 1.0]))
    array([0.25])
    """
    keep = 1 / (1 + np.exp(-logits))
    states = gate_states(len(logits))
    probability = np.where(states > 0, keep, 1 - keep).prod(axis=1)
    return np.asarray((probability * losses) @ (states - keep))


def looked_up(
    estimator: Estimator, logits: np.ndarray, losses: np.ndarray, draws: int
) -> np.ndarray:
    """Draws of an estimator, `[draws, m]`, whose losses are read from a table of all states.

    Where it wants a baseline, that is the expected loss.
    """
    rng = np.random.default_rng(0)
    shape = [estimator.uniforms, draws, len(logits)]
    uniform = tf.constant(rng.random(shape))
    spread = tf.constant(np.broadcast_to(logits, shape[1:]))
    places = 2 ** np.arange(len(logits))
    found = [
        losses[(gates.numpy() > 0.5).astype(int) @ places]
        for gates in estimator.gates(spread, uniform)
    ]
    if estimator.baseline:
        keep = 1 / (1 + np.exp(-logits))
        states = gate_states(len(logits))
        found[0] = found[0] - np.where(states > 0, keep, 1 - keep).prod(axis=1) @ losses
    columns = [tf.constant(one[:, None]) for one in found]
    return np.asarray(estimator.gradient(spread, uniform, columns))


def _steps(model: Recommender, batch: Any) -> tuple[float, float]:
    """The variance of all gates' gradient from step to step, and the median seconds of a step."""
    model.build_optimizers()
    gates = {id(variable) for layer in model.gate_layers for variable in layer.trainable_variables}
    is_gate = [id(variable) in gates for variable in model.trainable_variables]

    @tf.function
    def step(seed: tf.Tensor) -> list[tf.Tensor]:
        gradients, *_ = model._batch_gradients(batch, seed)
        # All of them are worked out: what is asked for alone would be cheaper than a step.
        with tf.control_dependencies([tf.convert_to_tensor(one) for one in gradients]):
            pairs = zip(gradients, is_gate, strict=True)
            return [tf.identity(one) for one, wanted in pairs if wanted]

    found, seconds = [], []
    # Running means have settled after a few.
    for number in range(_STEPS):
        began = time.perf_counter()
        parts = [part.numpy().ravel() for part in step(tf.constant([number, 2]))]
        seconds.append(time.perf_counter() - began)
        found.append(np.concatenate(parts))
    settled = np.stack(found)[_STEPS // 4 :]
    return float(settled.var(axis=0, ddof=1).sum()), float(np.median(seconds))
