"""Search for settings in Python, and use the best.

    python examples/tuning.py [LOG]

Without a log it makes a synthetic one, in which a quarter of the interactions is noise.
"""

from __future__ import annotations

import sys
import tempfile
from pathlib import Path

from tf_recdenoiser.runs import Run, Settings, load_dataset, load_run
from tf_recdenoiser.tuning import (
    Search,
    SearchObserver,
    Trial,
    best_directory,
    choices_for,
    run_search,
    train_best,
)

SYNTHETIC = Settings.of("synthetic", {"log": {"users": 200, "items": 80, "clusters": 8, "seed": 1}})


class Print(SearchObserver):
    """Prints how each trial ended."""

    def end_trial(self, trial: Trial) -> None:
        print(f"{trial.number}: {trial.failure or trial.score} {trial.values}")


def main(base: Settings, out: Path, epochs: int, trials: int) -> Run:
    """Search on the log of `base`, train with the best settings, and load that run."""
    model = {"max_length": 20, "num_layers": 1}
    base = base.replace({"gates": "relative", "model": model, "fit.epochs": epochs})
    fixed = ["model.num_layers", "gates.estimator"]
    choices = choices_for(base, fixed, given={"model.hidden_dim": (16, 32)})
    search = Search(base, choices, tuner="random", trials=trials)
    dataset = load_dataset(base)
    # Begun again after an interruption, it goes on.
    found = run_search(search, dataset, out, resume=True, observer=Print())
    metrics = train_best(search, found, dataset, out)
    print(f"NDCG@10 against the whole catalogue: {metrics['test']['full']['ndcg@10']:.4f}")
    return load_run(best_directory(out).path)


if __name__ == "__main__":
    chosen = Settings.of(sys.argv[1]) if len(sys.argv) > 1 else SYNTHETIC
    folder = Path(tempfile.mkdtemp())
    print(f"The best run: {main(chosen, folder, epochs=3, trials=4).directory.path}")
