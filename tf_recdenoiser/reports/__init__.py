"""Pictures of what a run found. Needs matplotlib: `tf_recdenoiser[plots]`."""

from tf_recdenoiser.reports.history import history_figure

__all__ = ["history_figure"]
