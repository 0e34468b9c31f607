"""The command line, `tf-recdenoiser`: one file a command."""

from __future__ import annotations

import os
import sys


def main() -> None:
    """Run `tf-recdenoiser` with the arguments of this process."""
    # TensorFlow reads these when it is first imported. TFRS needs tf_keras; see `retrieval`.
    os.environ.setdefault("TF_USE_LEGACY_KERAS", "1")
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
    try:
        from tf_recdenoiser.cli.app import run

        sys.exit(run())
    except KeyboardInterrupt:
        sys.exit(130)
