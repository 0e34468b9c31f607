"""Modules whose docstrings are not to be run in this process."""

from __future__ import annotations

import os

# As TensorFlow reads the variable; without it TFRS, which the module needs, is not to be had.
LEGACY = os.environ.get("TF_USE_LEGACY_KERAS") in ("1", "true", "True")
collect_ignore = [] if LEGACY else ["tf_recdenoiser/retrieval/denoising_retrieval.py"]
