"""Apache Beam: processes of this machine, or Flink, Spark, Dataflow and others."""

from __future__ import annotations

import importlib
import shlex
from collections.abc import Callable
from typing import Any

from tf_recdenoiser.data.log import DataError
from tf_recdenoiser.data.prepared.engines.base import Engine, Piece


class Beam(Engine):
    """Does pieces as elements of a Beam pipeline.

    All workers must see the files of the log and the folder under the same paths, as on a shared
    disk, and have this package.

    Parameters
    ----------
    options
        Beam's pipeline options, as on a command line, such as "--runner=FlinkRunner"; by default
        those of its runner on this machine, with a process for each core.
    """

    def run(self, piece: Piece, count: int, advance: Callable[[], None]) -> None:
        beam = _beam()
        options = shlex.split(self.options) or [
            "--runner=DirectRunner",
            "--direct_running_mode=multi_processing",
            "--direct_num_workers=0",  # as many as there are cores
        ]
        pipeline_options = beam.options.pipeline_options.PipelineOptions(options)
        with beam.Pipeline(options=pipeline_options) as pipeline:
            numbers = pipeline | beam.Create(range(count)) | beam.Reshuffle()
            _ = numbers | beam.Map(piece)
        for _ in range(count):
            advance()


def _beam() -> Any:
    try:
        importlib.import_module("apache_beam.options.pipeline_options")
        return importlib.import_module("apache_beam")
    except ImportError as error:
        raise DataError(
            "The engine 'beam' needs Apache Beam; install tf_recdenoiser[beam]. "
            "Received: an environment without it"
        ) from error
