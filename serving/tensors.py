"""NumPy arrays to and from TensorProto messages, without TensorFlow.

The functions take any message with the fields of tensorflow/core/framework/tensor.proto, so the client (with its own
messages) and the development server (with TensorFlow's) share them.
"""

from __future__ import annotations

import math
from typing import Any, NamedTuple

import numpy as np


class Dtype(NamedTuple):
    """How one DataType of TensorFlow is held in NumPy and in which field of a TensorProto its values lie."""

    number: int
    name: str
    numpy: np.dtype
    field: str


DTYPES = tuple(
    Dtype(number, name, np.dtype(numpy), field)
    for number, name, numpy, field in (
        (1, "float", np.float32, "float_val"),
        (2, "double", np.float64, "double_val"),
        (3, "int32", np.int32, "int_val"),
        (4, "uint8", np.uint8, "int_val"),
        (5, "int16", np.int16, "int_val"),
        (6, "int8", np.int8, "int_val"),
        (7, "string", np.object_, "string_val"),
        (9, "int64", np.int64, "int64_val"),
        (10, "bool", np.bool_, "bool_val"),
        (17, "uint16", np.uint16, "int_val"),
        (19, "half", np.float16, "half_val"),
        (22, "uint32", np.uint32, "uint32_val"),
        (23, "uint64", np.uint64, "uint64_val"),
    )
)
BY_NUMBER = {dtype.number: dtype for dtype in DTYPES}
BY_NUMPY = {dtype.numpy: dtype for dtype in DTYPES}
LARGEST_EXPANSION = 1 << 24  # elements that a message may ask for by repeating its last value


def array_from_proto(proto: Any) -> np.ndarray:
    """The tensor in `proto`; strings as an object array of bytes.

    Follows TensorFlow: values come from `tensor_content` or the typed field; a typed field with too few values
    repeats its last one, with none it means zeros, and surplus values are ignored.

    Raises:
        ValueError: the dtype is not supported, or shape and values do not fit.
    """
    dtype = BY_NUMBER.get(proto.dtype)
    if dtype is None:
        raise ValueError(f"dtype {proto.dtype} of the tensor is not supported")
    shape = tuple(dim.size for dim in proto.tensor_shape.dim)
    if proto.tensor_shape.unknown_rank or any(size < 0 for size in shape):
        raise ValueError(f"the tensor's shape {shape} is not fully known")
    size = math.prod(shape)
    if proto.tensor_content:
        return _from_content(proto.tensor_content, dtype, shape, size)
    return _from_values(getattr(proto, dtype.field), dtype, size).reshape(shape)


def _from_content(content: bytes, dtype: Dtype, shape: tuple[int, ...], size: int) -> np.ndarray:
    if dtype.numpy == np.object_:
        raise ValueError("strings are expected in string_val, not in tensor_content")
    if len(content) != size * dtype.numpy.itemsize:
        raise ValueError(f"{len(content)} bytes of content do not fill shape {shape} of {dtype.name}")
    return np.frombuffer(content, dtype.numpy.newbyteorder("<")).astype(dtype.numpy, copy=False).reshape(shape)


def _from_values(values: Any, dtype: Dtype, size: int) -> np.ndarray:
    given = min(len(values), size)
    if size - given > LARGEST_EXPANSION:
        raise ValueError(f"{len(values)} values cannot stand for {size}")
    if dtype.numpy == np.object_:
        filler: Any = values[-1] if len(values) else b""
        array = np.full(size, filler, dtype=object)
        array[:given] = values[:given]
        return array
    held = np.uint16 if dtype.name == "half" else dtype.numpy
    array = np.full(size, values[-1] if len(values) else 0).astype(held)
    array[:given] = np.asarray(values[:given]).astype(held)
    return array.view(dtype.numpy) if dtype.name == "half" else array


def dtype_of(array: np.ndarray) -> Dtype:
    """The entry of `DTYPES` for `array`.

    Raises:
        ValueError: TensorFlow has no such dtype, or it is not supported here.
    """
    found = BY_NUMPY.get(array.dtype)
    if found is None:
        raise ValueError(f"arrays of {array.dtype} cannot be sent as a tensor")
    return found


def fill_proto(proto: Any, array: np.ndarray, packed: bool = False) -> None:
    """Write `array` (strings as an object array of bytes) into the empty message `proto`.

    Values go into the typed field, as TensorFlow Serving answers; with `packed` numbers go into `tensor_content`,
    which is cheaper to write for large tensors.

    Raises:
        ValueError: the array's dtype cannot be sent.
    """
    dtype = dtype_of(array)
    proto.dtype = dtype.number
    for size in array.shape:
        proto.tensor_shape.dim.add().size = size
    if packed and dtype.numpy != np.object_:
        proto.tensor_content = np.ascontiguousarray(array, dtype.numpy.newbyteorder("<")).tobytes()
        return
    values = array.view(np.uint16) if dtype.name == "half" else array
    getattr(proto, dtype.field).extend(values.ravel().tolist())
