"""Table 2: all models, plain and with denoisers."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from tf_recdenoiser.backbones import BACKBONES
from tf_recdenoiser.experiments.experiment import Experiment
from tf_recdenoiser.experiments.measures.ranking import density, ranking
from tf_recdenoiser.experiments.trials import Changes, Trial
from tf_recdenoiser.runs import PRESETS

AS_THE_PAPER: Changes = {"objective": "bce", "fit.windows": "newest"}
"""How the paper trains: its loss, and windows as SASRec's code takes them."""

_OURS: Changes = {"gates": "relative", "noise.detector": "context"}

# Gates of a model that learns slowly close before attention has learned anything.
_LATER: Changes = {"gates.delay": 40}


# Those that the paper reports its gains of.
_QUICK = ("sasrec", "bert4rec")


def _denoised(name: str) -> Iterator[Trial]:
    """A backbone as the paper trains it and as we do, each plain and with a denoiser."""
    model, ours = {"model": name}, f"{name} (ours)"
    later = _LATER if name == "bert4rec" else {}
    methods: Iterable[tuple[str, Changes, str | None]] = (
        (name, AS_THE_PAPER, None),
        (f"{name} + denoiser", PRESETS["paper"], name),
        (ours, {}, name),
        (f"{ours} + denoiser", {**_OURS, **later}, ours),
    )
    for method, changes, baseline in methods:
        yield Trial(method, {**model, **changes}, baseline=baseline, quick=name in _QUICK)


EXPERIMENT = Experiment(
    title="All models, plain and denoised (Table 2)",
    about="Baselines and backbones with equal data, length, size and number of epochs. A backbone "
    "comes four times: as the paper trains it (binary cross-entropy, a user's newest n items), "
    "with the paper's denoiser (gates trained by ARM, Jacobian penalty), as this library trains "
    "it (sampled softmax, random windows), and with this library's denoiser (gates by distance, "
    "and noise found and left out).\n\n"
    "Gains are over the same backbone without the denoiser; (ours) is compared with the paper's "
    "way to train. Baselines are trained as the paper trains.",
    trials=(
        *(
            Trial(name, {"model": name, **AS_THE_PAPER}, baseline=None)
            for name, kind in BACKBONES.items()
            if not kind.gated
        ),
        *(
            Trial(name, {"model.attention": kind, **AS_THE_PAPER}, baseline="sasrec")
            for name, kind in {"sparse transformer": "strided", "entmax": "entmax"}.items()
        ),
        *(trial for name, kind in BACKBONES.items() if kind.gated for trial in _denoised(name)),
    ),
    base={"fit.epochs": 100, "fit.patience": 0, "evaluation.validate_every": 10},
    measures=(ranking, density),
    seeds=(0, 1, 2),
    claims={
        "sasrec + denoiser": {"paper hit@10": 8.04, "paper ndcg@10": 12.42},
        "bert4rec + denoiser": {"paper hit@10": 7.47, "paper ndcg@10": 11.64},
    },
)
