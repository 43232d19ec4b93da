"""The JSON of the REST API's classify and regress requests: objects of named values, to tf.Examples and back."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from tensorflow.core.example import example_pb2, feature_pb2
from tensorflow_serving.apis import classification_pb2, input_pb2, regression_pb2

from tfrec.serving.server import rest_format, rest_values
from tfrec.serving.server.errors import invalid

LARGEST_INT64 = (1 << 63) - 1
KINDS = {int: "int64", float: "float", str: "bytes", dict: "bytes", bool: "int64"}


def input_from_request(document: Mapping[str, Any]) -> input_pb2.Input:
    """The Input of a classify or regress request: "examples", and perhaps a "context" that each of them shares.

    Raises:
        StatusError: there are no examples, or one holds what a tf.Example cannot.
    """
    given = input_pb2.Input()
    target: Any = given.example_list
    if "context" in document:
        target = given.example_list_with_context
        target.context.CopyFrom(_example(document["context"]))
    if "examples" not in document:
        reason = "When method is classify, key 'examples' is expected and was not found"  # of both methods
        raise rest_values.format_error(document, reason)
    examples = document["examples"]
    if not isinstance(examples, list):
        raise rest_values.format_error(document, "Expecting 'examples' value to be an list/array")
    if not examples:
        raise rest_values.format_error(document, "'examples' value is an empty array")
    target.examples.extend(map(_example, examples))
    return given


def classifications_json(result: classification_pb2.ClassificationResult) -> str:
    """The answer to a classify request: for each example a list of [label, score]."""
    rows = (
        "["
        + ", ".join(
            f"[{rest_format.string(entry.label)}, {rest_format.decimal32(entry.score)}]" for entry in example.classes
        )
        + "]"
        for example in result.classifications
    )
    return '{\n    "results": [' + ", ".join(rows) + "\n    ]\n}"


def regressions_json(result: regression_pb2.RegressionResult) -> str:
    """The answer to a regress request: a number for each example."""
    return (
        '{\n    "results": [' + ", ".join(rest_format.decimal32(entry.value) for entry in result.regressions) + "]\n}"
    )


def _example(value: Any) -> example_pb2.Example:
    if not isinstance(value, dict):
        raise invalid(f"Example must be JSON object but got JSON {rest_values.type_name(value)}")
    example = example_pb2.Example()
    for name, content in value.items():
        values = content if isinstance(content, list) else [content]
        _fill(example.features.feature[_text(name)], name, values)
    return example


def _fill(feature: feature_pb2.Feature, name: str, values: list[Any]) -> None:
    expected = ""
    for value in values:
        if value is None or isinstance(value, list) or (isinstance(value, dict) and not rest_values.is_base64(value)):
            raise invalid(f"Feature: {name} has element with unexpected JSON type: {rest_values.type_name(value)}")
        kind = KINDS[type(value)]
        expected = expected or kind
        if kind != expected:
            raise invalid(f"Unexpected element type in feature: {name} expecting type: {expected}")
        if kind == "bytes":
            feature.bytes_list.value.append(rest_values.bytes_from_json(value))
        elif kind == "float":
            feature.float_list.value.append(value)
        elif value > LARGEST_INT64:
            raise invalid(f"Feature: {name} has uint64_t element. Only int64_t is supported.")
        elif value < -LARGEST_INT64 - 1:
            raise invalid(f"Feature: {name} has an element below the smallest int64_t.")
        else:
            feature.int64_list.value.append(value)


def _text(name: str) -> str:
    try:
        name.encode("utf-8")
    except UnicodeEncodeError as error:
        raise invalid("the name of a feature is not valid UTF-8") from error
    return name
