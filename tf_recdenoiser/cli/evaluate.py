"""`tf-recdenoiser evaluate`."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

from typer import Argument, Option

from tf_recdenoiser.cli.choices import one_of
from tf_recdenoiser.cli.console import (
    JsonOption,
    busy,
    print_json,
    show_metrics,
)
from tf_recdenoiser.cli.device import computes
from tf_recdenoiser.evaluation import PROTOCOLS
from tf_recdenoiser.runs import load_run
from tf_recdenoiser.runs.evaluate import CUTOFFS
from tf_recdenoiser.runs.scoring import PARTS


@computes
def evaluate(
    run: Annotated[Path, Argument(help="A run directory that `train` wrote.")],
    protocol: Annotated[
        str | None,
        Option(**one_of(PROTOCOLS, "What targets are ranked against. All, if not given.")),
    ] = None,
    split: Annotated[str, Option(**one_of(PARTS, "Which items are the targets."))] = "test",
    seed: Annotated[int, Option(min=0, help="Of the sampled negatives.")] = 0,
    json: JsonOption = False,
) -> None:
    """Measure a trained run on its own data, read again from where they lay.

    Hit@K is the share of users whose target is among the first K; NDCG@K counts a target at
    rank r (from 1) as 1/log2(r + 1). Ties count against the model. A run that was trained with
    `--targets liked` is also measured by Disliked@K, the share of the first K that the user
    disliked later.
    """
    with busy(f"Evaluating {run}"):
        loaded = load_run(run)
        scorer = loaded.scorer(split)
        names = list(PROTOCOLS) if protocol is None else [protocol]
        results = scorer.results(loaded.recommender, names, seed)
        metrics = {name: result.summary(CUTOFFS) for name, result in results.items()}
    if json:
        print_json({"run": str(run), "split": split, "seed": seed, "metrics": metrics})
        return
    show_metrics(f"{run}, {split}", {loaded.settings.model.name: metrics})
