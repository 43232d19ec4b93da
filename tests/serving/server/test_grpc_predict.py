"""Section A of the conformance list: PredictionService.Predict."""

import threading
import time

import grpc
import numpy as np
import pytest
import tensorflow as tf
from tensorflow_serving.apis import predict_pb2

from tfrec.serving.tensors import array_from_proto, fill_proto


def request(inputs=None, name="default", signature="", version=None, label="", output_filter=()):
    message = predict_pb2.PredictRequest(output_filter=output_filter)
    message.model_spec.name = name
    message.model_spec.signature_name = signature
    if version is not None:
        message.model_spec.version.value = version
    if label:
        message.model_spec.version_label = label
    for alias, array in (inputs or {}).items():
        fill_proto(message.inputs[alias], np.asarray(array))
    return message


X = {"x": np.array([[2.0]], np.float32)}


@pytest.fixture(scope="module")
def predict(half_plus, stubs):
    return stubs(half_plus.grpc_address).prediction.Predict


@pytest.fixture(scope="module")
def predict_echo(echo, stubs):
    return stubs(echo.grpc_address).prediction.Predict


def failure(call, message, **settings):
    with pytest.raises(grpc.RpcError) as raised:
        call(message, **settings)
    return raised.value.code().name, raised.value.details()


def test_a1_a20_predict_answers_with_resolved_names_and_typed_values(predict):
    response = predict(request(X))
    assert list(response.outputs) == ["y"]
    assert list(response.outputs["y"].float_val) == [3.0]
    assert response.outputs["y"].tensor_content == b""
    assert response.model_spec.name == "default"
    assert response.model_spec.signature_name == "serving_default"
    assert response.model_spec.version.value == 123
    assert response.model_spec.version_label == ""


def test_a2_output_filter_gives_the_same_result(predict):
    assert predict(request(X, output_filter=["y"])) == predict(request(X))


def test_a3_missing_model_spec(predict):
    assert failure(predict, predict_pb2.PredictRequest()) == ("INVALID_ARGUMENT", "Missing ModelSpec")


def test_a4_model_spec_without_name(predict):
    message = predict_pb2.PredictRequest()
    message.model_spec.SetInParent()
    assert failure(predict, message) == ("INVALID_ARGUMENT", "ModelSpec has no name specified.")


def test_a5_unknown_model(predict):
    expected = ("NOT_FOUND", "Servable not found for request: Latest(foo)")
    assert failure(predict, request(X, name="foo")) == expected


def test_a6_version_that_is_not_loaded(predict):
    assert predict(request(X, version=123)).model_spec.version.value == 123
    expected = ("NOT_FOUND", "Servable not found for request: Specific(default, 50)")
    assert failure(predict, request(X, version=50)) == expected


def test_a7_unknown_version_label(predict):
    expected = ("INVALID_ARGUMENT", "Unrecognized servable version label: x")
    assert failure(predict, request(X, version=123, label="x")) == expected


def test_a8_unknown_signature(predict):
    expected = ("FAILED_PRECONDITION", 'Serving signature key "nope" not found.')
    assert failure(predict, request(X, signature="nope")) == expected


def test_a8_a9_counter_keeps_its_state_between_calls_and_has_no_default_signature(base_paths, serve_model, stubs):
    with serve_model(base_paths["counter"], rest_api_port=None) as server:
        predict = stubs(server.grpc_address).prediction.Predict

        def value(signature, inputs=None):
            return predict(request(inputs, signature=signature)).outputs["output"]

        names = ["get_counter", "incr_counter", "reset_counter", "incr_counter"]
        assert [value(name).float_val[0] for name in names] == [0, 1, 0, 1]
        assert value("incr_counter_by", {"delta": np.float32(3)}).float_val[0] == 4
        assert list(value("get_counter").tensor_shape.dim) == []
        assert failure(predict, request()) == (
            "FAILED_PRECONDITION",
            'Serving signature key "serving_default" not found.',
        )


