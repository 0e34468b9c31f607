"""Retrieval models of TFRS, and SavedModels from raw ids to the best items and what they kept."""

from typing import Any

from tf_recdenoiser.retrieval.export import export_saved_model
from tf_recdenoiser.retrieval.serving_module import ServingModule
from tf_recdenoiser.retrieval.top_k import nearest_items, top_items
from tf_recdenoiser.retrieval.versions import prune_versions

__all__ = ["ServingModule", "export_saved_model", "nearest_items", "prune_versions", "top_items"]


def __getattr__(name: str) -> Any:
    # Only when asked for by its name: TFRS, which it needs, cannot be imported under Keras 3.
    if name != "DenoisingRetrieval":
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    from tf_recdenoiser.retrieval.denoising_retrieval import DenoisingRetrieval

    return DenoisingRetrieval
