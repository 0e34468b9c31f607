"""Load and run a SavedModel through TensorFlow's C library, without TensorFlow for Python.

A SavedModel that reloads in Python can still fail in TensorFlow Serving, because Python rebuilds
the objects and restores their variables while the server only restores the graph. The function
``TF_LoadSessionFromSavedModel`` of TensorFlow's C library is the server's way: the same C++
loader, the same restore and initialisation operations. The library comes with the ``tensorflow``
package; this module finds its file without importing the package.

From a test::

    outputs = run_in_process("saved_models/NAME/1", "serving_default", {"k": np.int32(10), ...})

From a shell (strings are fixed-width bytes arrays in the ``.npz`` files)::

    python c_loader.py MODEL_VERSION_DIR                                    # signatures, as JSON
    python c_loader.py MODEL_VERSION_DIR SIGNATURE INPUTS.npz OUTPUTS.npz   # one call
"""

from __future__ import annotations

import argparse
import ctypes
import dataclasses
import importlib.util
import json
import os
import subprocess
import sys
import tempfile
import zipfile
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

Array = npt.NDArray[Any]

# The wheels of other systems name and split the library in another way; nobody serves from them.
SUPPORTED = sys.platform == "linux"

# TF_DataType in tensorflow/c/tf_datatype.h. Strings are NumPy object arrays of `bytes`.
DTYPES: dict[int, np.dtype[Any]] = {
    1: np.dtype(np.float32),
    2: np.dtype(np.float64),
    3: np.dtype(np.int32),
    7: np.dtype(object),
    9: np.dtype(np.int64),
    10: np.dtype(np.bool_),
}
DTYPE_CODES = {dtype: code for code, dtype in DTYPES.items()}

# sizeof(TF_TString), and what a short string leaves of it for its characters (the rest is a size
# byte and a final NUL): tensorflow/core/platform/ctstring_internal.h.
TSTRING_SIZE = 24
TSTRING_SMALL_CAPACITY = TSTRING_SIZE - 2


class TensorFlowError(RuntimeError):
    """A call of the C library ended with a status other than OK.

    Args:
        code: the ``TF_Code``, for example 3 (invalid argument) or 5 (not found).
        message: what the library says went wrong.
    """

    def __init__(self, code: int, message: str) -> None:
        super().__init__(f"TensorFlow status {code}: {message}")
        self.code = code


# --- Protocol buffers: the wire format, as far as signatures need it --------------------------


def read_varint(message: bytes, position: int) -> tuple[int, int]:
    """Read a base-128 number, low groups first, and return it with the position after it.

    >>> read_varint(b"\\x96\\x01", 0)
    (150, 2)
    """
    value = shift = 0
    while True:
        byte = message[position]
        position += 1
        value |= (byte & 0x7F) << shift
        if byte < 0x80:
            return value, position
        shift += 7


def read_fields(message: bytes) -> Iterator[tuple[int, int | bytes]]:
    """Yield ``(field number, value)``: an ``int`` for a varint, otherwise the field's bytes.

    Raises:
        ValueError: if the message has a wire type that protocol buffers no longer write, or
            ends inside a field's bytes.
        IndexError: if the message ends inside a number.

    >>> list(read_fields(b"\\x08\\x96\\x01\\x12\\x02hi"))
    [(1, 150), (2, b'hi')]
    """
    fixed_sizes = {1: 8, 5: 4}
    position = 0
    while position < len(message):
        key, position = read_varint(message, position)
        number, wire_type = key >> 3, key & 7
        if wire_type == 0:
            value, position = read_varint(message, position)
            yield number, value
            continue
        if wire_type == 2:
            size, position = read_varint(message, position)
        elif wire_type in fixed_sizes:
            size = fixed_sizes[wire_type]
        else:
            raise ValueError(f"message must use wire types 0, 1, 2 and 5. Received: {wire_type}")
        end = position + size
        if end > len(message):
            raise ValueError(
                f"message must hold its last field to the end, {end} bytes. "
                f"Received: {len(message)} bytes"
            )
        yield number, message[position:end]
        position = end


def read_submessages(message: bytes, number: int) -> list[bytes]:
    """Return every occurrence of a length-delimited field, in order."""
    return [v for n, v in read_fields(message) if n == number and isinstance(v, bytes)]


