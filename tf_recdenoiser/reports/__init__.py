"""Pictures, and pages that need nothing but a browser."""

from tf_recdenoiser.reports.history import history_figure
from tf_recdenoiser.reports.page import render, write_page
from tf_recdenoiser.reports.pictures import as_svg, drawing, new_figure

__all__ = ["as_svg", "drawing", "history_figure", "new_figure", "render", "write_page"]