def test_a10_regress_and_classify_signatures_run_through_predict(predict):
    inputs = {"inputs": X["x"]}
    assert predict(request(inputs, signature="regress_x2_to_y3")).outputs["outputs"].float_val[0] == 4.0
    assert predict(request(inputs, signature="classify_x2_to_y3")).outputs["scores"].float_val[0] == 4.0


def test_a11_no_inputs(predict):
    assert failure(predict, request()) == (
        "INVALID_ARGUMENT",
        "input size does not match signature: 0!=1 len({}) != len({x}). Sent extra: {}. Missing but required: {x}.",
    )


def test_a12_too_many_inputs(predict):
    code, text = failure(predict, request({"unknown_key2": X["x"], "unknown_key1": X["x"]}))
    assert code == "INVALID_ARGUMENT"
    assert "Sent extra: {unknown_key1,unknown_key2}" in text
    assert "Missing but required: {x}" in text


def test_a13_wrong_key(predict):
    assert failure(predict, request({"z": X["x"]})) == (
        "INVALID_ARGUMENT",
        "Signature input alias: x(feed name: x:0) not found in request and no default value provided. "
        "Inputs expected to be in the request {z}, or default input alias set: ",
    )


def test_a14_default_of_the_signature_stands_in_for_a_missing_input(predict):
    assert predict(request(signature="with_default")).outputs["y"].float_val[0] == 6.0
    assert predict(request(X, signature="with_default")).outputs["y"].float_val[0] == 3.0


@pytest.mark.parametrize(
    ("array", "name"),
    [(np.array([b"a"], object), "string"), (np.array([1], np.int32), "int32"), (np.array([True]), "bool")],
)
def test_a15_wrong_dtype(predict, array, name):
    expected = ("INVALID_ARGUMENT", f"Expects arg[0] to be float but {name} is provided")
    assert failure(predict, request({"x": array})) == expected


def test_a16_malformed_tensor(predict):
    short = request(X)
    tensor = short.inputs["x"]
    tensor.Clear()
    tensor.dtype = 1
    tensor.tensor_shape.dim.add(size=3)
    tensor.tensor_content = np.zeros(2, np.float32).tobytes()
    assert failure(predict, short) == ("INVALID_ARGUMENT", "tensor parsing error: x")
    tensor.tensor_content = b""
    tensor.dtype = 99
    assert failure(predict, short) == ("INVALID_ARGUMENT", "tensor parsing error: x")
    tensor.dtype = 1
    tensor.tensor_shape.dim[0].size = 10**15
    assert failure(predict, short) == ("INVALID_ARGUMENT", "tensor parsing error: x")


@pytest.mark.parametrize("shape", [(2, 2), (), (0,)])
def test_a17_shape_is_left_to_the_graph(predict, shape):
    output = predict(request({"x": np.zeros(shape, np.float32)})).outputs["y"]
    assert array_from_proto(output).shape == shape


def test_a18_unknown_output(predict):
    assert failure(predict, request(X, output_filter=["output_filter"])) == (
        "INVALID_ARGUMENT",
        "output tensor alias not found in signature: output_filter Outputs expected to be in the set {y}.",
    )


def test_a19_duplicate_output(predict):
    expected = ("INVALID_ARGUMENT", "duplicate output tensor alias: y")
    assert failure(predict, request(X, output_filter=["y", "y"])) == expected


def test_a20_every_encoding_of_a_tensor_is_read(predict, predict_echo):
    packed = request()
    fill_proto(packed.inputs["x"], np.array([[2.0], [3.0]], np.float32), packed=True)
    assert list(predict(packed).outputs["y"].float_val) == [3.0, 3.5]
    repeated = request({"x": np.zeros((1, 0), np.float32)})
    del repeated.inputs["x"].tensor_shape.dim[:]
    repeated.inputs["x"].tensor_shape.dim.add(size=3)
    repeated.inputs["x"].float_val[:] = [1.0, 2.0]
    assert list(predict(repeated).outputs["y"].float_val) == [2.5, 3.0, 3.0]
    strings = request({"x": np.array([b"a", b"\xff\x00"], object)}, signature="echo_string")
    assert list(predict_echo(strings).outputs["x"].string_val) == [b"a", b"\xff\x00"]


