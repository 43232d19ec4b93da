"""Replays the requests recorded beside a SavedModel, so that its first real request is not slow."""

from __future__ import annotations

import tensorflow as tf
from google.protobuf.message import DecodeError
from tensorflow_serving.apis import prediction_log_pb2

from tfrec.serving.server.errors import NAMES, StatusError, invalid
from tfrec.serving.server.predict import predict
from tfrec.serving.server.servable import Servable

FILE = "assets.extra/tf_serving_warmup_requests"
MOST_RECORDS = 1000


def warm_up(servable: Servable, path: str, iterations: int = 1) -> int:
    """Run every recorded request `iterations` times and return how many records there are; no file means none.

    Raises:
        StatusError: a record is broken or of a kind that cannot be replayed, there are more than 1000, or one fails.
    """
    file = f"{path}/{FILE}"
    if not tf.io.gfile.exists(file):
        return 0
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


def _replay(servable: Servable, record: bytes, file: str, iterations: int) -> None:
    log = prediction_log_pb2.PredictionLog()
    try:
        log.ParseFromString(record)
    except DecodeError as error:
        raise invalid(f"Failed to parse warmup record: {record[:100]!r} from {file}") from error
    kind = log.WhichOneof("log_type")
    if kind != "predict_log":
        raise StatusError("UNIMPLEMENTED", f"Unsupported log_type for warmup: {kind or 'none'}")
    request = log.predict_log.request
    for _ in range(iterations):
        predict(servable, request.model_spec.signature_name, request.inputs, request.output_filter)
