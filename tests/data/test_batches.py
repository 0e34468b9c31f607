"""Training batches against lists; resumed runs see what unbroken ones see."""

from __future__ import annotations

import dataclasses
from itertools import pairwise
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tf_recdenoiser.data import DataError, Histories, PartOfBatches, TrainingBatches
from tf_recdenoiser.data.histories import offsets_of

ITEMS = 15


def histories_of(sequences: list[list[int]]) -> Histories:
    items = np.array([item for sequence in sequences for item in sequence], np.int32)
    return Histories(offsets_of([len(sequence) for sequence in sequences]), items)


def example_batches(**changes: Any) -> TrainingBatches:
    sequences = [[1, 2, 3], [4], [5, 6], [7, 8, 9, 10, 11], [1, 1, 2], [3, 4], [], [9, 8]]
    arguments: dict[str, Any] = {
        "train": histories_of(sequences),
        "item_count": ITEMS,
        "max_length": 4,
        "batch_size": 4,
        "negatives": 2,
        "seed": 3,
    }
    return TrainingBatches(**(arguments | changes))


def flat(elements: Any) -> list[list[Any]]:
    return [
        [inputs["item_ids"].tolist(), targets["positives"].tolist(), targets["negatives"].tolist()]
        for inputs, targets in elements
    ]


@given(
    sequences=st.lists(st.lists(st.integers(1, 5), max_size=7), max_size=8),
    n=st.integers(1, 8),
    batch_size=st.integers(1, 5),
    m=st.integers(1, 3),
    epoch=st.integers(0, 3),
)
@settings(max_examples=100, deadline=None)
def test_an_epoch_is_the_reference(
    sequences: list[list[int]], n: int, batch_size: int, m: int, epoch: int
) -> None:
    # A newest item of its own tells each user's row from the others.
    train = [[*items, 6 + user] for user, items in enumerate(sequences)] + [[1, 15]]
    trained = {items[-1]: items for items in train if len(items) >= 2}
    batches = TrainingBatches(histories_of(train), ITEMS, n, batch_size, m, seed=1)
    elements = list(batches.epoch(epoch))

    full, rest = divmod(len(trained), batch_size)
    sizes = [len(inputs["item_ids"]) for inputs, _ in elements]
    assert sizes == [batch_size] * full + [rest] * (rest > 0)
    assert batches.steps_per_epoch == len(elements)
    assert batches.row_count == len(trained)

    rows = [row for element in flat(elements) for row in zip(*element, strict=True)]
    assert sorted(positives[-1] for _, positives, _ in rows) == sorted(trained)
    for inputs, positives, negatives in rows:
        items = trained[positives[-1]]
        pairs = list(pairwise(items))[-n:]
        assert inputs == [0] * (n - len(pairs)) + [before for before, _ in pairs]
        assert positives == [0] * (n - len(pairs)) + [after for _, after in pairs]
        assert negatives[: n - len(pairs)] == [[0] * m] * (n - len(pairs))
        for drawn in negatives[n - len(pairs) :]:
            assert len(drawn) == m
            assert set(drawn) <= set(range(1, ITEMS + 1)) - set(items)


def test_ids_are_int32_and_weights_float32() -> None:
    inputs, targets = next(example_batches().epoch(0))
    weights, epoch = targets.pop("weights"), targets.pop("epoch")
    assert {array.dtype for array in (*inputs.values(), *targets.values())} == {np.dtype(np.int32)}
    assert weights.dtype == epoch.dtype == np.float32


def test_the_epoch_grows_by_what_is_done_of_it() -> None:
    batches = example_batches()
    for number in (0, 3):
        done, found = 0, []
        for _, targets in batches.epoch(number):
            rows = len(targets["positives"])
            assert len(targets["epoch"]) == rows and len(set(targets["epoch"].tolist())) == 1
            found.append((float(targets["epoch"][0]), done))
            done += rows
        assert found == [(pytest.approx(number + before / done), before) for _, before in found]


def test_weights_are_one_where_there_is_a_target() -> None:
    for _, targets in example_batches().epoch(0):
        np.testing.assert_array_equal(targets["weights"], targets["positives"] > 0)


LONG = [list(range(1, 13)), [13, 14, 15]]
NOISE = np.linspace(0, 1, 15)


