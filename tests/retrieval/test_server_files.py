"""The files for a server's command line are what the server reads."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from google.protobuf import (
    descriptor_pb2,
    descriptor_pool,
    message_factory,
    text_format,
    wrappers_pb2,
)
from tensorflow_serving.config import model_server_config_pb2

from tf_recdenoiser.retrieval.server_files import write_server_files


def batching_parameters() -> Any:
    """TensorFlow Serving's message, whose Python code no package brings.

    Names, numbers and types are those of session_bundle_config.proto.
    """
    field = descriptor_pb2.FieldDescriptorProto
    file = descriptor_pb2.FileDescriptorProto(
        name="batching_parameters.proto",
        package="tensorflow.serving",
        syntax="proto3",
        dependency=[wrappers_pb2.DESCRIPTOR.name],
    )
    message = file.message_type.add(name="BatchingParameters")
    for number, name, wrapper in [
        (1, "max_batch_size", "Int64Value"),
        (2, "batch_timeout_micros", "Int64Value"),
        (3, "max_enqueued_batches", "Int64Value"),
        (4, "num_batch_threads", "Int64Value"),
        (5, "thread_pool_name", "StringValue"),
    ]:
        message.field.add(
            name=name,
            number=number,
            label=field.LABEL_OPTIONAL,
            type=field.TYPE_MESSAGE,
            type_name=f".google.protobuf.{wrapper}",
        )
    message.field.add(
        name="allowed_batch_sizes", number=6, label=field.LABEL_REPEATED, type=field.TYPE_INT64
    )
    message.field.add(
        name="pad_variable_length_inputs", number=7, label=field.LABEL_OPTIONAL,
        type=field.TYPE_BOOL,
    )  # fmt: skip
    pool = descriptor_pool.DescriptorPool()
    pool.AddSerializedFile(wrappers_pb2.DESCRIPTOR.serialized_pb)
    pool.Add(file)
    found = pool.FindMessageTypeByName("tensorflow.serving.BatchingParameters")
    return message_factory.GetMessageClass(found)()


def written(folder: Path, padding: int | str = -1) -> dict[str, str]:
    folder.mkdir(exist_ok=True)
    write_server_files(folder, padding)
    return {path.name: path.read_text(encoding="utf-8") for path in folder.iterdir()}


@pytest.mark.parametrize("name", ["first", 'of "films"', "größe\\2 {x}"])
def test_the_model_is_named_where_a_container_has_it(name: str, tmp_path: Path) -> None:
    files = written(tmp_path / name)
    assert sorted(files) == ["batching.config", "models.config"]
    config = text_format.Parse(files["models.config"], model_server_config_pb2.ModelServerConfig())
    (model,) = config.model_config_list.config
    assert (model.name, model.base_path) == (name, f"/models/{name}")
    assert model.model_platform == "tensorflow"
    assert model.model_version_policy.latest.num_versions == 1


def test_requests_of_one_length_are_batched(tmp_path: Path) -> None:
    parameters = text_format.Parse(written(tmp_path)["batching.config"], batching_parameters())
    assert parameters.max_batch_size.value == 512
    assert parameters.batch_timeout_micros.value == 1000
    assert parameters.max_enqueued_batches.value == 100
    # Left out, there are as many threads as cores; any batch size is allowed.
    assert not parameters.HasField("num_batch_threads")
    assert list(parameters.allowed_batch_sizes) == []
    assert parameters.pad_variable_length_inputs is False


@pytest.mark.parametrize(("padding", "said"), [(-1, "filled up with -1,"), ("", 'up with "",')])
def test_padding_is_named(padding: int | str, said: str, tmp_path: Path) -> None:
    assert said in written(tmp_path, padding)["batching.config"]


def test_what_is_there_is_left_alone(tmp_path: Path) -> None:
    (tmp_path / "batching.config").write_text("max_batch_size { value: 8 }")
    files = written(tmp_path)
    assert files["batching.config"] == "max_batch_size { value: 8 }"
    assert sorted(files) == ["batching.config", "models.config"]
