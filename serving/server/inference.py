"""Classify, Regress and MultiInference on a loaded servable: tf.Example in, classes, scores and values out."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from tensorflow_serving.apis import classification_pb2, input_pb2, regression_pb2

from tfrec.serving.server.errors import StatusError, invalid
from tfrec.serving.server.predict import CLASSIFY, DEFAULT_SIGNATURE, REGRESS
from tfrec.serving.server.servable import Runnable


def examples_from_input(given: input_pb2.Input) -> np.ndarray:
    """The serialized tf.Examples of an Input, [B] object; a context is merged into each.

    Raises:
        StatusError: there is none.
    """
    kind = given.WhichOneof("kind")
    if kind == "example_list_with_context":
        context = given.example_list_with_context.context.SerializeToString()
        examples = given.example_list_with_context.examples
    else:
        context, examples = b"", given.example_list.examples
    if not examples:
        raise invalid("Input is empty.")
    serialized = np.empty(len(examples), dtype=object)
    serialized[:] = [context + example.SerializeToString() for example in examples]  # protobuf merges by appending
    return serialized


def classify(
    servable: Runnable, name: str, examples: np.ndarray, timeout: float | None, checked: bool = False
) -> classification_pb2.ClassificationResult:
    """The classes and scores of each example, by the signature `name` ("" for serving_default).

    Args:
        checked: whether the signature's method must be classify.

    Raises:
        StatusError: the signature is none to classify with, or TensorFlow fails to run it.
    """
    signature = _signature(servable, name, f"No signature was found with the name: {name or DEFAULT_SIGNATURE}")
    tensors = _classification_tensors(signature, checked)
    fetches = list(tensors.values())
    values = servable.run({_input(signature, "classification"): examples}, fetches, timeout)
    return _classifications(dict(zip(tensors, values)), len(examples))


def regress(
    servable: Runnable, name: str, examples: np.ndarray, timeout: float | None, checked: bool = False
) -> regression_pb2.RegressionResult:
    """The value of each example, as `classify`.

    Raises:
        StatusError: the signature is none to regress with, or TensorFlow fails to run it.
    """
    signature = _signature(servable, name, f"No signature was found with the name: {name or DEFAULT_SIGNATURE}")
    fetch = _regression_tensor(signature, checked)
    (values,) = servable.run({_input(signature, "regression"): examples}, [fetch], timeout)
    return _regressions(values, len(examples))


def multi_inference(
    servable: Runnable, tasks: Sequence[Any], examples: np.ndarray, timeout: float | None, checked: bool = False
) -> list[Any]:
    """The classification or regression result of each InferenceTask, computed in one run.

    Raises:
        StatusError: a task cannot be done, two are the same, or they read different inputs.
    """
    names: list[str] = []
    wanted: list[dict[str, str]] = []
    feeds: set[str] = set()
    for task in tasks:
        name = task.model_spec.signature_name or DEFAULT_SIGNATURE
        if name in names:
            raise invalid(f"Duplicate evaluation of signature: {name}")
        names.append(name)
        signature = _signature(servable, name, f"Requested signature not found in model graph: {name}")
        if task.method_name == CLASSIFY:
            wanted.append(_classification_tensors(signature, checked))
        elif task.method_name == REGRESS:
            wanted.append({"outputs": _regression_tensor(signature, checked)})
        else:
            raise StatusError("UNIMPLEMENTED", f"Unsupported signature method_name: {task.method_name}")
        feeds.add(_input(signature, "classification" if task.method_name == CLASSIFY else "regression"))
        if len(feeds) > 1:
            raise invalid("Input tensor must be the same for all Signatures.")
    fetches = sorted({tensor for tensors in wanted for tensor in tensors.values()})
    values = dict(zip(fetches, servable.run(dict.fromkeys(feeds, examples), fetches, timeout)))
    return [
        _classifications({alias: values[tensor] for alias, tensor in tensors.items()}, len(examples))
        if task.method_name == CLASSIFY
        else _regressions(values[tensors["outputs"]], len(examples))
        for task, tensors in zip(tasks, wanted)
    ]


def _signature(servable: Runnable, name: str, absent: str) -> Any:
    signature = servable.signatures.get(name or DEFAULT_SIGNATURE)
    if signature is None:
        raise invalid(absent)
    return signature


def _input(signature: Any, purpose: str) -> str:
    if len(signature.inputs) != 1:
        raise invalid("Expected one input Tensor.")
    if "inputs" not in signature.inputs:
        raise invalid(f"No {purpose} inputs found in SignatureDef: {signature}")
    return signature.inputs["inputs"].name


def _classification_tensors(signature: Any, checked: bool) -> dict[str, str]:
    if checked and signature.method_name != CLASSIFY:
        raise invalid(f"Expected classification signature method_name to be {CLASSIFY}. Was: {signature.method_name}")
    if len(signature.outputs) not in (1, 2):
        raise invalid(f"Expected one or two output Tensors, found {len(signature.outputs)}")
    tensors = {alias: info.name for alias, info in signature.outputs.items() if alias in ("classes", "scores")}
    if not tensors:
        raise invalid(
            'Expected classification signature outputs to contain at least one of "classes" or "scores". '
            f"Signature was: {signature}"
        )
    return tensors


def _regression_tensor(signature: Any, checked: bool) -> str:
    if checked and signature.method_name != REGRESS:
        raise invalid(f"Expected regression signature method_name to be {REGRESS}. Was: {signature.method_name}")
    if len(signature.outputs) != 1:
        raise invalid("Expected one output Tensor.")
    if "outputs" not in signature.outputs:
        raise invalid(f"No regression outputs found in SignatureDef: {signature}")
    return signature.outputs["outputs"].name


def _classifications(values: dict[str, np.ndarray], size: int) -> classification_pb2.ClassificationResult:
    for alias, kind, dtype in (("classes", "O", "DT_STRING"), ("scores", "f4", "DT_FLOAT")):
        if alias not in values:
            continue
        array = values[alias]
        if array.ndim != 2:
            raise invalid(f"Expected Tensor shape: [batch_size num_classes] but got {_shape(array)}")
        if array.dtype != np.dtype(kind):
            raise invalid(f"Expected {alias} Tensor of {dtype}. Got: {_type(array)}")
        if len(array) != size:
            raise invalid(f"Expected {alias} output batch size of {size}. Got: {len(array)}")
    classes, scores = values.get("classes"), values.get("scores")
    if classes is not None and scores is not None and classes.shape != scores.shape:
        raise invalid(
            f"Tensors class and score should match in dim_size(1). Got {classes.shape[1]} vs. {scores.shape[1]}"
        )
    result = classification_pb2.ClassificationResult()
    for row in range(size):
        entry = result.classifications.add()
        labels = [] if classes is None else classes[row]
        numbers = [] if scores is None else scores[row].tolist()
        for column in range(max(len(labels), len(numbers))):
            found = entry.classes.add()
            if classes is not None:
                found.label = labels[column].decode("utf-8", "replace")
            if scores is not None:
                found.score = numbers[column]
    return result


def _regressions(values: np.ndarray, size: int) -> regression_pb2.RegressionResult:
    if values.ndim not in (1, 2) or (values.ndim == 2 and values.shape[1] != 1):
        raise invalid(
            f"Expected output Tensor shape to be either [batch_size] or [batch_size, 1] but got {_shape(values)}"
        )
    if len(values) != size:
        raise invalid(f"Input batch size did not match output batch size: {size} vs. {len(values)}")
    if values.dtype != np.float32:
        raise invalid(f"Expected output Tensor of DT_FLOAT.  Got: {_type(values)}")
    result = regression_pb2.RegressionResult()
    for value in values.ravel().tolist():
        result.regressions.add(value=value)
    return result


def _shape(array: np.ndarray) -> str:
    return "[" + ",".join(map(str, array.shape)) + "]"


def _type(array: np.ndarray) -> str:
    names = {"O": "DT_STRING", "float32": "DT_FLOAT", "float64": "DT_DOUBLE", "bool": "DT_BOOL"}
    return names.get(array.dtype.char, names.get(array.dtype.name, f"DT_{array.dtype.name.upper()}"))
