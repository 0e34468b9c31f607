"""The picture of a history shows what was computed."""

from __future__ import annotations

import numpy as np

from tf_recdenoiser.reports import history_figure


def test_bars_are_probabilities_and_what_stays_is_closed_up_towards_the_newest() -> None:
    noise = np.array([0.1, 0.9, 0.2, 0.6, 0.0])
    meant = noise <= 0.5
    bars, closed = history_figure([*"abcde"], noise, meant, 0.5).axes
    assert [bar.get_height() for bar in bars.patches] == noise.tolist()
    # a, c and e are read in the last three places.
    joined = [tuple(line.get_xdata()) for line in closed.lines]
    assert joined == [(0, 2), (2, 3), (4, 4)]
    labels = closed.get_xticklabels()
    assert [label.get_text() for label in labels] == [*"abcde"]
    assert len({label.get_color() for label in labels}) == 2


def test_what_is_softened_keeps_its_place_and_the_rest_of_its_weight() -> None:
    noise = np.array([0.1, 0.9, 0.2])
    before, after = history_figure([*"abc"], noise).axes
    assert [bar.get_height() for bar in before.patches] == noise.tolist()
    assert [bar.get_height() for bar in after.patches] == (1 - noise).tolist()
    assert not before.lines


def test_what_is_known_to_be_noise_has_a_cross() -> None:
    noise = np.array([0.1, 0.9, 0.2])
    known = np.array([False, True, True])
    before, _ = history_figure([*"abc"], noise, noise < 0.5, 0.5, known).axes
    (crosses,) = before.collections
    assert crosses.get_offsets()[:, 0].tolist() == [1, 2]
