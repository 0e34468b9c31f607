"""Retrieval models of TFRS, and SavedModels from raw ids to the best items and what they kept."""

from typing import Any

from tf_recdenoiser.retrieval.export import export_saved_model
from tf_recdenoiser.retrieval.serving_module import ServingModule
from tf_recdenoiser.retrieval.top_k import top_items

__all__ = [
    "DenoisingRetrieval",
    "SequenceRetrieval",
    "ServingModule",
    "export_saved_model",
    "top_items",
]


def __getattr__(name: str) -> Any:
    # Only when asked for: TFRS, which these need, cannot be imported under Keras 3.
    if name not in ("DenoisingRetrieval", "SequenceRetrieval"):
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    from tf_recdenoiser.retrieval import denoising_retrieval

    return getattr(denoising_retrieval, name)