def read_number(message: bytes, number: int) -> int:
    """Return the last occurrence of a varint field, or 0, the default of protocol buffers."""
    found = [v for n, v in read_fields(message) if n == number and isinstance(v, int)]
    return found[-1] if found else 0


def read_text(message: bytes, number: int) -> str:
    """Return the last occurrence of a string field, or an empty string."""
    return b"".join(read_submessages(message, number)[-1:]).decode()


def read_map(message: bytes, number: int) -> dict[str, bytes]:
    """Return a ``map<string, message>`` field: entries with the key in field 1, value in 2."""
    return {
        read_text(entry, 1): b"".join(read_submessages(entry, 2)[-1:])
        for entry in read_submessages(message, number)
    }


# --- Signatures -------------------------------------------------------------------------------


@dataclasses.dataclass(frozen=True)
class TensorInfo:
    """A named input or output of a signature.

    Attributes:
        tensor: name in the graph, ``"operation:index"``.
        dtype: NumPy's name of the type (``"object"`` is a string), or ``"TF_DataType <code>"``
            for a type that this module does not pass.
        shape: one size per axis, ``None`` where it is free; ``None`` for an unknown rank.
    """

    tensor: str
    dtype: str
    shape: tuple[int | None, ...] | None


@dataclasses.dataclass(frozen=True)
class Signature:
    """The named inputs and outputs of one signature."""

    inputs: dict[str, TensorInfo]
    outputs: dict[str, TensorInfo]


def parse_signatures(meta_graph: bytes) -> dict[str, Signature]:
    """Read the signatures out of a serialized ``MetaGraphDef``.

    Field numbers, from tensorflow/core/protobuf/meta_graph.proto: ``MetaGraphDef.signature_def``
    5; ``SignatureDef.inputs`` 1, ``.outputs`` 2; ``TensorInfo.name`` 1, ``.dtype`` 2,
    ``.tensor_shape`` 3. From tensorflow/core/framework/tensor_shape.proto:
    ``TensorShapeProto.dim`` 2, ``.unknown_rank`` 3; ``Dim.size`` 1.

    The loader's own entries (``__saved_model_init_op``), which nobody calls, are left out.
    """
    return {
        name: Signature(_parse_tensors(signature, 1), _parse_tensors(signature, 2))
        for name, signature in sorted(read_map(meta_graph, 5).items())
        if not name.startswith("__saved_model_")
    }


def _parse_tensors(signature: bytes, number: int) -> dict[str, TensorInfo]:
    return {name: _parse_tensor(info) for name, info in sorted(read_map(signature, number).items())}


def _parse_tensor(info: bytes) -> TensorInfo:
    code = read_number(info, 2)
    dtype = str(DTYPES[code]) if code in DTYPES else f"TF_DataType {code}"
    shape = b"".join(read_submessages(info, 3))
    if read_number(shape, 3):
        return TensorInfo(read_text(info, 1), dtype, None)
    sizes = [read_number(dimension, 1) for dimension in read_submessages(shape, 2)]
    # A free axis is -1, which the wire holds as an unsigned 64-bit number.
    return TensorInfo(read_text(info, 1), dtype, tuple(None if s >> 63 else s for s in sizes))


# --- The C library ----------------------------------------------------------------------------


class _Buffer(ctypes.Structure):
    _fields_ = [
        ("data", ctypes.c_void_p),
        ("length", ctypes.c_size_t),
        ("data_deallocator", ctypes.c_void_p),
    ]


class _Output(ctypes.Structure):
    _fields_ = [("operation", ctypes.c_void_p), ("index", ctypes.c_int)]


_P = ctypes.c_void_p
_INT = ctypes.c_int
_INT64_ARRAY = ctypes.POINTER(ctypes.c_int64)
_OUTPUT_ARRAY = ctypes.POINTER(_Output)
_P_ARRAY = ctypes.POINTER(ctypes.c_void_p)

