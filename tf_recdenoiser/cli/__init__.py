"""The command line, `tf-recdenoiser`: one file a command."""

from __future__ import annotations

import contextlib
import os
import sys
import tempfile
from collections.abc import Iterator


def main() -> None:
    """Run `tf-recdenoiser` with the arguments of this process."""
    # TensorFlow reads these when it is first imported. TFRS needs tf_keras; see `retrieval`.
    os.environ.setdefault("TF_USE_LEGACY_KERAS", "1")
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
    try:
        with _quiet_unless_it_fails():
            import tensorflow as tf

            tf.config.list_physical_devices()
        from tf_recdenoiser.cli.app import run

        sys.exit(run())
    except KeyboardInterrupt:
        sys.exit(130)


@contextlib.contextmanager
def _quiet_unless_it_fails() -> Iterator[None]:
    """Hold back what native code writes to standard error, and show it if an error is raised.

    TensorFlow greets every process with lines about missing accelerators that no setting
    silences.
    """
    sys.stderr.flush()
    kept = os.dup(2)
    with tempfile.TemporaryFile() as held_back:
        os.dup2(held_back.fileno(), 2)
        try:
            yield
        except Exception:
            held_back.seek(0)
            os.write(kept, held_back.read())
            raise
        finally:
            os.dup2(kept, 2)
            os.close(kept)
