"""Malformed requests of every kind give clean errors, and leave the server as it was."""

import http.client
import os
import re
import socket
import subprocess
import sys
import urllib.parse

import grpc
import numpy as np
import pytest
import tensorflow as tf
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from tensorflow_serving.apis import (
    classification_pb2,
    get_model_metadata_pb2,
    get_model_status_pb2,
    inference_pb2,
    predict_pb2,
    regression_pb2,
)

PREDICTION, MODEL = "/tensorflow.serving.PredictionService/", "/tensorflow.serving.ModelService/"
CLEAN = {"OK", "INVALID_ARGUMENT", "NOT_FOUND", "FAILED_PRECONDITION", "UNIMPLEMENTED", "RESOURCE_EXHAUSTED"}
EXAMPLES = settings(
    max_examples=150, deadline=None, suppress_health_check=[HealthCheck.too_slow, HealthCheck.function_scoped_fixture]
)


def example():
    message = tf.train.Example()
    message.features.feature["x"].float_list.value.append(2.0)
    return message


def valid_requests():
    """A good request of each method, serialized, by the method's path."""
    predict = predict_pb2.PredictRequest(output_filter=["y"])
    predict.inputs["x"].CopyFrom(tf.make_tensor_proto(np.float32([[2.0]])))
    classify, regress = classification_pb2.ClassificationRequest(), regression_pb2.RegressionRequest()
    classify.model_spec.signature_name, regress.model_spec.signature_name = "classify_x_to_y", "regress_x_to_y"
    multi = inference_pb2.MultiInferenceRequest()
    multi.tasks.add(method_name="tensorflow/serving/regress").model_spec.name = "default"
    for message in (classify, regress, multi):
        message.input.example_list.examples.append(example())
    metadata = get_model_metadata_pb2.GetModelMetadataRequest(metadata_field=["signature_def"])
    status = get_model_status_pb2.GetModelStatusRequest()
    for message in (predict, classify, regress, metadata, status):
        message.model_spec.name = "default"
    methods = {
        PREDICTION: {"Predict": predict, "Classify": classify, "Regress": regress, "MultiInference": multi},
        MODEL: {"GetModelStatus": status},
    }
    methods[PREDICTION]["GetModelMetadata"] = metadata
    return {s + name: message.SerializeToString() for s, named in methods.items() for name, message in named.items()}


VALID = valid_requests()
BODIES = (
    b'{"instances": [2.0, 3.0]}',
    b'{"signature_name": "serving_default", "inputs": {"x": [[1.0], [2e3]]}}',
    b'{"signature_name": "classify_x_to_y", "context": {"a": 1}, "examples": [{"x": 2.0, "b": {"b64": "YQ=="}}]}',
)
PATHS = ("/v1/models/default", ":predict", ":classify", ":regress", "/versions/", "/labels/", "123", "/metadata", "%2f")


@st.composite
def damaged(draw, content):
    """`content` with a few bytes cut out, put in, repeated or changed."""
    data = bytearray(content)
    for _ in range(draw(st.integers(0, 4))):
        start = draw(st.integers(0, len(data)))
        end = draw(st.integers(start, min(len(data), start + 8)))
        data[start:end] = draw(st.one_of(st.binary(max_size=8), st.just(bytes(data[start:end]) * 2)))
    return bytes(data)


CALLS = st.sampled_from(sorted(VALID)).flatmap(
    lambda path: st.tuples(st.just(path), st.one_of(damaged(VALID[path]), st.binary(max_size=60)))
)
REQUESTS = st.tuples(
    st.sampled_from(["POST", "POST", "POST", "GET", "PUT", "HEAD", "OPTIONS", "X-Y"]),
    st.one_of(
        st.sampled_from([f"/v1/models/default:{verb}" for verb in ("predict", "classify", "regress")]),
        st.lists(st.sampled_from(PATHS), max_size=5).map(lambda parts: "/" + "".join(parts).lstrip("/")),
    ),
    st.one_of(st.sampled_from(BODIES).flatmap(damaged), st.binary(max_size=60)),
    st.sampled_from([{}, {"Content-Encoding": "gzip"}, {"Content-Length": "x"}, {"Transfer-Encoding": "chunked"}]),
)


class Server:
    """A server of half_plus in its own process."""

    def __init__(self, base_path, rest_port):
        command = [sys.executable, "-m", "tfrec.serving.server", f"--model_base_path={base_path}", "--port=0"]
        limits = ["--rest_api_timeout_in_ms=2000", f"--rest_api_port={rest_port}"]
        self.process = subprocess.Popen(
            command + limits,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            text=True,
            env={**os.environ, "PYTHONUNBUFFERED": "1"},
        )
        self.channel = grpc.insecure_channel(re.search(r"gRPC at (\S+) ", self.process.stdout.readline())[1])
        self.rest = f"127.0.0.1:{rest_port}"

    def memory(self):
        """MB that the process holds."""
        with open(f"/proc/{self.process.pid}/status") as file:
            return int(re.search(r"VmRSS:\s+(\d+)", file.read())[1]) / 1024

    def call(self, path, content):
        """The name of the status, and its text."""
        try:
            self.channel.unary_unary(path)(content, timeout=10)
            return "OK", ""
        except grpc.RpcError as error:
            return error.code().name, error.details()

    def ask(self, method, path, body, headers):
        """The status, or None where the server could only close the connection."""
        connection = http.client.HTTPConnection(self.rest, timeout=10)
        try:
            connection.putrequest(method, urllib.parse.quote(path, "/:%"), skip_accept_encoding=True)
            for name, value in ({"Content-Length": str(len(body))} | headers).items():
                connection.putheader(name, value)
            connection.endheaders(body)
            connection.sock.shutdown(socket.SHUT_WR)  # what is missing never comes
            return connection.getresponse().status
        except (OSError, http.client.HTTPException):
            return None
        finally:
            connection.close()

    def works(self):
        return self.call(PREDICTION + "Predict", VALID[PREDICTION + "Predict"]) == ("OK", "") and (
            self.ask("POST", "/v1/models/default:predict", BODIES[0], {}) == 200
        )


@pytest.fixture(scope="module")
def server(base_paths):
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    started = Server(base_paths["half_plus"], port)
    yield started
    started.channel.close()
    started.process.kill()
    started.process.communicate()


def check_call(server, path, content):
    code, text = server.call(path, content)
    assert code in CLEAN or (code == "INTERNAL" and "deserializing" in text), (path, content, code, text)


def check_ask(server, method, path, body, headers):
    status = server.ask(method, path, body, headers)
    assert status is None or status in (200, 400, 404, 429, 501), (method, path, body, headers, status)


@EXAMPLES
@given(CALLS)
def test_malformed_grpc_requests_get_clean_errors(server, call):
    check_call(server, *call)


@EXAMPLES
@given(REQUESTS)
def test_malformed_rest_requests_get_clean_errors(server, request_):
    check_ask(server, *request_)


def test_after_malformed_requests_the_server_works(server):
    assert server.works()


@pytest.mark.slow
def test_ten_thousand_malformed_requests_leave_the_memory_stable(server):
    @settings(EXAMPLES, max_examples=5_000, database=None)
    @given(CALLS)
    def grpc_requests(call):
        check_call(server, *call)

    @settings(EXAMPLES, max_examples=5_000, database=None)
    @given(REQUESTS)
    def rest_requests(request_):
        check_ask(server, *request_)

    for _ in range(300):
        assert server.works()
    before = server.memory()
    grpc_requests()
    rest_requests()
    assert server.works()
    assert server.memory() - before < 100
