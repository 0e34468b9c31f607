"""How good is a recommender: protocols, ranks and metrics, from scores alone.

A model is a function from rows to scores; see `ScoreFunction`::

    result = evaluate(score, problem, protocol="full")
    result.summary()  # {"hit@1": …, "hit@5": …, …, "ndcg@20": …}
"""

from tf_recdenoiser.evaluation.metrics import (
    DISLIKED,
    METRICS,
    DislikedRanks,
    Metric,
    Result,
    hit,
    ndcg,
    parse_metric,
)
from tf_recdenoiser.evaluation.problem import EvaluationProblem, Seen
from tf_recdenoiser.evaluation.protocols import (
    PROTOCOLS,
    Candidates,
    FullRanking,
    Negatives,
    RankingProtocol,
    SampledRanking,
    draw_negatives,
)
from tf_recdenoiser.evaluation.ranks import rank_among
from tf_recdenoiser.evaluation.scoring import ScoreFunction, evaluate

__all__ = [
    "DISLIKED",
    "METRICS",
    "PROTOCOLS",
    "Candidates",
    "DislikedRanks",
    "EvaluationProblem",
    "FullRanking",
    "Metric",
    "Negatives",
    "RankingProtocol",
    "Result",
    "SampledRanking",
    "ScoreFunction",
    "Seen",
    "draw_negatives",
    "evaluate",
    "hit",
    "ndcg",
    "parse_metric",
    "rank_among",
]
