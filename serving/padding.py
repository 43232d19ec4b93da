"""Turns what callers have (lists of any length, absent values) into tensors of the shapes a signature asks for."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from tfrec.errors import ServerError
from tfrec.serving.signatures import Signature, TensorSpec


def tensors_from_rows(rows: Sequence[Mapping[str, Any]], signature: Signature) -> dict[str, np.ndarray]:
    """One tensor [len(rows), ...] for every input of `signature`; what a row lacks is filled in as absent.

    Absent is "" for strings, NaN for floats, 0 for integers and False for booleans.

    Raises:
        ServerError: a row names an input that the signature does not have, or a value does not fit its input.
    """
    for row in rows:
        for name in row:
            if name not in signature.inputs:
                raise ServerError(
                    f"signature {signature.name!r} has no input {name!r}; "
                    f"its inputs are {', '.join(sorted(signature.inputs))}"
                )
    return {name: _column([row.get(name) for row in rows], name, spec) for name, spec in signature.inputs.items()}


def _column(values: Sequence[Any], name: str, spec: TensorSpec) -> np.ndarray:
    if spec.shape is None or len(spec.shape) not in (1, 2):
        raise ServerError(f"input {name!r} has shape {spec.shape}; expected [batch] or [batch, length]")
    try:
        if len(spec.shape) == 1:
            return np.array([_scalar(value, spec) for value in values], dtype=spec.dtype.numpy)
        return _padded([_listed(value) for value in values], spec)
    except (TypeError, ValueError, OverflowError) as error:
        raise ServerError(f"input {name!r} takes {spec.dtype.name} values of shape {spec.shape}: {error}") from error


def _padded(lists: Sequence[Sequence[Any]], spec: TensorSpec) -> np.ndarray:
    assert spec.shape is not None
    length = spec.shape[1] if spec.shape[1] >= 0 else max((len(values) for values in lists), default=0)
    tensor = np.full((len(lists), length), _scalar(None, spec), dtype=spec.dtype.numpy)
    for row, values in enumerate(lists):
        for column, value in enumerate(values[:length]):
            tensor[row, column] = _scalar(value, spec)
    return tensor


def _listed(value: Any) -> Sequence[Any]:
    if value is None:
        return ()
    if isinstance(value, (str, bytes)) or not hasattr(value, "__len__"):
        return (value,)
    return list(value)


def _scalar(value: Any, spec: TensorSpec) -> Any:
    kind = spec.dtype.numpy.kind
    if value is None:
        return {"O": b"", "f": np.nan, "b": False}.get(kind, 0)
    if kind == "O":
        if isinstance(value, (bytes, bytearray)):
            return bytes(value)
        if isinstance(value, (list, tuple, set, dict)):
            raise ValueError(f"expected one value, got {value!r}")
        return str(value).encode("utf-8")
    if isinstance(value, (str, bytes)):
        raise ValueError(f"expected a number, got {value!r}")
    return spec.dtype.numpy.type(value)
