"""What does the pieces of a preparation: one file an engine, registered below."""

from __future__ import annotations

from tf_recdenoiser.data.prepared.engines.base import Engine
from tf_recdenoiser.data.prepared.engines.beam import Beam
from tf_recdenoiser.data.prepared.engines.local import Local

ENGINES: dict[str, type[Engine]] = {"local": Local, "beam": Beam}
"""Every engine by name."""

__all__ = ["ENGINES", "Beam", "Engine", "Local"]
