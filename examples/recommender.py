"""From an interaction log to a SavedModel, in Python.

    python examples/recommender.py [LOG]

Without a log it makes a synthetic one, in which a quarter of the interactions is noise.
"""

from __future__ import annotations

import sys
import tempfile
from pathlib import Path

from tf_recdenoiser.retrieval import export_saved_model
from tf_recdenoiser.runs import RunDirectory, Settings, load_dataset, load_run, train

SYNTHETIC = Settings.of(
    "synthetic", {"log": {"users": 300, "items": 120, "clusters": 10, "seed": 1}}
)


def main(base: Settings, out: Path, epochs: int) -> Path:
    """Train on the log of `base`, recommend for one history, export; the SavedModel's path."""
    settings = base.replace({"gates": "relative", "model.max_length": 20, "fit.epochs": epochs})
    metrics = train(settings, load_dataset(settings), RunDirectory(out / "run"))
    print(f"NDCG@10 against the whole catalogue: {metrics['test']['full']['ndcg@10']:.4f}")
    print(f"Share of gates kept, by layer: {metrics['density']}")

    run = load_run(out / "run")
    history = run.inputs(run.codes(run.item_ids[:3]))
    scores = run.recommender.score(**run.cleaned(history))[0, 1:]
    print(f"The best item after {run.item_ids[:3]}: {run.item_ids[scores.argmax()]}")
    noise = run.detection.scorer if run.detection else None
    return export_saved_model(
        run.recommender, run.item_ids, out / "model", noise=noise, cleaning=run.settings.treatment
    )


if __name__ == "__main__":
    chosen = Settings.of(sys.argv[1]) if len(sys.argv) > 1 else SYNTHETIC
    print(f"SavedModel: {main(chosen, Path(tempfile.mkdtemp()), epochs=5)}")
