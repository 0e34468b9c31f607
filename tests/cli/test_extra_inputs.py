"""Backbones that know users or read times, from the shell."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import numpy as np
import pytest
import tensorflow as tf

from tests.cli.shell import PLAIN, tf_recdenoiser
from tf_recdenoiser.retrieval import ServingModule
from tf_recdenoiser.runs import RunDirectory, load_run, manifest

# User 7's two rows leave nothing to learn of it; the others have six.
ROWS = [f"{user},{100 + (user * 7 + step * 3) % 20},{60 * step}" for user in range(12, 24)
        for step in range(6)]  # fmt: skip
LOG = "\n".join(["user,item,time", *ROWS, "7,101,0", "7,104,90", "8,101,0"])


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A log, and a run of a backbone of each sort on it."""
    folder = tmp_path_factory.mktemp("extra")
    (folder / "log.csv").write_text(LOG)
    for backbone in ("sse_pt", "tisasrec"):
        outcome = tf_recdenoiser(
            *("train", folder / "log.csv", "--out", folder / backbone, *PLAIN),
            *("--backbone", backbone),
        )
        assert outcome.status == 0, outcome.err
    return folder


def scores(*command: object) -> dict[int, float]:
    outcome = tf_recdenoiser("recommend", *command, "-k", 30, "--include-seen", "--json")
    assert outcome.status == 0, outcome.err
    return {entry["item"]: entry["score"] for entry in json.loads(outcome.out)}


def test_users_of_whom_something_was_learned_are_known(folder: Path) -> None:
    run = load_run(folder / "sse_pt")
    assert run.user_ids is not None
    assert run.user_ids.tolist() == [7, *range(12, 24)]
    assert run.recommender.backbone.user_count == 13
    assert RunDirectory(folder / "tisasrec").user_ids() is None
    codes = run.codes(["101", "104"])
    for user, code in ((None, 0), ("8", 0), ("7", 1), ("23", 13)):
        inputs = run.inputs(codes, user)
        assert inputs["user_ids"].tolist() == [code]
        history = () if user is None else ("--user", user)
        found = scores(folder / "sse_pt", "--history", "101,104", *history)
        expected = run.recommender.score(**inputs)[0]
        for item, score in found.items():
            assert score == pytest.approx(expected[run.codes([str(item)])[0]], abs=1e-5)


def test_times_go_with_the_known_items(folder: Path) -> None:
    run = load_run(folder / "tisasrec")
    history = ("--history", "101,nothing,104", "--times", "1.5e9,1500000007,1500000090")
    matrix = np.zeros([1, 12])
    matrix[0, -2:] = 1.5e9, 1.5e9 + 90
    inputs = run.inputs(run.codes(["101", "x", "104"]), times=np.array([1.5e9, 7, 1.5e9 + 90]))
    np.testing.assert_array_equal(inputs["times"], matrix)
    found = scores(folder / "tisasrec", *history)
    dates = ("2017-07-14T02:40Z", "2017-07-14 02:40:07", "2017-07-14T04:41:30+02:00")
    assert scores(folder / "tisasrec", *history[:3], ",".join(dates)) == found
    expected = run.recommender.score(**inputs)[0]
    for item, score in found.items():
        assert score == pytest.approx(expected[run.codes([str(item)])[0]], abs=1e-5)
    assert tf_recdenoiser("explain", folder / "tisasrec", *history).status == 0


@pytest.mark.parametrize(
    ("backbone", "options", "message"),
    [
        ("tisasrec", (), "`times` must be given, one for each item: tisasrec reads when"),
        ("tisasrec", ("--times", "1"), "Received: [1.]"),
        ("tisasrec", ("--times", "1,nan"), "2024-05-17T08:30. Received: '1,nan'"),
        ("tisasrec", ("--times", "inf,1"), "2024-05-17T08:30. Received: 'inf,1'"),
        ("tisasrec", ("--times", "1,soon"), "2024-05-17T08:30. Received: '1,soon'"),
        ("tisasrec", ("--times", "1,2", "--user", "7"), "`user` must be left out: tisasrec does"),
        ("sse_pt", ("--times", "1,2"), "`times` must be left out: sse_pt does not read it"),
    ],
)
def test_what_the_backbone_does_not_read_or_lacks_is_refused(
    folder: Path, backbone: str, options: tuple[str, ...], message: str
) -> None:
    outcome = tf_recdenoiser("recommend", folder / backbone, "--history", "101,104", *options)
    assert outcome.status != 0 and message in outcome.err


