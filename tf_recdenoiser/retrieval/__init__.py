"""Serving: SavedModels from raw ids to the best items, and what they kept."""

from tf_recdenoiser.retrieval.export import export_saved_model
from tf_recdenoiser.retrieval.serving_module import ServingModule
from tf_recdenoiser.retrieval.top_k import top_items
from tf_recdenoiser.retrieval.versions import prune_versions

__all__ = ["ServingModule", "export_saved_model", "prune_versions", "top_items"]