@pytest.mark.parametrize("dtype", ["float32", "float64", "int32", "int64", "uint8", "uint32", "uint64", "bool"])
def test_a20_every_dtype_comes_back_as_it_went(predict_echo, dtype):
    array = np.array([[0, 1], [1, 0]]).astype(dtype)
    output = predict_echo(request({"x": array}, signature=f"echo_{dtype}")).outputs["x"]
    np.testing.assert_array_equal(array_from_proto(output), array)
    assert array_from_proto(output).dtype == array.dtype


def test_a21_only_filtered_outputs_are_computed(predict):
    assert failure(predict, request(X, signature="one_fails"))[0] == "INVALID_ARGUMENT"
    response = predict(request(X, signature="one_fails", output_filter=["y"]))
    assert list(response.outputs) == ["y"] and response.outputs["y"].float_val[0] == 3.0


def test_a22_long_error_texts_are_cut(predict_echo):
    text = np.array(b"x" * 3000, object)
    code, details = failure(predict_echo, request({"text": text}, signature="failing"))
    assert code == "INVALID_ARGUMENT"
    assert len(details) == 1024 + len("...TRUNCATED") and details.endswith("...TRUNCATED")


def test_error_text_that_is_no_utf8_is_a_clean_error(predict_echo):
    text = np.array(b"\xff\xfe bytes", object)
    code, details = failure(predict_echo, request({"text": text}, signature="failing"))
    assert code == "INVALID_ARGUMENT"
    assert "assertion failed" in details


def cpu_seconds_of_half_a_second():
    before = time.process_time()
    time.sleep(0.5)
    return time.process_time() - before


def test_a23_deadline_ends_the_computation_on_the_server(echo, predict_echo):
    steps = {"steps": np.array(10**9, np.int32)}
    assert failure(predict_echo, request(steps, signature="slow"), timeout=0.3)[0] == "DEADLINE_EXCEEDED"
    deadline = time.monotonic() + 30
    while cpu_seconds_of_half_a_second() > 0.25:
        assert time.monotonic() < deadline, "the server computes on after the deadline"


def test_a24_messages_larger_than_four_megabytes_pass_both_ways(predict):
    array = np.ones((1_500_000, 1), np.float32)
    response = predict(request({"x": array}))
    assert response.ByteSize() > 4 << 20
    assert len(response.outputs["y"].float_val) == 1_500_000


def test_a25_a26_unix_socket_and_channel_arguments(base_paths, serve_model, stubs, tmp_path):
    options = {
        "grpc_socket_path": str(tmp_path / "socket"),
        "grpc_channel_arguments": "grpc.max_connection_age_ms=2000,grpc.lb_policy_name=grpclb",
    }
    with serve_model(base_paths["half_plus"], rest_api_port=None, **options):
        predict = stubs(f"unix:{tmp_path / 'socket'}").prediction.Predict
        assert predict(request(X)).outputs["y"].float_val[0] == 3.0


def test_a27_signatures_of_a_module_are_chosen_by_name(judge, stubs):
    predict = stubs(judge.grpc_address).prediction.Predict
    example = tf.train.Example()
    example.features.feature["x"].float_list.value.append(4.0)
    inputs = {"inputs": np.array([example.SerializeToString()], object)}
    assert set(predict(request(inputs)).outputs) == {"classes", "scores"}
    assert predict(request(inputs, signature="twice")).outputs["outputs"].float_val[0] == 8.0


def test_many_clients_at_once_get_their_own_answers(predict):
    wrong = []

    def ask(number):
        for _ in range(30):
            answer = predict(request({"x": np.array([[number]], np.float32)})).outputs["y"].float_val[0]
            if answer != number / 2 + 2:
                wrong.append((number, answer))

    threads = [threading.Thread(target=ask, args=(number,)) for number in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not wrong