# name: (result, arguments), from tensorflow/c/{c_api,tf_buffer,tf_status,tf_tensor,tf_tstring}.h.
_PROTOTYPES: dict[str, tuple[Any, Sequence[Any]]] = {
    "TF_NewStatus": (_P, []),
    "TF_GetCode": (_INT, [_P]),
    "TF_Message": (ctypes.c_char_p, [_P]),
    "TF_DeleteStatus": (None, [_P]),
    "TF_NewBuffer": (ctypes.POINTER(_Buffer), []),
    "TF_DeleteBuffer": (None, [ctypes.POINTER(_Buffer)]),
    "TF_NewGraph": (_P, []),
    "TF_DeleteGraph": (None, [_P]),
    "TF_GraphOperationByName": (_P, [_P, ctypes.c_char_p]),
    "TF_NewSessionOptions": (_P, []),
    "TF_DeleteSessionOptions": (None, [_P]),
    "TF_LoadSessionFromSavedModel": (
        _P,
        [
            _P,  # session options
            _P,  # run options
            ctypes.c_char_p,  # folder
            ctypes.POINTER(ctypes.c_char_p),  # tags
            _INT,
            _P,  # graph
            ctypes.POINTER(_Buffer),  # MetaGraphDef
            _P,  # status
        ],
    ),
    "TF_SessionRun": (
        None,
        [
            _P,  # session
            _P,  # run options
            _OUTPUT_ARRAY,  # inputs: where they go in the graph, their tensors, how many
            _P_ARRAY,
            _INT,
            _OUTPUT_ARRAY,  # outputs: where they are in the graph, their tensors, how many
            _P_ARRAY,
            _INT,
            _P_ARRAY,  # operations to run without fetching
            _INT,
            _P,  # run metadata
            _P,  # status
        ],
    ),
    "TF_CloseSession": (None, [_P, _P]),
    "TF_DeleteSession": (None, [_P, _P]),
    "TF_AllocateTensor": (_P, [_INT, _INT64_ARRAY, _INT, ctypes.c_size_t]),
    "TF_DeleteTensor": (None, [_P]),
    "TF_TensorType": (_INT, [_P]),
    "TF_NumDims": (_INT, [_P]),
    "TF_Dim": (ctypes.c_int64, [_P, _INT]),
    "TF_TensorData": (_P, [_P]),
    "TF_StringInit": (None, [_P]),
    "TF_StringCopy": (None, [_P, ctypes.c_char_p, ctypes.c_size_t]),
    "TF_StringGetDataPointer": (_P, [_P]),
    "TF_StringGetSize": (ctypes.c_size_t, [_P]),
    "TF_StringGetCapacity": (ctypes.c_size_t, [_P]),
}


def library_path() -> Path:
    """Return the path of ``libtensorflow_cc.so.2`` in the installed ``tensorflow`` package.

    Raises:
        RuntimeError: on a system other than Linux, or if the package is not installed.

    >>> library_path().name if SUPPORTED else "libtensorflow_cc.so.2"
    'libtensorflow_cc.so.2'
    """
    if not SUPPORTED:
        raise RuntimeError(
            "the platform must be linux, where TensorFlow's C library has a known file: run this "
            f"there or in a container. Received: {sys.platform}"
        )
    # find_spec of a top-level name looks for the package and does not import it.
    package = importlib.util.find_spec("tensorflow")
    if package is None or not package.submodule_search_locations:
        raise RuntimeError("tensorflow must be installed, for its C library. Received: no package")
    return Path(package.submodule_search_locations[0]) / "libtensorflow_cc.so.2"


@cache
def c_library() -> ctypes.CDLL:
    """Load TensorFlow's C library and declare the functions that this module calls.

    Raises:
        RuntimeError: if there is no library, or its strings are laid out in another way.
        OSError: if the library cannot be loaded.
    """
    # Status, buffer and tensor functions are in libtensorflow_framework.so.2, the rest here. A
    # look-up in a library goes on in those it depends on, so one handle finds both.
    tf = ctypes.CDLL(str(library_path()))
    for name, (result, arguments) in _PROTOTYPES.items():
        function = getattr(tf, name)
        function.restype, function.argtypes = result, arguments
    string = ctypes.create_string_buffer(2 * TSTRING_SIZE)
    tf.TF_StringInit(string)
    if (capacity := tf.TF_StringGetCapacity(string)) != TSTRING_SMALL_CAPACITY:
        raise RuntimeError(
            f"TF_TString must be {TSTRING_SIZE} bytes, {TSTRING_SMALL_CAPACITY} of them for a "
            f"short string: adapt TSTRING_SIZE to this TensorFlow. Received: {capacity}"
        )
    return tf