def test_each_target_has_its_weight() -> None:
    batches = example_batches(train=histories_of(LONG), target_weights=1 - NOISE)
    weight_of = dict(zip(range(1, 16), 1 - NOISE, strict=True))
    for _, targets in batches.epoch(0):
        expected = [[weight_of.get(item, 0) for item in row] for row in targets["positives"]]
        np.testing.assert_allclose(targets["weights"], expected, rtol=1e-6)


def test_items_are_left_out_of_sequences_as_often_as_is_asked() -> None:
    batches = example_batches(train=histories_of(LONG), left_out=NOISE, max_length=20, negatives=1)
    epochs = 2000
    kept = np.zeros(16)
    for epoch in range(epochs):
        for inputs, targets in batches.epoch(epoch):
            for items, positives in zip(inputs["item_ids"], targets["positives"], strict=True):
                # The window is closed up: each positive is the next input.
                after = items[:-1] > 0
                np.testing.assert_array_equal(items[1:][after], positives[:-1][after])
                np.add.at(kept, np.union1d(items, positives), 1)
    # A row with one item left has no pair to learn from, so the short row is seen less often.
    np.testing.assert_allclose(kept[1:13] / epochs, 1 - NOISE[:12], atol=0.04)


def test_what_is_certainly_left_out_is_as_if_it_had_never_been() -> None:
    noise = np.array([item % 3 == 0 for sequence in LONG for item in sequence], float)
    cleaned = [[item for item in sequence if item % 3] for sequence in LONG]
    mended = example_batches(train=histories_of(LONG), left_out=noise)
    clean = example_batches(train=histories_of(cleaned))
    found, expected = (
        sorted(
            row
            for inputs, targets in batches.epoch(0)
            for row in np.hstack([inputs["item_ids"], targets["positives"]]).tolist()
        )
        for batches in (mended, clean)
    )
    assert found == expected


def test_what_is_read_goes_with_its_probability_of_being_meant() -> None:
    batches = example_batches(
        train=histories_of(LONG), clean_probability=1 - NOISE, extra_inputs=("clean_probability",)
    )
    # The item with the code c is noise with the probability NOISE[c - 1].
    meant_of = np.concatenate([[0], 1 - NOISE])
    for inputs, targets in batches.dataset(epochs=2).as_numpy_iterator():
        np.testing.assert_allclose(
            inputs["clean_probability"], meant_of[inputs["item_ids"]], atol=1e-6
        )
        np.testing.assert_array_equal(targets["weights"], targets["positives"] > 0)


def test_where_nothing_is_known_of_noise_all_is_meant() -> None:
    inputs, _ = next(example_batches(extra_inputs=("clean_probability",)).epoch(0))
    np.testing.assert_array_equal(inputs["clean_probability"], inputs["item_ids"] > 0)


@pytest.mark.parametrize("name", ["target_weights", "left_out", "clean_probability"])
def test_there_must_be_a_number_for_each_item(name: str) -> None:
    with pytest.raises(ValueError, match=f"`{name}` must have a number for each of the 18 items"):
        example_batches(**{name: np.zeros(3)})


def timed(sequences: list[list[int]]) -> Histories:
    """Items that were met at a time by which they can be told: 1.5e9 seconds and their code."""
    histories = histories_of(sequences)
    return dataclasses.replace(histories, times=1.5e9 + histories.items)


@pytest.mark.parametrize("left_out", [None, np.full(13, 0.4)])
def test_users_and_times_go_with_the_items(left_out: np.ndarray | None) -> None:
    train = timed([[1, 2, 3], [4], [5, 6], [7, 8, 9, 10, 11, 12, 13]])
    batches = example_batches(train=train, extra_inputs=("user_ids", "times"), left_out=left_out)
    user_of = dict.fromkeys([1, 2, 3], 1) | dict.fromkeys([5, 6], 2)
    for inputs, targets in batches.dataset(epochs=5).as_numpy_iterator():
        is_item = inputs["item_ids"] > 0
        np.testing.assert_array_equal(
            inputs["times"], np.where(is_item, 1.5e9 + inputs["item_ids"], 0)
        )
        assert inputs["times"].dtype == np.float64 and inputs["user_ids"].dtype == np.int32
        for user, items in zip(inputs["user_ids"], inputs["item_ids"], strict=True):
            assert {user_of.get(item, 3) for item in items[items > 0]} <= {user}
        np.testing.assert_array_equal(targets["positives"] > 0, is_item)


