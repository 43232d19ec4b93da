"""Replays the requests recorded beside a SavedModel, so that its first real request is not slow."""

from __future__ import annotations

import time
from typing import Any

import tensorflow as tf
from google.protobuf.message import DecodeError
from tensorflow_serving.apis import prediction_log_pb2

from tfrec.serving.server.errors import NAMES, StatusError, invalid
from tfrec.serving.server.inference import classify, examples_from_input, multi_inference, regress
from tfrec.serving.server.metrics import Metrics
from tfrec.serving.server.predict import predict
from tfrec.serving.server.servable import Runnable

FILE = "assets.extra/tf_serving_warmup_requests"
MOST_RECORDS = 1000


def warm_up(servable: Runnable, path: str, iterations: int, metrics: Metrics) -> int:
    """Run every recorded request `iterations` times and return how many records there are; no file means none.

    How long it took goes to `metrics`.

    Raises:
        StatusError: a record is broken or of a kind that cannot be replayed, there are more than 1000, or one fails.
    """
    file = f"{path}/{FILE}"
    if not tf.io.gfile.exists(file):
        return 0
    start = time.perf_counter()
    try:
        count = _replay_all(servable, file, iterations)
    except StatusError as error:
        metrics.warmup_latency.observe((time.perf_counter() - start) * 1e6, path, error.code)
        raise
    metrics.warmup_latency.observe((time.perf_counter() - start) * 1e6, path, "OK")
    return count


def _replay_all(servable: Runnable, file: str, iterations: int) -> int:
    count = 0
    try:
        for record in tf.data.TFRecordDataset(file).take(MOST_RECORDS + 1).as_numpy_iterator():
            count += 1
            if count > MOST_RECORDS:
                raise invalid(f"Number of warmup records exceeds the maximum ({MOST_RECORDS}) at {file}")
            _replay(servable, record, file, iterations)
    except tf.errors.OpError as error:
        raise StatusError(NAMES.get(error.code, "UNKNOWN"), error.message) from error
    return count


def _replay(servable: Runnable, record: bytes, file: str, iterations: int) -> None:
    log = prediction_log_pb2.PredictionLog()
    try:
        log.ParseFromString(record)
    except DecodeError as error:
        raise invalid(f"Failed to parse warmup record: {record[:100]!r} from {file}") from error
    kind = log.WhichOneof("log_type")
    if kind not in REPLAYS:
        raise StatusError("UNIMPLEMENTED", f"Unsupported log_type for warmup: {kind or 'none'}")
    for _ in range(iterations):
        REPLAYS[kind](servable, getattr(log, kind).request)


def _predict(servable: Runnable, request: Any) -> None:
    predict(servable, request.model_spec.signature_name, request.inputs, request.output_filter)


def _classify(servable: Runnable, request: Any) -> None:
    classify(servable, request.model_spec.signature_name, examples_from_input(request.input), None)


def _regress(servable: Runnable, request: Any) -> None:
    regress(servable, request.model_spec.signature_name, examples_from_input(request.input), None)


def _multi_inference(servable: Runnable, request: Any) -> None:
    multi_inference(servable, request.tasks, examples_from_input(request.input), None)


REPLAYS = {
    "predict_log": _predict,
    "classify_log": _classify,
    "regress_log": _regress,
    "multi_inference_log": _multi_inference,
}