@contextmanager
def _checked_status(tf: ctypes.CDLL) -> Iterator[int]:
    """Give a status to pass to the library; raise what it says when the block ends."""
    status = tf.TF_NewStatus()
    try:
        yield status
        if code := tf.TF_GetCode(status):
            raise TensorFlowError(code, tf.TF_Message(status).decode())
    finally:
        tf.TF_DeleteStatus(status)


# --- Tensors ----------------------------------------------------------------------------------


def to_bytes(values: Array) -> Array:
    """Return strings of any NumPy kind as an object array of ``bytes``, text as UTF-8.

    Raises:
        TypeError: if an element is neither ``str`` nor ``bytes``.

    >>> to_bytes(np.array(["naïve", "x"]))
    array([b'na\\xc3\\xafve', b'x'], dtype=object)
    """
    result = np.empty(values.shape, object)
    for index, item in enumerate(values.ravel().tolist()):
        if not isinstance(item, (str, bytes)):
            raise TypeError(f"strings must be str or bytes. Received: {item!r} at {index}")
        result.flat[index] = item.encode() if isinstance(item, str) else item
    return result


def to_fixed_width(values: Array) -> Array:
    """Return an array that an ``.npz`` file holds without pickle: strings as dtype ``S``.

    Raises:
        TypeError: if an element of an object array is neither ``str`` nor ``bytes``.
        ValueError: if a string ends in a NUL byte, which dtype ``S`` would lose.

    >>> to_fixed_width(np.array(["a", "été"]))
    array([b'a', b'\\xc3\\xa9t\\xc3\\xa9'], dtype='|S5')
    """
    if values.dtype.kind not in "OSU":
        return values
    items = to_bytes(values).ravel().tolist()
    for item in items:
        if item.endswith(b"\0"):
            raise ValueError(f"strings must not end in a NUL byte. Received: {item!r}")
    return np.array(items, dtype=np.bytes_).reshape(values.shape)


def _to_tensor(tf: ctypes.CDLL, value: Array) -> int:
    """Return a new ``TF_Tensor`` with a copy of ``value``; deleting it frees its strings too."""
    itemsize = TSTRING_SIZE if value.dtype == object else value.itemsize
    shape = (ctypes.c_int64 * value.ndim)(*value.shape)
    code = DTYPE_CODES[value.dtype]
    tensor: int = tf.TF_AllocateTensor(code, shape, value.ndim, value.size * itemsize)
    data = tf.TF_TensorData(tensor)
    if value.dtype == object:
        for index, item in enumerate(value.flat):
            address = data + index * TSTRING_SIZE
            tf.TF_StringInit(address)
            tf.TF_StringCopy(address, item, len(item))
    else:
        ctypes.memmove(data, np.ascontiguousarray(value).ctypes.data, value.nbytes)
    return tensor


def _to_numpy(tf: ctypes.CDLL, tensor: int) -> Array:
    """Return a copy of a ``TF_Tensor``."""
    shape = [tf.TF_Dim(tensor, axis) for axis in range(tf.TF_NumDims(tensor))]
    value: Array = np.empty(shape, DTYPES[tf.TF_TensorType(tensor)])
    data = tf.TF_TensorData(tensor)
    if value.dtype == object:
        for index in range(value.size):
            address = data + index * TSTRING_SIZE
            value.flat[index] = ctypes.string_at(
                tf.TF_StringGetDataPointer(address), tf.TF_StringGetSize(address)
            )
    else:
        ctypes.memmove(value.ctypes.data, data, value.nbytes)
    return value


# --- The model --------------------------------------------------------------------------------


