"""Section H of the conformance list: metrics for Prometheus."""

import http.client
import re
import urllib.parse

import grpc
import numpy as np
import pytest
import tensorflow as tf
from tensorflow_serving.apis import predict_pb2, regression_pb2

from tfrec.errors import ServerError
from tfrec.serving.server.metrics import Counter, Histogram, metrics_path, prometheus_name

PATH = "/monitoring/prometheus/metrics"


def config(tmp_path, text):
    file = tmp_path / "monitoring.config"
    file.write_text(text)
    return str(file)


def get(url, path=PATH):
    connection = http.client.HTTPConnection(urllib.parse.urlsplit(url).netloc, timeout=20)
    try:
        connection.request("GET", path)
        response = connection.getresponse()
        return response.status, response.headers["Content-Type"], response.read().decode()
    finally:
        connection.close()


def post(url, verb, body):
    connection = http.client.HTTPConnection(urllib.parse.urlsplit(url).netloc, timeout=20)
    connection.request("POST", f"/v1/models/default:{verb}", body)
    connection.getresponse().read()
    connection.close()


@pytest.fixture(scope="module")
def monitored(tmp_path_factory, base_paths, serve_model, stubs):
    """The text of a server's metrics after two Predict, one Regress and one REST request, and a failed one of each."""
    file = config(tmp_path_factory.mktemp("config"), "prometheus_config { enable: true }")
    with serve_model(base_paths["half_plus"], monitoring_config_file=file) as server:
        stub = stubs(server.grpc_address).prediction
        request = predict_pb2.PredictRequest()
        request.model_spec.name = "default"
        request.inputs["x"].CopyFrom(tf.make_tensor_proto(np.float32([[2.0]])))
        stub.Predict(request)
        stub.Predict(request)
        request.model_spec.version.value = 7
        with pytest.raises(grpc.RpcError):
            stub.Predict(request)
        regression = regression_pb2.RegressionRequest()
        regression.model_spec.name, regression.model_spec.signature_name = "default", "regress_x_to_y"
        example = tf.train.Example()
        example.features.feature["x"].float_list.value.append(2.0)
        regression.input.example_list.examples.extend([example] * 3)
        stub.Regress(regression)
        post(server.rest_url, "predict", '{"instances": [2.0]}')
        post(server.rest_url, "predict", "{}")
        status, kind, text = get(server.rest_url)
        assert (status, kind) == (200, "text/plain")
        yield text


def value(text, line):
    return int(re.search(rf"^{re.escape(line)} (\d+)$", text, re.M)[1])


def test_h1_path_is_as_configured_and_404_without(half_plus, base_paths, serve_model, tmp_path):
    assert get(half_plus.rest_url)[0] == 404
    file = config(tmp_path, 'prometheus_config { enable: true path: "/v1/metrics" }')
    with serve_model(base_paths["half_plus"], monitoring_config_file=file) as server:
        assert "# TYPE" in get(server.rest_url, "/v1/metrics")[2]
        assert get(server.rest_url)[0] == 404
    assert metrics_path(config(tmp_path, "prometheus_config { enable: true }")) == PATH
    assert metrics_path(config(tmp_path, "prometheus_config { }")) == ""
    with pytest.raises(ServerError, match="cannot read the monitoring config file"):
        metrics_path(config(tmp_path, "what: ever"))


def test_h2_h4_requests_are_counted_by_model_and_status_with_their_times(monitored):
    name = ":tensorflow:serving:"
    assert value(monitored, f'{name}request_count{{model_name="default",status="OK"}}') == 4
    assert value(monitored, f'{name}request_count{{model_name="default",status="NOT_FOUND"}}') == 1
    assert value(monitored, f'{name}request_count{{model_name="default",status="INVALID_ARGUMENT"}}') == 1
    grpc_label = '{model_name="default",API="Predict",entrypoint="GRPC"}'
    assert value(monitored, f"{name}request_latency_count{grpc_label}") == 2
    bounds = re.findall(rf'^{name}request_latency_bucket{re.escape(grpc_label[:-1])},le="(.*?)"', monitored, re.M)
    assert len(bounds) == 34 and bounds[:3] == ["10", "18", "32.4"] and bounds[-1] == "+Inf"
    for api, count in (("Predict", 3), ("Regress", 1)):  # of both entry points
        runtime = f'{name}runtime_latency_count{{model_name="default",API="{api}",runtime="TF1"}}'
        assert value(monitored, runtime) == count
    assert value(monitored, f'{name}request_example_count_total{{model="default"}}') == 3
    assert value(monitored, f'{name}request_example_counts_count{{model="default"}}') == 1
    assert f"# TYPE {name}request_count counter" in monitored
    assert f"# TYPE {name}request_latency histogram" in monitored
    assert f"# TYPE {name}model_warmup_latency histogram" in monitored


def test_h3_rest_requests_are_timed_under_the_verb_of_their_path(monitored):
    line = ':tensorflow:serving:request_latency_count{model_name="default",API="predict",entrypoint="REST"}'
    assert value(monitored, line) == 1


def test_h5_names_and_label_values_are_escaped():
    assert prometheus_name("/test/path/a-b.c") == ":test:path:a_b_c"
    histogram = Histogram("/test/path/histogram", ["status"], [1.0, 2.0])
    for number in (0.5, 1.5, 9.0):
        histogram.observe(number, "good")
    assert list(histogram.lines()) == [
        ':test:path:histogram_bucket{status="good",le="1"} 1',
        ':test:path:histogram_bucket{status="good",le="2"} 2',
        ':test:path:histogram_bucket{status="good",le="+Inf"} 3',
        ':test:path:histogram_sum{status="good"} 11',
        ':test:path:histogram_count{status="good"} 3',
    ]
    counter = Counter("/c", ["name"])
    counter.add('quote " slash \\ line \n')
    assert list(counter.lines()) == [':c{name="quote \\" slash \\\\ line \\n"} 1']
