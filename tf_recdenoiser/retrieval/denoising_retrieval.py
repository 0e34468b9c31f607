"""Retrieval models of TensorFlow Recommenders (TFRS) that denoise."""

from __future__ import annotations

import importlib.util
import inspect
from collections.abc import Callable
from typing import Any

import tensorflow as tf

from tf_recdenoiser._keras import IS_KERAS_3, keras
from tf_recdenoiser.backbones.base import Backbone
from tf_recdenoiser.layers.records import Recorder
from tf_recdenoiser.layers.sample import Evaluation, Sample, current_evaluation
from tf_recdenoiser.training import GateTraining
from tf_recdenoiser.training.gate_training import gate_statistics

if IS_KERAS_3:
    raise ImportError(
        "TensorFlow Recommenders needs tf_keras, and `tf.keras` is Keras 3 in this process: set "
        "TF_USE_LEGACY_KERAS=1 before TensorFlow is imported, in the shell "
        "(export TF_USE_LEGACY_KERAS=1) or as the first lines of the program "
        '(import os; os.environ["TF_USE_LEGACY_KERAS"] = "1").'
    )

try:
    import tensorflow_recommenders as tfrs
except tf.errors.NotFoundError as error:
    # TFRS imports ScaNN where it is installed, and is ready for it to be missing alone.
    raise ImportError(
        "TensorFlow Recommenders cannot be imported beside an installed package that was made for "
        f"another TensorFlow than {tf.__version__}, most likely scann: remove it "
        "(pip uninstall scann), or install a version that was made for this one."
    ) from error

INDEXES: dict[str, type] = {
    "brute_force": tfrs.layers.factorized_top_k.BruteForce,
    "streaming": tfrs.layers.factorized_top_k.Streaming,
    "scann": tfrs.layers.factorized_top_k.ScaNN,
}
"""Every kind of top-k index by name; `scann` needs the package of that name."""

_GIVEN_TO_TASK = ("candidate_ids", "candidate_sampling_probability", "sample_weight")