@dataclasses.dataclass(frozen=True)
class LoadedModel:
    """A SavedModel in a session; :func:`load` makes it and frees it.

    Attributes:
        signatures: by name.
    """

    signatures: dict[str, Signature]
    _tf: ctypes.CDLL
    _graph: int
    _session: int

    def run(self, signature: str, inputs: Mapping[str, npt.ArrayLike]) -> dict[str, Array]:
        """Call a signature.

        Args:
            signature: its name.
            inputs: one array per input of the signature, of exactly its dtype; strings may be
                arrays of ``str`` or ``bytes`` of any kind.

        Returns:
            One array per output; strings as object arrays of ``bytes``.

        Raises:
            ValueError: if the signature does not exist, or the names of the inputs are not its.
            TypeError: if an input has another dtype, or a tensor one that is not in ``DTYPES``.
            TensorFlowError: if the model fails on the inputs.
        """
        if signature not in self.signatures:
            raise ValueError(
                f"signature must be one of {list(self.signatures)}. Received: {signature!r}"
            )
        declared = self.signatures[signature]
        values = _match_inputs(declared.inputs, inputs)
        fetches = (_Output * len(declared.outputs))(*map(self._output, declared.outputs.values()))
        feeds = (_Output * len(values))(*(self._output(declared.inputs[name]) for name in values))
        tensors, results = (_P * len(feeds))(), (_P * len(fetches))()
        with ExitStack() as owned:
            for index, value in enumerate(values.values()):
                tensors[index] = _to_tensor(self._tf, value)
                owned.callback(self._tf.TF_DeleteTensor, tensors[index])
            with _checked_status(self._tf) as status:
                self._tf.TF_SessionRun(
                    self._session,
                    None,
                    feeds,
                    tensors,
                    len(feeds),
                    fetches,
                    results,
                    len(fetches),
                    None,
                    0,
                    None,
                    status,
                )
            for tensor in results:
                owned.callback(self._tf.TF_DeleteTensor, tensor)
            return {
                name: _to_numpy(self._tf, tensor)
                for name, tensor in zip(declared.outputs, results, strict=True)
            }

    def _output(self, info: TensorInfo) -> _Output:
        if info.dtype not in map(str, DTYPES.values()):
            raise TypeError(
                f"dtype of {info.tensor!r} must be one of {[str(d) for d in DTYPES.values()]}. "
                f"Received: {info.dtype}"
            )
        operation, _, index = info.tensor.rpartition(":")
        pointer = self._tf.TF_GraphOperationByName(self._graph, operation.encode())
        if pointer is None:
            raise ValueError(f"the signature's tensor must be in the graph. Received: {info}")
        return _Output(pointer, int(index))


def _match_inputs(
    declared: Mapping[str, TensorInfo], inputs: Mapping[str, npt.ArrayLike]
) -> dict[str, Array]:
    """Return the inputs as arrays of the declared dtypes, or say what does not match."""
    if inputs.keys() != declared.keys():
        raise ValueError(f"inputs must be {sorted(declared)}. Received: {sorted(inputs)}")
    values = {name: np.asarray(value) for name, value in inputs.items()}
    for name, value in values.items():
        if value.dtype.kind in "OSU":
            values[name] = value = to_bytes(value)
        if str(value.dtype) != declared[name].dtype:
            raise TypeError(
                f"inputs[{name!r}] must be {declared[name].dtype}. Received: {value.dtype}"
            )
    return values


@contextmanager
def load(model_dir: str | os.PathLike[str], tag: str = "serve") -> Iterator[LoadedModel]:
    """Load a SavedModel as TensorFlow Serving does, for the length of a ``with`` block.

    Args:
        model_dir: the version directory, with ``saved_model.pb`` in it.
        tag: of the graph to load. Defaults to ``"serve"``.

    Raises:
        TensorFlowError: if the C++ loader fails, for example on a missing directory.
        RuntimeError, OSError: as :func:`c_library`.
    """
    tf = c_library()
    with ExitStack() as owned:

        def own(pointer: Any, delete: Callable[[Any], None]) -> Any:
            owned.callback(delete, pointer)
            return pointer

        graph = own(tf.TF_NewGraph(), tf.TF_DeleteGraph)
        options = own(tf.TF_NewSessionOptions(), tf.TF_DeleteSessionOptions)
        meta_graph = own(tf.TF_NewBuffer(), tf.TF_DeleteBuffer)
        tags = (ctypes.c_char_p * 1)(tag.encode())
        with _checked_status(tf) as status:
            session = tf.TF_LoadSessionFromSavedModel(
                options, None, os.fsencode(model_dir), tags, 1, graph, meta_graph, status
            )
        owned.callback(_close, tf, session)
        message = ctypes.string_at(meta_graph.contents.data, meta_graph.contents.length)
        yield LoadedModel(parse_signatures(message), tf, graph, session)


def _close(tf: ctypes.CDLL, session: int) -> None:
    with _checked_status(tf) as status:
        tf.TF_CloseSession(session, status)
    with _checked_status(tf) as status:
        tf.TF_DeleteSession(session, status)


# --- The command line, and the way to call it -------------------------------------------------


