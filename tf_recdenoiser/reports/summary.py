"""The run in short."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from tf_recdenoiser.reports.sections import Section, Table
from tf_recdenoiser.reports.subject import Subject

_PROTOCOLS = {
    "full": "all items",
    "paper": "up to 100 items that are new to the user",
    "sasrec": "100 items, drawn as SASRec's code does",
}
_METRICS = {
    "hit@1": "Hit@1",
    "hit@5": "Hit@5",
    "hit@10": "Hit@10",
    "ndcg@10": "NDCG@10",
    "disliked@10": "Disliked@10",
}


def metric_rows(metrics: Mapping[str, Mapping[str, float]]) -> tuple[list[str], list[list[str]]]:
    """Names of columns, and a row for each protocol of some metrics; "-" where one has none.

    Examples
    --------
    >>> columns, rows = metric_rows({"full": {"hit@1": 0.25, "hit@20": 0.5}})
    >>> columns, rows
    (['ranked among', 'Hit@1'], [['all items (full)', '0.2500']])
    """
    names = [name for name in _METRICS if any(name in found for found in metrics.values())]
    rows = [
        [
            f"{_PROTOCOLS.get(protocol, 'items')} ({protocol})",
            *(f"{found[name]:.4f}" if name in found else "-" for name in names),
        ]
        for protocol, found in metrics.items()
    ]
    return ["ranked among", *(_METRICS[name] for name in names)], rows


def in_short(subject: Subject) -> Section:
    """How good the run is, how large, and what share of the log it takes for noise."""
    metrics = subject.run.directory.metrics()
    facts = _facts(subject, metrics)
    noise = subject.noise
    share = None if noise is None else _mean_noise(subject.item_ids, noise)
    if share is not None:
        facts["mean P(noise) in the test histories"] = f"{share:.1%}"
    return Section(
        name="summary",
        title="In short",
        about=(
            "Each test user's last item was hidden, and the model had to find it. Hit@10 is the "
            "share of users whose item is among the first ten; NDCG@10 also counts how near the "
            "top it is: 1 at the top, 0.5 in third place, 0 beyond the tenth. The fewer items it "
            "is ranked among, the easier it is: compare numbers of one row alone."
        ),
        numbers={
            "test": metrics["test"],
            **{name: metrics.get(name) for name in ("best_epoch", "epochs", "parameters")},
            "density": metrics.get("density", []),
            "noise": metrics.get("noise"),
            "mean_noise": share,
        },
        tables=[
            Table(*metric_rows(metrics["test"]), caption=f"{len(subject.targets):,} test users"),
            Table(["what", "value"], list(facts.items()), caption="The run"),
        ],
    )


def _mean_noise(item_ids: np.ndarray, noise: np.ndarray) -> float:
    return float(noise[item_ids > 0].mean())


def _facts(subject: Subject, metrics: Mapping[str, Any]) -> dict[str, str]:
    """What else is known of a run, by what it is called."""
    fingerprint = subject.run.directory.fingerprint()
    facts = {
        "model": subject.run.settings.model.name,
        "data": f"{fingerprint.interactions:,} interactions of {fingerprint.users:,} users "
        f"with {fingerprint.items:,} items",
        "best epoch": f"{metrics['best_epoch']} of {metrics['epochs']}",
        "parameters": f"{metrics['parameters']:,}",
    }
    if metrics.get("density"):
        facts["gates that stay open, by layer"] = _shares(metrics["density"])
        facts["mean keep probability, by layer"] = _shares(metrics["keep"])
    if found := metrics.get("noise"):
        facts["detector of noise"] = found["detector"]
        facts["share of noise, as estimated"] = f"{found['rate']:.1%}"
        if "roc_auc" in found:
            facts["ROC AUC, where noise is known (0.5: chance)"] = f"{found['roc_auc']:.3f}"
    return facts


def _shares(values: Sequence[float]) -> str:
    return ", ".join(f"{value:.1%}" for value in values)