class DenoisingRetrieval(GateTraining, tfrs.Model):
    """A `tfrs.Model` whose train step drives the gates in its towers.

    As it is, it retrieves the next item by a sequence encoder. The query is the encoder's output
    at the newest item of a history, the score its inner product with a candidate's vector.
    Batches are dicts of the encoder's inputs (`item_ids` `[B, n]`, left-padded with 0, and its
    `extra_inputs`) and

    * `candidate`, the next item: what the candidate tower takes, ids `[B]` without one;
    * where wanted, `candidate_ids`, `candidate_sampling_probability` and `sample_weight`, each
      `[B]`, which the task is given by these names.

    The task's metrics are computed in evaluation alone, its batch metrics in training too.

    A model of your own derives from it as from `tfrs.Model`, by a constructor that calls
    `super().__init__()` and a `compute_loss`: one that was written for TFRS is denoised by this
    base class and gates in its query tower. `compute_loss` returns the sum of the queries'
    losses, as `tfrs.tasks.Retrieval` does, or one loss for each query `[B]`, as a task does whose
    `loss` has `reduction="none"`. Gates of each sequence then answer for the loss of its own query
    alone, which has less variance. They belong in the query tower, since a candidate is a negative
    of all other queries. While training, the towers are in training too, unless they are called
    with `training=False`.

    The loss is the paper's objective (Eq. 13) as a sum, as is usual in TFRS,

        sum over queries of the loss + beta sum of sigma(k Phi)
            + (gamma/d) sum of ||J||_F^2 + alpha ||Theta||^2

    and the gates' gradient is the estimator's, as in `DenoisingModel`. It is evaluated as often as
    the estimator asks, on the same batch with the same negatives; metrics count the first
    evaluation alone. Reports what `tfrs.Model` does, and `sparsity`, `jacobian`, `density_l` and
    `keep_l`. Over the batches of an epoch or of `evaluate`, losses are means of the batches' sums:
    each batch counts once, since its sum has counted its queries. Under `tf.distribute` a query's
    negatives are the candidates of its replica's part of the batch, as in any TFRS model.

    Parameters
    ----------
    backbone
        The query tower; None (default) in a model with a `compute_loss` of its own.
    candidate_tower
        A Keras model from what is known of items to their vectors `[B, d]`, of the backbone's
        width; None (default) for the backbone's item table.
    task
        A `tfrs.tasks.Retrieval`, whose temperature, removal of accidental hits and metrics are
        set as ever; one with a `loss` that is not reduced by default.

    Examples
    --------
    >>> from tf_recdenoiser.backbones import SASRec
    >>> backbone = SASRec(item_count=9, max_length=4, hidden_dim=8, gates="positional")
    >>> model = DenoisingRetrieval(backbone)
    >>> model.compile("adam")
    >>> batch = {"item_ids": tf.constant([[0, 0, 3, 7], [1, 2, 3, 4]]), "candidate": [5, 6]}
    >>> history = model.fit(tf.data.Dataset.from_tensors(batch), verbose=0)
    >>> scores, best = model.index(k=3)({"item_ids": tf.constant([[0, 0, 3, 7]])})
    >>> tuple(best.shape)
    (1, 3)

    A model of your own:

    >>> class Model(DenoisingRetrieval):
    ...     def __init__(self):
    ...         super().__init__()
    ...         self.query_tower = SASRec(
    ...             item_count=9, max_length=4, hidden_dim=8, gates="positional"
    ...         )
    ...         self.candidate_tower = keras.layers.Embedding(10, 8)
    ...         self.task = tfrs.tasks.Retrieval()
    ...
    ...     def compute_loss(self, features, training=False):
    ...         queries = self.query_tower({"item_ids": features["history"]})
    ...         return self.task(queries[:, -1], self.candidate_tower(features["next"]))
    >>> model = Model()
    >>> model.compile(keras.optimizers.Adagrad(0.1))
    >>> batch = {"history": tf.constant([[0, 0, 3, 7], [1, 2, 3, 4]]), "next": tf.constant([5, 6])}
    >>> sorted(model.train_step(batch))[:4]
    ['density_1', 'density_2', 'jacobian', 'keep_1']
    """

    def __init__(
        self,
        backbone: Backbone | None = None,
        candidate_tower: Any = None,
        task: Any = None,
        name: str | None = None,
    ) -> None:
        super().__init__(name=name)
        self.backbone = backbone
        if backbone is not None:
            self.candidate_tower = candidate_tower or backbone.item_embedding
            self.task = task or tfrs.tasks.Retrieval(
                loss=keras.losses.CategoricalCrossentropy(from_logits=True, reduction="none")
            )
        elif candidate_tower is not None or task is not None:
            raise ValueError(
                "`backbone` must be given with `candidate_tower` and `task`; a model with a "
                "`compute_loss` of its own has them as attributes. Received: backbone=None"
            )

    def compile(self, optimizer: Any = "adam", **kwargs: Any) -> None:
        """As `GateTraining.compile`.

        ValueError if `estimator_batch_size` is set: with other rows left out, a query's negatives,
        and so its loss, would be others.
        """
        if kwargs.get("estimator_batch_size") is not None:
            raise ValueError(
                "`estimator_batch_size` must be None where the negatives are those of the batch. "
                f"Received: {kwargs['estimator_batch_size']}"
            )
        super().compile(optimizer, **kwargs)

    def train_step(self, inputs: Any) -> dict[str, tf.Tensor]:
        gradients, parts = self.loss_gradients(inputs, self._step_seed())
        self._apply(gradients)
        return self._logs(parts)

    def test_step(self, inputs: Any) -> dict[str, tf.Tensor]:
        with Evaluation(Sample(tf.zeros([2], tf.int32))) as recorder:
            loss = tf.reduce_sum(self.compute_loss(inputs, training=False))
        total = tf.add_n([loss, *map(tf.reduce_sum, self.losses)])
        parts = {"data": loss, "loss": total, **gate_statistics(recorder)}
        return self._logs({**parts, "targets": tf.ones([])})

    def loss_gradients(self, inputs: Any, seed: tf.Tensor) -> tuple[list[Any], dict[str, Any]]:
        """The gradients of one batch, in the order of `trainable_variables`, and the loss.

        Parameters
        ----------
        inputs
            A batch, as `compute_loss` takes it.
        seed
            Integers `[2]`: everything random is a function of them.

        Returns
        -------
        The gradients, and the parts of the loss by name (`loss`, the whole; `data`).
        """
        gradients, _, parts = self._batch_gradients(inputs, seed)
        return gradients, parts

    def call(self, inputs: dict[str, tf.Tensor], training: bool | None = None) -> tf.Tensor:
        """The query of each history, `[B, d]` float32."""
        backbone = self._required_backbone()
        wanted = ("item_ids", *backbone.extra_inputs)
        asked = backbone.prediction_inputs({name: inputs[name] for name in wanted})
        return tf.cast(backbone(asked, training=training)[:, -1], tf.float32)

    def candidates(self, items: Any, training: bool | None = None) -> tf.Tensor:
        """The vectors `[B, d]` float32 of candidates, given as batches give them."""
        takes_training = "training" in inspect.signature(self.candidate_tower.call).parameters
        given = {"training": training} if takes_training else {}
        return tf.cast(self.candidate_tower(items, **given), tf.float32)

    def compute_loss(self, inputs: dict[str, Any], training: bool = False) -> tf.Tensor:
        queries = self(inputs, training=training)
        return self.task(
            queries,
            self.candidates(inputs["candidate"], training=training),
            compute_metrics=not training,
            **{name: inputs[name] for name in _GIVEN_TO_TASK if name in inputs},
        )

    def index(
        self, candidates: tf.data.Dataset | None = None, kind: str = "brute_force", k: int = 10
    ) -> Any:
        """A TFRS top-k layer from histories, as batches give them, to the best candidates.

        To have new items, or other weights, in it, make it again: nothing is trained. It is
        called with histories, and its `query_with_exclusions(histories, exclusions)` with the ids
        too that are not to be returned, `[B, M]`; k + M candidates are then looked at, which
        must not be more than there are.

        Parameters
        ----------
        candidates
            Batches of pairs: ids `[b]`, which the layer returns, and candidates as `candidate` in
            a training batch is given. None (default): the items of the backbone's table.
        kind
            A name from `INDEXES`; `"brute_force"` by default.
        k
            How many candidates it returns; 10 by default.
        """
        if kind not in INDEXES:
            raise ValueError(f"`kind` must be one of {', '.join(INDEXES)}. Received: kind={kind!r}")
        if kind == "scann" and importlib.util.find_spec("scann") is None:
            raise ImportError(
                '`kind="scann"` needs the package scann, in a version made for TensorFlow '
                f"{tf.__version__}: pip install 'tf_recdenoiser[scann]'."
            )
        if candidates is None:
            candidates = self._items_of_table()
        vectors = candidates.map(lambda ids, items: (ids, self.candidates(items)))
        index = INDEXES[kind](query_model=self, k=k).index_from_dataset(vectors)
        # A method that is a `tf.function` does not keep its object alive. Past Keras' tracking.
        self.__dict__["_latest_index"] = index
        return index

    def save(self, filepath: Any, *args: Any, **kwargs: Any) -> None:
        """As `keras.Model.save`, in the format of TensorFlow's SavedModels.

        ValueError for a file of Keras, which could not be loaded: a task has no configuration. A
        model of your own with a `get_config` is saved as any.
        """
        is_file = str(filepath).endswith((".keras", ".h5", ".hdf5"))
        is_file = is_file or kwargs.get("save_format") in ("keras", "h5")
        if is_file and type(self).get_config is keras.Model.get_config:
            raise ValueError(
                "`filepath` must not be a file of Keras, from which this model could not be made "
                "again: save its weights by `save_weights` (with `ModelCheckpoint`, by "
                "`save_weights_only=True`) and load them into a model made by the same code, or "
                "export it by `retrieval.export_saved_model`. "
                f"Received: {filepath}"
            )
        super().save(filepath, *args, **kwargs)

    @property
    def _parts(self) -> tuple[str, ...]:
        return ("regularization_loss", "total_loss", "sparsity", "jacobian")

    def _batch_losses(self, batch: Any) -> tuple[tf.Tensor, tf.Tensor, Any]:
        self._clear_losses()  # Keras clears those of the outermost layer that is called
        loss = tf.cast(_WithinCall(self.compute_loss)(batch, training=True), tf.float32)
        evaluation = current_evaluation()
        records = () if evaluation is None else evaluation.recorder.gates.values()
        if self.gate_layers and all(record.uniform is None for record in records):
            raise ValueError(
                "`compute_loss` must call a tower with gates, and not with `training=False`, with "
                "which they do not train. Received: no gate that was drawn"
            )
        return (loss[tf.newaxis] if loss.shape.rank == 0 else loss), tf.ones([]), None

    def _targets_of_step(self, targets: tf.Tensor) -> tf.Tensor:
        return targets  # a sum over queries is one over replicas too

    def _evaluations(
        self, sample: Sample, recorder: Recorder, batch: Any, first: tf.Tensor
    ) -> list[list[tf.Tensor]]:
        variables = [variable for metric in self.metrics for variable in metric.variables]
        counted = [tf.identity(variable) for variable in variables]
        evaluations = super()._evaluations(sample, recorder, batch, first)
        for variable, value in zip(variables, counted, strict=True):
            variable.assign(value)
        return evaluations

    def _logs(self, parts: dict[str, tf.Tensor]) -> dict[str, tf.Tensor]:
        """The metrics, with the loss named as TFRS does: `loss` is the task's alone."""
        named = {
            **parts,
            "loss": parts["data"],
            "total_loss": parts["loss"],
            "regularization_loss": parts["loss"] - parts["data"],
        }
        own = self._track(named)
        ours = {id(tracker) for tracker in self._trackers}
        others = {m.name: m.result() for m in self.metrics if id(m) not in ours}
        return {**others, **own}

    def _items_of_table(self) -> tf.data.Dataset:
        backbone = self._required_backbone()
        if self.candidate_tower is not backbone.item_embedding:
            raise ValueError(
                "`candidates` must be given where there is a candidate tower: batches of ids and "
                "of what the tower takes. Received: candidates=None"
            )
        last = backbone.item_count
        ids = tf.data.Dataset.range(1, last + 1, output_type=tf.int32).batch(last)
        return tf.data.Dataset.zip((ids, ids))

    def _required_backbone(self) -> Backbone:
        if self.backbone is None:
            raise NotImplementedError(
                f"`{type(self).__name__}` must define `compute_loss`, and index its own towers, or "
                "be given a backbone."
            )
        return self.backbone


class _WithinCall(keras.layers.Layer):
    """Calls a function within the call of a layer, from which layers take over `training`."""

    def __init__(self, function: Callable[..., Any]) -> None:
        super().__init__(autocast=False)
        self._function = function

    def call(self, inputs: Any, training: bool | None = None) -> Any:
        return self._function(inputs, training=training)
