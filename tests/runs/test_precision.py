"""The numbers that a run computes in are a setting, and Keras' own policy stays as it was."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from tests.runs.small import DATASET, plain
from tf_recdenoiser._keras import keras
from tf_recdenoiser.runs import SettingsError, build_recommender, load_run, resolve, train


@pytest.mark.both_keras
@pytest.mark.parametrize("precision", ["mixed_bfloat16", "mixed_float16", "float32", None])
def test_a_run_computes_as_it_is_told_whenever_it_is_used(
    tmp_path: Path, precision: str | None
) -> None:
    before = keras.mixed_precision.global_policy().name
    settings = plain({"fit.precision": precision, "fit.epochs": 1})
    train(settings, DATASET, tmp_path / "run")
    loaded = load_run(tmp_path / "run")
    assert loaded.settings.fit.precision == (precision or "float32")
    expected = {"mixed_bfloat16": "bfloat16", "mixed_float16": "float16"}
    backbone = loaded.recommender.backbone
    hidden = backbone(
        backbone.prediction_inputs(
            loaded.recommender.inputs_of(np.array([[0] * 9 + [1, 2, 3]], np.int32))
        )
    )
    assert hidden.dtype.name == expected.get(precision or "", "float32")
    assert {w.dtype if isinstance(w.dtype, str) else w.dtype.name for w in backbone.weights} == {
        "float32"
    }
    assert keras.mixed_precision.global_policy().name == before


def test_keras_own_policy_holds_where_nothing_is_said() -> None:
    before = keras.mixed_precision.global_policy()
    keras.mixed_precision.set_global_policy("mixed_bfloat16")
    try:
        assert resolve(plain()).fit.precision == "mixed_bfloat16"
        model = build_recommender(plain({"fit.precision": "float32"}), item_count=5)
    finally:
        keras.mixed_precision.set_global_policy(before)
    assert model.backbone.output.dtype in ("float32", np.float32)


def test_a_precision_that_is_none_is_refused() -> None:
    with pytest.raises(SettingsError, match="`precision` must be one of float32, mixed_bfloat16"):
        plain({"fit.precision": "float8"})