def test_nobody_is_not_a_user_of_that_name(folder: Path, tmp_path: Path) -> None:
    path = shutil.copytree(folder / "sse_pt", tmp_path / "run")
    names = json.loads((path / "users.json").read_text())
    (path / "users.json").write_text(json.dumps(["None", *map(str, names[1:])]))
    manifest.seal(path)
    run = load_run(path)
    assert run.inputs(np.array([1]), None)["user_ids"].tolist() == [0]
    assert run.inputs(np.array([1]), "None")["user_ids"].tolist() == [1]


def test_a_user_who_is_not_known_is_said_to_be(folder: Path) -> None:
    command = ("recommend", folder / "sse_pt", "--history", "101", "--user", "nobody")
    assert "not known" in tf_recdenoiser(*command).err


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (("--backbone", "tisasrec"), "TiSASRec needs times: the log must say when"),
        (
            ("--backbone", "bert4rec", "--gates", "positional", "--set", "gates.credit=true"),
            "`credit` must be False with BERT4Rec",
        ),
        (
            ("--backbone", "bert4rec", "--set", "model.norm=pre"),
            "`model.norm` has no effect here: it goes with model sasrec",
        ),
        (
            ("--set", "model.max_interval=9"),
            "it goes with model tisasrec. Received: model.max_interval",
        ),
    ],
)
def test_what_makes_no_sense_is_refused_before_training(
    tmp_path: Path, options: tuple[str, ...], message: str
) -> None:
    log = tmp_path / "log.txt"
    log.write_text("".join(f"{user} {user + step}\n" for user in range(9) for step in range(5)))
    outcome = tf_recdenoiser("train", log, "--out", tmp_path / "run", *PLAIN, *options)
    assert outcome.status != 0 and message in " ".join(outcome.err.split())
    assert not (tmp_path / "run").exists()


@pytest.mark.parametrize("damage", ["[1, 2]", None])
def test_a_run_whose_users_do_not_fit_is_refused(folder: Path, damage: str | None) -> None:
    path = folder / "sse_pt" / "users.json"
    whole = path.read_text()
    try:
        path.unlink()
        if damage is not None:
            path.write_text(damage)
        outcome = tf_recdenoiser("recommend", folder / "sse_pt", "--history", "101")
    finally:
        path.write_text(whole)
    assert "users.json must have an id for each of the model's 13 users" in outcome.err


@pytest.mark.graph
@pytest.mark.parametrize("time", [np.nan, np.inf, -np.inf])
def test_an_entry_whose_time_is_not_finite_is_passed_over_when_served(
    folder: Path, time: float
) -> None:
    run = load_run(folder / "tisasrec")
    module = ServingModule(run.recommender, run.item_ids, max_k=5)
    histories = tf.constant([[101, 104, 107], [101, 104, 110]], tf.int64)
    times = [[0.0, time, 90.0], [0.0, 60.0, 90.0]]
    whole = module.recommend(histories, tf.constant(times, tf.float64))
    without = module.recommend(histories[:1, ::2], tf.constant([[0.0, 90.0]], tf.float64))
    other = module.recommend(histories[1:], tf.constant([[0.0, 60.0, 90.0]], tf.float64))
    for row, alone in enumerate((without, other)):
        np.testing.assert_array_equal(whole["item_ids"][row], alone["item_ids"][0])
        np.testing.assert_allclose(whole["scores"][row], alone["scores"][0], rtol=1e-5)


def test_both_are_exported(folder: Path) -> None:
    for backbone in ("sse_pt", "tisasrec"):
        outcome = tf_recdenoiser("export", folder / backbone, "--to", folder / f"{backbone}-served")
        assert outcome.status == 0, outcome.err