def test_times_that_are_not_known_are_not_asked_for() -> None:
    with pytest.raises(ValueError, match=r"`times` must be known .*Received: times=None"):
        next(example_batches(extra_inputs=("times",)).epoch(0))


@dataclasses.dataclass(frozen=True)
class Backwards:
    """Each position tells the item two places before it."""

    further: int = 2

    def __call__(
        self, window: dict[str, np.ndarray], weights: np.ndarray, rng: np.random.Generator
    ) -> tuple[dict[str, np.ndarray], np.ndarray, np.ndarray]:
        read = {name: values[:, 2:] for name, values in window.items()}
        return read, window["item_ids"][:, :-2], weights[:, :-2]


def test_a_task_says_what_is_read_and_told() -> None:
    train = histories_of([[1, 2, 3, 4, 5, 6, 7, 8], [9, 10, 11]])
    ((inputs, targets),) = example_batches(train=train, task=Backwards()).epoch(0)
    rows = sorted(zip(inputs["item_ids"].tolist(), targets["positives"].tolist(), strict=True))
    assert rows == [([0, 9, 10, 11], [0, 0, 0, 9]), ([5, 6, 7, 8], [3, 4, 5, 6])]
    np.testing.assert_array_equal(targets["weights"], targets["positives"] > 0)
    np.testing.assert_array_equal(targets["negatives"][..., 0] > 0, targets["positives"] > 0)


def test_an_epoch_depends_on_the_seed_and_its_number_alone() -> None:
    batches = example_batches()
    ahead = [flat(batches.epoch(epoch)) for epoch in (0, 1, 2)]
    assert flat(example_batches().epoch(2)) == ahead[2]
    assert flat(batches.epoch(0)) == ahead[0]
    assert ahead[0] != ahead[1] != ahead[2] != ahead[0]
    assert flat(example_batches(seed=4).epoch(0)) != ahead[0]


def test_every_epoch_shuffles_and_draws_anew() -> None:
    batches = example_batches(batch_size=100, negatives=20)
    epochs = [next(batches.epoch(epoch)) for epoch in range(4)]
    orders = [inputs["item_ids"].tolist() for inputs, _ in epochs]
    assert all(sorted(order) == sorted(orders[0]) for order in orders)
    assert len({str(order) for order in orders}) > 1

    def negatives_of_longest(epoch: Any) -> str:
        inputs, targets = epoch
        return str(targets["negatives"][inputs["item_ids"][:, 0].argmax()])

    assert len({negatives_of_longest(epoch) for epoch in epochs}) == 4


def test_the_dataset_resumes_where_it_is_told_to() -> None:
    batches = example_batches()
    unbroken = flat(batches.dataset(epochs=4).as_numpy_iterator())
    resumed = flat(example_batches().dataset(start_epoch=2, epochs=2).as_numpy_iterator())
    assert unbroken == [element for epoch in range(4) for element in flat(batches.epoch(epoch))]
    assert resumed == unbroken[2 * batches.steps_per_epoch :]


def test_the_dataset_states_its_shapes_and_size() -> None:
    batches = example_batches()
    dataset = batches.dataset(epochs=3)
    inputs, targets = dataset.element_spec
    assert inputs["item_ids"].shape.as_list() == [None, 4]
    assert targets["positives"].shape.as_list() == [None, 4]
    assert targets["negatives"].shape.as_list() == [None, 4, 2]
    assert int(dataset.cardinality()) == 3 * batches.steps_per_epoch == 6
    assert dataset.options().autotune.enabled is False


@pytest.mark.parametrize(
    ("name", "value"), [("max_length", 0), ("batch_size", 0), ("negatives", -1), ("seed", -1)]
)
def test_arguments_out_of_range_are_refused(name: str, value: int) -> None:
    with pytest.raises(ValueError, match=f"`{name}` must be at least {value + 1}"):
        example_batches(**{name: value})


def test_nothing_to_learn_from_is_refused() -> None:
    with pytest.raises(DataError, match=r"`train` must .*Received: 2 rows, none so long"):
        example_batches(train=histories_of([[1], [2]]))