def run_in_process(
    model_dir: str | os.PathLike[str], signature: str, inputs: Mapping[str, npt.ArrayLike]
) -> dict[str, Array]:
    """Call a signature in a process of its own, which never imports TensorFlow for Python.

    Args:
        model_dir: the version directory, with ``saved_model.pb`` in it.
        signature: its name.
        inputs: as in :meth:`LoadedModel.run`.

    Returns:
        One array per output; strings as object arrays of ``bytes``.

    Raises:
        RuntimeError: if the process fails, with what it wrote to its standard error.
    """
    with tempfile.TemporaryDirectory() as folder:
        files = [os.path.join(folder, name) for name in ("inputs.npz", "outputs.npz")]
        _save_arrays(files[0], inputs)
        _run_command(os.fspath(model_dir), signature, *files)
        return _load_arrays(files[1])


def signatures_in_process(model_dir: str | os.PathLike[str]) -> dict[str, Signature]:
    """Return a SavedModel's signatures, as the C++ loader gives them to a process of its own.

    Raises:
        RuntimeError: as :func:`run_in_process`.
    """
    listing = json.loads(_run_command(os.fspath(model_dir)))
    return {name: _signature_from_json(signature) for name, signature in listing.items()}


def _signature_from_json(signature: dict[str, dict[str, Any]]) -> Signature:
    return Signature(
        **{
            side: {name: _tensor_from_json(**info) for name, info in tensors.items()}
            for side, tensors in signature.items()
        }
    )


def _tensor_from_json(tensor: str, dtype: str, shape: list[int | None] | None) -> TensorInfo:
    return TensorInfo(tensor, dtype, None if shape is None else tuple(shape))


def _run_command(*arguments: str) -> str:
    # The test process may hold all of a GPU's memory, so the child leaves it alone.
    environment = {**os.environ, "CUDA_VISIBLE_DEVICES": "-1"}
    process = subprocess.run(
        [sys.executable, __file__, *arguments], env=environment, capture_output=True, text=True
    )
    if process.returncode:
        raise RuntimeError(
            f"the C++ loader must end with status 0. Received: {process.returncode}, "
            f"and on standard error:\n{process.stderr}"
        )
    return process.stdout


def _save_arrays(file: str, arrays: Mapping[str, npt.ArrayLike]) -> None:
    """Write an ``.npz`` file; unlike ``np.savez``, under any name and never with pickle."""
    with zipfile.ZipFile(file, "w") as archive:
        for name, value in arrays.items():
            with archive.open(f"{name}.npy", "w", force_zip64=True) as member:
                array = to_fixed_width(np.asarray(value))
                np.lib.format.write_array(member, array, allow_pickle=False)


def _load_arrays(file: str) -> dict[str, Array]:
    """Read an ``.npz`` file, with strings as object arrays of ``bytes``."""
    with np.load(file) as arrays:
        return {k: to_bytes(v) if v.dtype.kind == "S" else v for k, v in arrays.items()}


def _check_no_python_tensorflow() -> None:
    found = {"tensorflow", "keras", "tf_keras"} & sys.modules.keys()
    if found:
        raise RuntimeError(
            "the loader must run without TensorFlow or Keras for Python, or it shows nothing "
            f"about a server. Received: {sorted(found)} imported"
        )


def main() -> None:
    """Print a SavedModel's signatures, or call one with the arrays of an ``.npz`` file."""
    parser = argparse.ArgumentParser(description=main.__doc__)
    parser.add_argument("model_dir", help="version directory, with saved_model.pb in it")
    parser.add_argument("call", nargs="*", metavar="SIGNATURE INPUTS.npz OUTPUTS.npz")
    arguments = parser.parse_args()
    if len(arguments.call) not in (0, 3):
        parser.error(f"SIGNATURE INPUTS.npz OUTPUTS.npz go together. Received: {arguments.call}")
    with load(arguments.model_dir) as model:
        if arguments.call:
            signature, inputs, outputs = arguments.call
            results = model.run(signature, _load_arrays(inputs))
            _save_arrays(outputs, results)
        else:
            listing = {n: dataclasses.asdict(s) for n, s in model.signatures.items()}
            print(json.dumps(listing, indent=2))
    _check_no_python_tensorflow()


if __name__ == "__main__":
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")  # errors only; read as the library starts
    main()
