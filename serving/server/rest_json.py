"""The JSON of the REST API's predict requests: row form ("instances") and column form ("inputs"), to arrays."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

import numpy as np

from tfrec.serving.server.errors import StatusError, invalid
from tfrec.serving.server.rest_values import array_of, as_text, flattened, format_error, is_base64, joined, shape_of
from tfrec.serving.tensors import BY_NUMBER, Dtype

PARSE_ERRORS = {
    "Expecting value": "Invalid value.",
    "Extra data": "The document root must not be followed by other values.",
    "Expecting property name enclosed in double quotes": "Missing a name for object member.",
    "Expecting ':' delimiter": "Missing a colon after a name of object member.",
    "Expecting ',' delimiter": "Missing a comma or closing bracket after an element.",
    "Unterminated string starting at": "Missing a closing quotation mark in string.",
    "Invalid \\escape": "Invalid escape character in string.",
    "Invalid \\uXXXX escape": "Incorrect hex digit after \\u escape in string.",
}


def parse_object(body: bytes) -> dict[str, Any]:
    """The JSON object in `body`; NaN, Infinity and -Infinity are numbers, bytes that are no UTF-8 are kept.

    Raises:
        StatusError: it is no JSON object.
    """
    if not body:
        raise invalid("JSON Parse error: The document is empty")
    text = body.decode("utf-8", "surrogateescape")
    try:
        document = json.loads(text)
    except json.JSONDecodeError as error:
        reason = PARSE_ERRORS.get(error.msg, error.msg)
        if not text.strip():
            reason = "The document is empty."
        offset = len(text[: error.pos].encode("utf-8", "surrogateescape"))
        raise invalid(f"JSON Parse error: {reason} at offset: {offset}") from error
    except RecursionError as error:
        raise invalid("JSON Parse error: values are nested too deeply") from error
    except ValueError as error:
        raise invalid("JSON Parse error: Number too big to be stored in double.") from error
    if not isinstance(document, dict):
        raise format_error(document, "Is not object")
    return document


def signature_name(document: Mapping[str, Any]) -> str:
    """The signature that a request names, or "".

    Raises:
        StatusError: the name is no string.
    """
    name = document.get("signature_name", "")
    if not isinstance(name, str):
        raise format_error(document, "not formatted correctly. 'signature_name' key must be a string value.")
    return name.encode("utf-8", "replace").decode()  # messages take nothing but UTF-8, and no signature has such a name


def inputs_from_request(document: Mapping[str, Any], infos: Mapping[str, Any]) -> tuple[dict[str, np.ndarray], bool]:
    """Arrays by alias, and whether the request is in row form.

    Args:
        infos: TensorInfo by alias of the signature.

    Raises:
        StatusError: the request has neither or both forms, or does not fit `infos`.
    """
    if not infos:
        raise invalid(f"Failed to get input map for signature: {signature_name(document) or 'DEFAULT'}")
    dtypes = {alias: BY_NUMBER.get(info.dtype) for alias, info in infos.items()}
    try:
        if "instances" not in document:
            if "inputs" not in document:
                raise invalid("Missing 'inputs' or 'instances' key")
            return _column_form(document["inputs"], dtypes), False
        if "inputs" in document:
            reason = "Not formatted correctly expecting only one of 'inputs' or 'instances' keys to exist "
            raise format_error(document, reason)
        if not isinstance(document["instances"], list):
            raise format_error(document, "Expecting 'instances' to be an list/array")
        if not document["instances"]:
            raise format_error(document, "No values in 'instances' array")
        return _row_form(document["instances"], dtypes), True
    except RecursionError as error:
        raise invalid("JSON Parse error: values are nested too deeply") from error


def _column_form(value: Any, dtypes: Mapping[str, Dtype | None]) -> dict[str, np.ndarray]:
    if not _is_named(value):
        if len(dtypes) > 1:
            raise invalid(
                "inputs is a plain value/list, but expecting an object as multiple input tensors required as per "
                "tensorinfo_map"
            )
        value = dict.fromkeys(dtypes, value)
    arrays = {}
    for alias, dtype in sorted(dtypes.items()):
        if alias not in value:
            raise invalid(f"Missing named input: {alias} in 'inputs' object.")
        shape = shape_of(value[alias])
        arrays[alias] = array_of(flattened(value[alias], shape, dtype), shape, dtype)
    return arrays


def _row_form(instances: list[Any], dtypes: Mapping[str, Dtype | None]) -> dict[str, np.ndarray]:
    if not isinstance(instances[0], dict) and len(dtypes) > 1:
        raise invalid(
            "instances is a plain list, but expecting list of objects as multiple input tensors required as per "
            "tensorinfo_map"
        )
    named = _is_named(instances[0])
    only = next(iter(dtypes))
    values: dict[str, list[Any]] = {alias: [] for alias in dtypes}
    shapes: dict[str, list[int]] = {}
    for number, instance in enumerate(instances):
        if named != _is_named(instance):
            expected, got = ("object", "list") if named else ("value/list", "object")
            raise invalid(f"Expecting {expected} but got {got} at item {number} of input list")
        where = f"Failed to process element: {number}"
        for alias, value in instance.items() if named else [(only, instance)]:
            try:
                _add_instance(alias, value, dtypes, values, shapes)
            except StatusError as error:
                key = f" key: {alias}" if named else ""
                raise invalid(f"{where}{key} of 'instances' list. Error: {error.code}: {error.message}") from error
        if named and set(instance) != set(dtypes):
            raise invalid(
                f"{where} of 'instances' list. JSON object: {as_text(instance)} keys must be equal to: "
                f"{','.join(sorted(dtypes))}"
            )
    return {alias: array_of(values[alias], [len(instances), *shapes[alias]], dtype) for alias, dtype in dtypes.items()}


def _add_instance(
    alias: str,
    value: Any,
    dtypes: Mapping[str, Dtype | None],
    values: dict[str, list[Any]],
    shapes: dict[str, list[int]],
) -> None:
    if alias not in dtypes:
        raise invalid(f"JSON object: does not have named input: {alias}")
    shape = shape_of(value)
    flat = flattened(value, shape, dtypes[alias])
    expected = shapes.setdefault(alias, shape)
    if len(flat) != int(np.prod(expected, dtype=object)):
        raise invalid(f"Expecting tensor size: {int(np.prod(expected, dtype=object))} but got: {len(flat)}")
    if shape != expected:
        raise invalid(f"Expecting shape [{joined(expected)}] but got: [{joined(shape)}]")
    values[alias].extend(flat)


def _is_named(value: Any) -> bool:
    """Whether `value` is an object of named tensors, rather than a tensor or a base64 object."""
    return isinstance(value, dict) and not is_base64(value)