def test_random_windows_end_everywhere_and_are_windows() -> None:
    """A row of 7 items and windows of 3 + 1: the window's end is any of the 4 last items."""
    items = np.arange(1, 8, dtype=np.int32)
    train = Histories(offsets_of([7]), items)
    batches = TrainingBatches(train, 9, 3, 1, negatives=1, seed=0, windows="random")
    ends = []
    for epoch in range(400):
        ((inputs, targets),) = batches.epoch(epoch)
        first = inputs["item_ids"][0, 0]
        assert inputs["item_ids"][0].tolist() == [first, first + 1, first + 2]
        assert targets["positives"][0].tolist() == [first + 1, first + 2, first + 3]
        ends.append(int(targets["positives"][0, -1]))
    counts = np.bincount(ends, minlength=8)
    assert counts[:4].sum() == 0
    # 100 of each are expected; five standard deviations of a binomial are 43.
    assert (np.abs(counts[4:] - 100) < 43).all()


def test_random_windows_of_short_rows_are_whole_rows() -> None:
    train = Histories(offsets_of([2, 3]), np.array([1, 2, 3, 4, 5], np.int32))
    newest = TrainingBatches(train, 9, 3, 2, negatives=1, seed=0)
    random = TrainingBatches(train, 9, 3, 2, negatives=1, seed=0, windows="random")
    for epoch in range(5):
        pairs = zip(newest.epoch(epoch), random.epoch(epoch), strict=True)
        for (one, _), (other, _) in pairs:
            assert sorted(one["item_ids"].tolist()) == sorted(other["item_ids"].tolist())


def test_unknown_windows_are_refused() -> None:
    with pytest.raises(ValueError, match=r"`windows` must be one of newest, random\. Received"):
        TrainingBatches(Histories(offsets_of([2]), np.array([1, 2], np.int32)), 9, 3, 2, 1, 0, "x")


def test_negatives_may_be_shared_by_the_positions_of_a_sequence() -> None:
    train = histories_of([[1, 2, 3, 2], [4, 9]])
    batches = TrainingBatches(train, 9, 3, 2, negatives=900, seed=0, share_negatives=True)
    inputs, targets = next(batches.epoch(0))
    assert targets["negatives"].shape == (2, 900)
    for row, drawn in zip(inputs["item_ids"], targets["negatives"], strict=True):
        seen = [1, 2, 3] if 1 in row else [4, 9]
        counts = np.bincount(drawn, minlength=10)
        assert not counts[[0, *seen]].any()
        # At least 900 / 7 of each are expected; five standard deviations of a binomial are 53.
        expected = 900 / (9 - len(seen))
        assert (np.abs(np.delete(counts, [0, *seen]) - expected) < 60).all()
    assert batches.dataset().element_spec[1]["negatives"].shape.as_list() == [None, 900]


def test_it_is_said_from_how_many_items_negatives_are_drawn() -> None:
    batches = TrainingBatches(histories_of([[1, 2, 3, 2], [4, 9]]), 9, 3, 2, negatives=1, seed=0)
    ((inputs, targets),) = batches.dataset(0, 1)
    expected = [6 if 1 in row else 7 for row in inputs["item_ids"].numpy()]
    assert targets["unseen_counts"].numpy().tolist() == expected


def test_there_may_be_no_negatives() -> None:
    ((inputs, targets),) = example_batches(batch_size=9, negatives=0).dataset(0, 1)
    assert targets["negatives"].shape == (*inputs["item_ids"].shape, 0)


@given(pieces=st.integers(1, 6), epoch=st.integers(0, 2))
@settings(max_examples=20, deadline=None)
def test_workers_and_pieces_share_the_rows_of_each_batch(pieces: int, epoch: int) -> None:
    """Each row is in one part, in order; no part has two rows more than another."""
    whole = list(example_batches().epoch(epoch))
    parts = [
        list(PartOfBatches(example_batches(), worker, pieces).epoch(epoch))
        for worker in range(pieces)
    ]
    dataset = example_batches().dataset(epoch, 1, pieces)
    in_turn = list(dataset.as_numpy_iterator())
    assert int(dataset.cardinality()) == len(in_turn) == len(whole) * pieces
    for step, batch in enumerate(whole):
        of_workers = [part[step] for part in parts]
        of_pieces = in_turn[step * pieces : (step + 1) * pieces]
        for found in (of_workers, of_pieces):
            sizes = [len(inputs["item_ids"]) for inputs, _ in found]
            assert max(sizes) - min(sizes) <= 1
            for kind in range(2):
                for name, values in batch[kind].items():
                    together = np.concatenate([part[kind][name] for part in found])
                    np.testing.assert_array_equal(together, values)
