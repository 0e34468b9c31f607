"""Pictures, and pages that need nothing but a browser."""

from tf_recdenoiser.reports.experiment_report import write_experiment_report
from tf_recdenoiser.reports.history import history_figure
from tf_recdenoiser.reports.page import render, write_page
from tf_recdenoiser.reports.pictures import as_svg, drawing, new_figure
from tf_recdenoiser.reports.run_report import report_sections, write_run_report
from tf_recdenoiser.reports.sections import Card, Entry, Picture, Section, Table
from tf_recdenoiser.reports.subject import Subject

__all__ = [
    "Card",
    "Entry",
    "Picture",
    "Section",
    "Subject",
    "Table",
    "as_svg",
    "drawing",
    "history_figure",
    "new_figure",
    "render",
    "report_sections",
    "write_experiment_report",
    "write_page",
    "write_run_report",
]
