"""JSON values, nested as tensors are, to arrays: their shapes, what each dtype takes, and bytes in base64."""

from __future__ import annotations

import base64
import binascii
import json
from typing import Any

import numpy as np

from tfrec.serving.server.errors import StatusError, invalid
from tfrec.serving.tensors import Dtype

TYPE_NAMES = {dict: "Object", list: "Array", str: "String", int: "Number", float: "Number", type(None): "Null"}
INTEGERS = {
    "int32": (-(1 << 31), (1 << 31) - 1),
    "int16": (-(1 << 31), (1 << 31) - 1),
    "int8": (-(1 << 31), (1 << 31) - 1),
    "uint8": (-(1 << 31), (1 << 31) - 1),
    "int64": (-(1 << 63), (1 << 63) - 1),
    "uint32": (0, (1 << 32) - 1),
    "uint64": (0, (1 << 64) - 1),
}  # what a JSON number must fit in; narrower tensors then wrap, as in TensorFlow Serving


def is_base64(value: Any) -> bool:
    """Whether `value` is an object that carries bytes as base64."""
    return isinstance(value, dict) and len(value) == 1 and isinstance(value.get("b64"), str)


def shape_of(value: Any) -> list[int]:
    """The shape of nested lists, as their first elements have it."""
    shape = []
    while isinstance(value, list):
        shape.append(len(value))
        if not value:
            break
        value = value[0]
    return shape


def flattened(value: Any, shape: list[int], dtype: Dtype | None) -> list[Any]:
    flat: list[Any] = []
    _collect(value, 0, shape, dtype, flat)
    return flat


def _collect(value: Any, level: int, shape: list[int], dtype: Dtype | None, flat: list[Any]) -> None:
    if not isinstance(value, list):
        if level != len(shape):
            raise invalid(
                f"JSON Value: {as_text(value)} found at incorrect level: {level + 1} in the JSON DOM. "
                f"Expected at level: {len(shape)}"
            )
        flat.append(_converted(value, dtype))
        return
    if level >= len(shape):
        raise invalid(f"Encountered list at unexpected level: {level} expected < {len(shape)}")
    if len(value) != shape[level]:
        raise invalid(
            f"Encountered list at unexpected size: {len(value)} at level: {level} expected size: {shape[level]}"
        )
    for element in value:
        _collect(element, level + 1, shape, dtype, flat)


def _converted(value: Any, dtype: Dtype | None) -> Any:
    """`value` as what an array of `dtype` holds."""
    name = dtype.name if dtype else "invalid"
    if name == "string":
        return bytes_from_json(value)
    if isinstance(value, dict):
        raise _type_error(value, name)
    if name in ("float", "double"):
        if type(value) not in (int, float):
            raise _type_error(value, name)
        return _as_float(value)
    if name == "bool":
        if type(value) is not bool:
            raise _type_error(value, name)
        return value
    if name in INTEGERS:
        smallest, largest = INTEGERS[name]
        if type(value) is not int or not smallest <= value <= largest:
            raise _type_error(value, name)
        return value
    raise StatusError("UNIMPLEMENTED", f"Conversion of JSON Value: {as_text(value)} to type: {name}")


def _as_float(value: float) -> float:
    try:
        return float(value)
    except OverflowError:
        return float("inf") if value > 0 else float("-inf")


def bytes_from_json(value: Any) -> bytes:
    """The bytes of a JSON string or of a {"b64": ...} object.

    Raises:
        StatusError: it is neither.
    """
    if isinstance(value, dict):
        if not is_base64(value):
            raise format_error(value, "not formatted correctly for base64 data")
        try:
            text = value["b64"].rstrip("=")
            return base64.b64decode(text + "=" * (-len(text) % 4), validate=True)
        except (binascii.Error, ValueError) as error:
            raise invalid("Unable to base64 decode") from error
    if not isinstance(value, str):
        raise _type_error(value, "string")
    try:
        return value.encode("utf-8", "surrogateescape")
    except UnicodeEncodeError as error:
        raise invalid("JSON Parse error: The surrogate pair in string is invalid.") from error


def array_of(flat: list[Any], shape: list[int], dtype: Dtype | None) -> np.ndarray:
    if dtype is None:
        raise StatusError("UNIMPLEMENTED", "the signature has an input of a type that JSON cannot carry")
    if dtype.name in INTEGERS:
        return (
            np.array(flat, dtype=np.uint64 if dtype.name == "uint64" else np.int64).astype(dtype.numpy).reshape(shape)
        )
    if dtype.name == "string":
        array = np.empty(len(flat), dtype=object)
        array[:] = flat
        return array.reshape(shape)
    with np.errstate(over="ignore"):
        return np.array(flat, dtype=np.float64 if dtype.numpy.kind == "f" else None).astype(dtype.numpy).reshape(shape)


def _type_error(value: Any, name: str) -> StatusError:
    return invalid(f"JSON Value: {as_text(value)} Type: {type_name(value)} is not of expected type: {name}")


def type_name(value: Any) -> str:
    """What errors call the type of a JSON value."""
    return str(value) if isinstance(value, bool) else TYPE_NAMES[type(value)]


def format_error(value: Any, reason: str) -> StatusError:
    """An INVALID_ARGUMENT error about a JSON value."""
    return invalid(f"JSON Value: {as_text(value)} {reason}")


def as_text(value: Any) -> str:
    """What errors show of a JSON value.

    Raises:
        StatusError: it could just be parsed, but is nested too deeply to be written.
    """
    try:
        return json.dumps(value, indent=4, ensure_ascii=False)
    except RecursionError as error:
        raise invalid("JSON Parse error: values are nested too deeply") from error


def joined(shape: list[int]) -> str:
    return ",".join(map(str, shape))
