"""Whether warm-up requests are such that the server can replay them; one that fails would fail the load."""

from __future__ import annotations

import os
from collections.abc import Mapping
from typing import Any

import tensorflow as tf
from google.protobuf.message import DecodeError

from tfrec.export.warmup import EXTRA, FILE

MOST_RECORDS = 1000  # TensorFlow Serving refuses more.
REPLAYED = ("predict_log", "classify_log", "regress_log", "multi_inference_log")  # Only the first is looked into here.


def warmup_problems(directory: str, signatures: Mapping[str, Any]) -> tuple[int, list[str]]:
    """How many warm-up requests the SavedModel in `directory` has, and what is wrong with them, record by record.

    Args:
        signatures: SignatureDef by name.
    """
    path = os.path.join(directory, EXTRA, FILE)
    if not tf.io.gfile.exists(path):
        return 0, []
    problems: list[str] = []
    count = 0
    try:
        for record in tf.data.TFRecordDataset(path).take(MOST_RECORDS + 1).as_numpy_iterator():
            count += 1
            problem = _problem(record, signatures)
            if problem:
                problems.append(f"warm-up request {count} {problem}")
    except tf.errors.OpError as error:
        problems.append(f"the warm-up requests cannot be read after {count}: {error.message}")
    if count > MOST_RECORDS:
        problems.append(f"there are more than {MOST_RECORDS} warm-up requests, which the server refuses")
    return count, problems


def _problem(record: bytes, signatures: Mapping[str, Any]) -> str:
    from tensorflow_serving.apis import prediction_log_pb2

    try:
        log = prediction_log_pb2.PredictionLog.FromString(record)
    except DecodeError:
        return "is no PredictionLog"
    kind = log.WhichOneof("log_type")
    if kind not in REPLAYED:
        return f"is of the kind {kind or 'none'}, expected a predict_log"
    if kind != "predict_log":
        return ""
    request = log.predict_log.request
    name = request.model_spec.signature_name or "serving_default"
    if name not in signatures:
        return f"asks for signature {name!r}, which the model has not"
    signature = signatures[name]
    given, wanted = set(request.inputs), set(signature.inputs)
    if given != wanted:
        different = ", ".join(sorted(given ^ wanted))
        return f"does not have the inputs of signature {name!r}; given or wanted, but not both: {different}"
    batches = set()
    for alias, proto in request.inputs.items():
        try:
            value = tf.make_ndarray(proto)
        except (TypeError, ValueError) as error:
            return f"has an input {alias!r} that is no tensor ({error})"
        info = signature.inputs[alias]
        if proto.dtype != info.dtype:
            return f"gives input {alias!r} as {_dtype(proto.dtype)}, expected {_dtype(info.dtype)}"
        shape = tf.TensorShape(info.tensor_shape)
        if not shape.is_compatible_with(value.shape):
            return f"gives input {alias!r} in shape {list(value.shape)}, expected {shape}"
        batches.add(value.shape[:1])
    if len(batches) > 1:
        return f"has inputs of different batch sizes: {sorted(size for batch in batches for size in batch)}"
    return ""


def _dtype(number: int) -> str:
    return tf.as_dtype(number).name
