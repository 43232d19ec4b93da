"""Warm-up requests, which TensorFlow Serving replays before a version takes traffic."""

from __future__ import annotations

import os
from collections.abc import Mapping

import tensorflow as tf

from tfrec.export.absent import absent

EXTRA = "assets.extra"
FILE = "tf_serving_warmup_requests"


def write_warmup(
    directory: str,
    model_name: str,
    requests: Mapping[str, Mapping[str, tf.TensorSpec]],
    batch_sizes: tuple[int, ...] = (1, 8),
) -> None:
    """Write one empty request of each batch size for each signature.

    Args:
        directory: the SavedModel.
        model_name: the name the model is served under.
        requests: inputs by signature name; "" stands for every string and NaN for every number.
    """
    from tensorflow_serving.apis import predict_pb2, prediction_log_pb2

    folder = os.path.join(directory, EXTRA)
    tf.io.gfile.makedirs(folder)
    with tf.io.TFRecordWriter(os.path.join(folder, FILE)) as writer:
        for signature, inputs in sorted(requests.items()):
            for size in batch_sizes:
                request = predict_pb2.PredictRequest()
                request.model_spec.name = model_name
                request.model_spec.signature_name = signature
                for name, spec in inputs.items():
                    request.inputs[name].CopyFrom(tf.make_tensor_proto(absent(spec, size)))
                log = prediction_log_pb2.PredictionLog(predict_log=prediction_log_pb2.PredictLog(request=request))
                writer.write(log.SerializeToString())
