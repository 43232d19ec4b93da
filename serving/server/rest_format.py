"""The JSON of the REST API's answers: arrays as TensorFlow Serving prints them."""

from __future__ import annotations

import base64
import json
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from tfrec.serving.server.errors import invalid

DIGITS = {"e": 5, "f": 9, "d": 17}  # decimal digits that tell any two half, single or double floats apart


def json_from_outputs(outputs: Mapping[str, np.ndarray], row_form: bool) -> str:
    """The answer to a predict request in row form ("predictions") or column form ("outputs").

    A single output is written without its alias; strings of an alias that ends in _bytes are written as base64.

    Raises:
        StatusError: the outputs share no batch dimension, which the row form needs.
    """
    if not outputs:
        raise invalid("Cannot convert empty tensor map to JSON")
    if not row_form:
        texts = {alias: _nested(_tokens(alias, array), array.shape) for alias, array in outputs.items()}
        return f'{{\n    "outputs": {_object(texts)}\n}}'
    size = _batch_size(outputs)
    rows = {alias: _rows(alias, array) for alias, array in outputs.items()}
    answers = [_object({alias: texts[index] for alias, texts in rows.items()}) for index in range(size)]
    return '{\n    "predictions": [' + ", ".join(answers) + "\n    ]\n}"


def error_json(message: str) -> str:
    """The body of an answer that reports an error."""
    return json.dumps({"error": message}, indent=4, ensure_ascii=False)


def _batch_size(outputs: Mapping[str, np.ndarray]) -> int:
    size = None
    for alias, array in outputs.items():
        if not array.ndim:
            raise invalid(f"Tensor name: {alias} has no shape information ")
        if size is not None and len(array) != size:
            raise invalid(f"Tensor name: {alias} has inconsistent batch size: {len(array)} expecting: {size}")
        size = len(array)
    return size or 0


def _object(texts: Mapping[str, str]) -> str:
    if len(texts) == 1:
        return next(iter(texts.values()))
    return "{" + ", ".join(f"{json.dumps(alias)}: {text}" for alias, text in texts.items()) + "}"


def _rows(alias: str, array: np.ndarray) -> list[str]:
    tokens = _tokens(alias, array)
    width = int(np.prod(array.shape[1:]))
    return [_nested(tokens[row * width : (row + 1) * width], array.shape[1:]) for row in range(len(array))]


def _nested(tokens: Sequence[str], shape: tuple[int, ...]) -> str:
    if not shape:
        return tokens[0]
    for size in shape[:0:-1]:  # join the innermost lists first
        if not size:
            tokens = ["[]"] * int(np.prod(shape[:-1]))
            shape = shape[:-1]
            continue
        tokens = ["[" + ", ".join(tokens[start : start + size]) + "]" for start in range(0, len(tokens), size)]
        shape = shape[:-1]
    return "[" + ", ".join(tokens) + "]"


def _tokens(alias: str, array: np.ndarray) -> list[str]:
    values: list[Any] = array.ravel().tolist()
    kind = array.dtype.kind
    if kind == "f":
        return [_decimal(value, array.dtype) for value in values]
    if kind == "b":
        return ["true" if value else "false" for value in values]
    if kind in "iu":
        return [str(value) for value in values]
    if alias.endswith("_bytes"):
        return [json.dumps({"b64": base64.b64encode(value).decode("ascii")}) for value in values]
    return [json.dumps(value.decode("utf-8", "surrogateescape"), ensure_ascii=False) for value in values]


def decimal32(value: float) -> str:
    """A single-precision number as the API prints it."""
    return _decimal(value, np.dtype(np.float32))


def string(text: str) -> str:
    """A string in quotes, with characters beyond ASCII as they are."""
    return json.dumps(text, ensure_ascii=False)


def _decimal(value: float, dtype: np.dtype) -> str:
    """The shortest of six digits or as many as tell the value apart, always recognisable as no integer."""
    if value != value:
        return "NaN"
    if value in (float("inf"), float("-inf")):
        return "Infinity" if value > 0 else "-Infinity"
    text = f"{value:.6g}"
    if dtype.type(text) != value:
        text = f"{value:.{DIGITS[dtype.char]}g}"
    return text if "." in text or "e" in text else f"{text}.0"
