"""Turns what callers have (lists of any length, absent values) into tensors of the shapes a signature asks for."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from tfrec.errors import ServerError
from tfrec.serving.signatures import Signature, TensorSpec

RESERVED = ("user_id", "history", "exclude", "query")


@dataclasses.dataclass(frozen=True)
class Query:
    """One request for recommendations.

    Attributes:
        user_id: "" for a user unknown to the model.
        history: item ids the user touched, most recent last; of a longer one the most recent are sent.
        exclude: item ids that must not be recommended; more than the model takes in may shorten the answer.
        features: user features by name; absent ones may be left out.
        context: features known at request time by name.
        text: free text to search by; only for `Client.search`.
    """

    user_id: str = ""
    history: Sequence[str] = ()
    exclude: Sequence[str] = ()
    features: Mapping[str, Any] = dataclasses.field(default_factory=dict)
    context: Mapping[str, Any] = dataclasses.field(default_factory=dict)
    text: str = ""


def row_from_query(query: Query, signature: Signature) -> dict[str, Any]:
    """The values of `query` by input name, with history and exclusions cut to what the signature holds.

    Raises:
        ServerError: a feature is no input of the signature, or ids are given where a list of ids is expected.
    """
    for name in ("history", "exclude"):
        if isinstance(getattr(query, name), (str, bytes)):
            raise ServerError(f"{name} must be a list of item ids, got {getattr(query, name)!r}")
    given = {**query.features, **query.context}
    if reserved := sorted(set(given) & set(RESERVED)):
        raise ServerError(f"{reserved[0]!r} is no feature; give it as the argument of that name")
    row = dict(given)
    if query.user_id:
        row["user_id"] = query.user_id
    if query.history:
        row["history"] = list(query.history)
        if "history" in signature.inputs:
            row["history"] = row["history"][-signature.width(signature.inputs, "history") :]
    if query.exclude and "exclude" in signature.inputs:  # what does not fit is left out by the client
        row["exclude"] = list(query.exclude)[: signature.width(signature.inputs, "exclude")]
    if query.text:
        row["query"] = query.text
    return row


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
