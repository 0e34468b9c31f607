"""Training batches of a prepared data set of which one shard is in memory at a time."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterator

import numpy as np

from tf_recdenoiser.data.batches import Batch, Batches
from tf_recdenoiser.data.histories import Histories
from tf_recdenoiser.data.log import DataError, counted
from tf_recdenoiser.data.prepared.dataset import PreparedDataset
from tf_recdenoiser.data.split import leave_one_out


class StreamedBatches(Batches):
    r"""The batches of all shards, in an order that is drawn anew in every epoch.

    A batch is of one shard. Which users share one is as good as drawn, by a hash of their ids.

    Parameters
    ----------
    prepared
        The data.
    batches_of
        The batches of a shard, from its name and its training sequences, drawn by a seed.
    batch_size
        Rows in a batch of one worker; the last of a shard may have fewer.
    seed
        Not negative.
    worker
        Which of several workers these batches are for; 0 by default. It reads shards of its own,
        and has its share of each batch.
    workers
        How many there are; 1 by default.

    Raises
    ------
    DataError
        If there are fewer shards than workers.

    Examples
    --------
    >>> import tempfile
    >>> from pathlib import Path
    >>> from tf_recdenoiser.data import TrainingBatches, prepare_files
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     log = Path(folder, "log.txt")
    ...     _ = log.write_text("1 7\n1 8\n1 9\n1 7\n")
    ...     _ = prepare_files(log, Path(folder, "prepared"))
    ...     batches = StreamedBatches(
    ...         PreparedDataset(Path(folder, "prepared")),
    ...         lambda shard, train, seed: TrainingBatches(train, 3, 2, 1, 1, seed),
    ...         batch_size=1,
    ...         seed=0,
    ...     )
    ...     [(inputs, targets)] = batches.epoch(0)
    >>> inputs["item_ids"], targets["positives"]
    (array([[0, 1]], dtype=int32), array([[0, 2]], dtype=int32))
    """

    def __init__(
        self,
        prepared: PreparedDataset,
        batches_of: Callable[[str, Histories, int], Batches],
        batch_size: int,
        seed: int,
        worker: int = 0,
        workers: int = 1,
    ) -> None:
        learned = prepared.manifest.learned
        names = [name for name in prepared.shards if learned[name]]
        if len(names) < workers:
            raise DataError(
                "Each worker must have a shard of its own: prepare the log again with more of "
                f"them, or start fewer workers. Received: {counted(len(names), 'shard')} for "
                f"{workers} workers"
            )
        self._names, self._places = names[worker::workers], range(worker, len(names), workers)
        # Those with fewer batches than others go on with empty ones.
        self._steps = max(
            sum(-(-learned[name] // batch_size) for name in names[one::workers])
            for one in range(workers)
        )
        self._prepared, self._batches_of, self._seed = prepared, batches_of, seed
        self._shapes = self._batches(0).shapes

    @property
    def steps_per_epoch(self) -> int:
        return self._steps

    @property
    def shapes(self) -> dict[str, tuple[int | None, ...]]:
        return self._shapes

    def epoch(self, epoch: int) -> Iterator[Batch]:
        rng = np.random.default_rng(np.random.SeedSequence(self._seed, spawn_key=(epoch,)))
        done = 0
        for shard in rng.permutation(len(self._names)):
            for batch in self._batches(shard).epoch(epoch):
                yield batch
                done += 1
        inputs, targets = ({name: values[:0] for name, values in part.items()} for part in batch)
        yield from itertools.repeat((inputs, targets), self._steps - done)

    def _batches(self, shard: int) -> Batches:
        """Of one shard, drawn by a seed of its own."""
        name = self._names[shard]
        train = leave_one_out(self._prepared.dataset([name])).train
        own = np.random.SeedSequence(self._seed, spawn_key=(0, self._places[shard]))
        return self._batches_of(name, train, int(own.generate_state(1)[0]))
