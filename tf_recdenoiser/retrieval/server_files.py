"""Options of TensorFlow Serving's command line, as files beside a model's versions."""

from __future__ import annotations

import json
from pathlib import Path

from tf_recdenoiser._files import written_whole

MODELS_FILE = "models.config"
BATCHING_FILE = "batching.config"

_MODELS = """\
# For `tensorflow_model_server --model_config_file`. The container image tensorflow/serving has
# models under /models; a server outside of it wants this directory's absolute path as base_path.
model_config_list {{
  config {{
    name: {name}
    base_path: {base_path}
    model_platform: "tensorflow"
    # The newest version is served. To go back to one: specific {{ versions: 3 }}
    model_version_policy {{ latest {{ num_versions: 1 }} }}
  }}
}}
"""

_BATCHING = """\
# For `tensorflow_model_server --enable_batching --batching_parameters_file`: requests that come
# at the same time are run as one. They must agree in their shapes, so every client sends
# histories of one length, filled up with {padding}, and one row of every other input for each
# history. Rows of one request: no more than max_batch_size.
max_batch_size {{ value: 512 }}
# How long a request may wait for others. 0 is the shortest answer for a single client.
batch_timeout_micros {{ value: 1000 }}
# Further requests are refused as UNAVAILABLE, and may be sent again.
max_enqueued_batches {{ value: 100 }}
# It would fill up with a row's first item, which would count twice.
pad_variable_length_inputs: false
"""


def write_server_files(directory: Path, padding: int | str) -> None:
    """Write `models.config` and `batching.config` where they are not there yet.

    Files that are there stay as they are: they are the user's to edit.

    Parameters
    ----------
    directory
        The model's, which holds its versions. Its name is the model's.
    padding
        The id that stands for none.
    """
    # A text protocol buffer quotes strings as JSON does.
    name, base_path = (
        json.dumps(text, ensure_ascii=False)
        for text in (directory.name, f"/models/{directory.name}")
    )
    for file, text in {
        MODELS_FILE: _MODELS.format(name=name, base_path=base_path),
        BATCHING_FILE: _BATCHING.format(padding=json.dumps(padding)),
    }.items():
        if not (directory / file).exists():
            # A server that looks at the file meanwhile finds nothing, or all of it.
            with written_whole(directory / file) as temporary:
                temporary.write_text(text, encoding="utf-8")
