"""Sections B, C and K of the conformance list: metadata, status and health."""

import grpc
import pytest
from tensorflow_serving.apis import get_model_metadata_pb2, get_model_status_pb2

from tfrec.serving import wire


def failure(call, message):
    with pytest.raises(grpc.RpcError) as raised:
        call(message, timeout=10)
    return raised.value.code().name, raised.value.details()


def spec(message_type, name="default", version=None, label="", **fields):
    message = message_type(**fields)
    message.model_spec.name = name
    if version is not None:
        message.model_spec.version.value = version
    if label:
        message.model_spec.version_label = label
    return message


Metadata = get_model_metadata_pb2.GetModelMetadataRequest
Status = get_model_status_pb2.GetModelStatusRequest


@pytest.fixture(scope="module")
def metadata(half_plus, stubs):
    return stubs(half_plus.grpc_address).prediction.GetModelMetadata


@pytest.fixture(scope="module")
def status(half_plus, stubs):
    return stubs(half_plus.grpc_address).model.GetModelStatus


def test_b1_signatures_of_the_model_with_the_internal_one(echo, metadata, stubs):
    response = metadata(spec(Metadata, metadata_field=["signature_def"]))
    assert response.model_spec.name == "default"
    assert response.model_spec.version.value == 123
    assert response.model_spec.signature_name == ""
    assert list(response.metadata) == ["signature_def"]
    packed = response.metadata["signature_def"]
    assert packed.type_url == "type.googleapis.com/tensorflow.serving.SignatureDefMap"
    signatures = get_model_metadata_pb2.SignatureDefMap.FromString(packed.value).signature_def
    assert set(signatures) > {"serving_default", "regress_x_to_y", "classify_x2_to_y3", "with_default"}
    assert signatures["serving_default"].inputs["x"].name == "x:0"

    of_module = stubs(echo.grpc_address).prediction.GetModelMetadata(spec(Metadata, metadata_field=["signature_def"]))
    signatures = get_model_metadata_pb2.SignatureDefMap.FromString(of_module.metadata["signature_def"].value)
    assert "__saved_model_init_op" in signatures.signature_def


def test_b2_b3_fields_that_are_missing_or_unknown(metadata):
    text = "GetModelMetadataRequest must specify at least one metadata_field"
    assert failure(metadata, spec(Metadata)) == ("INVALID_ARGUMENT", text)
    text = "Metadata field some_stuff is not supported"
    assert failure(metadata, spec(Metadata, metadata_field=["some_stuff"])) == ("INVALID_ARGUMENT", text)


def test_b4_b5_model_spec_is_checked_first_then_the_field_then_the_servable(metadata):
    field = {"metadata_field": ["signature_def"]}
    assert failure(metadata, Metadata()) == ("INVALID_ARGUMENT", "Missing ModelSpec")
    assert failure(metadata, spec(Metadata, name="", **field))[1] == "ModelSpec has no name specified."
    assert failure(metadata, spec(Metadata, name="foo"))[0] == "INVALID_ARGUMENT"
    expected = ("NOT_FOUND", "Servable not found for request: Latest(foo)")
    assert failure(metadata, spec(Metadata, name="foo", **field)) == expected
    assert failure(metadata, spec(Metadata, version=50, **field))[1].endswith("Specific(default, 50)")
    assert failure(metadata, spec(Metadata, label="x", **field))[1] == "Unrecognized servable version label: x"


def test_c1_c2_c6_status_of_a_served_version(status):
    for message in (spec(Status), spec(Status, version=123), spec(Status, label="ignored")):
        (entry,) = status(message).model_version_status
        assert (entry.version, entry.state) == (123, 30)
        assert (entry.status.error_code, entry.status.error_message) == (0, "")


def test_c3_c4_c5_status_of_what_is_unknown(status):
    assert failure(status, spec(Status, version=7)) == ("NOT_FOUND", "Could not find version 7 of model default")
    assert failure(status, spec(Status, name="foo")) == ("NOT_FOUND", "Could not find any versions of model foo")
    assert failure(status, Status()) == ("INVALID_ARGUMENT", "Missing ModelSpec")


def health(channel, service):
    call = channel.unary_unary(
        "/grpc.health.v1.Health/Check",
        request_serializer=lambda message: message.SerializeToString(),
        response_deserializer=wire.HealthCheckResponse.FromString,
    )
    return call(wire.HealthCheckRequest(service=service), timeout=10).status


def test_k1_health_service_answers_by_short_names_and_only_if_wanted(half_plus, echo, stubs):
    channel = stubs(half_plus.grpc_address).channel
    assert [health(channel, name) for name in ("", "ModelService", "PredictionService")] == [1, 1, 1]
    with pytest.raises(grpc.RpcError) as unknown:
        health(channel, "tensorflow.serving.PredictionService")
    assert unknown.value.code() is grpc.StatusCode.NOT_FOUND
    with pytest.raises(grpc.RpcError) as off:
        health(stubs(echo.grpc_address).channel, "")
    assert off.value.code() is grpc.StatusCode.UNIMPLEMENTED


def test_k1_watching_tells_the_state_at_once_and_the_end_and_holds_no_thread(base_paths, serve_model, stubs):
    with serve_model(base_paths["half_plus"], health_service=True, rest_api_port=None, grpc_threads=2) as server:
        stub = stubs(server.grpc_address)
        watch = stub.channel.unary_stream(
            "/grpc.health.v1.Health/Watch",
            request_serializer=lambda message: message.SerializeToString(),
            response_deserializer=wire.HealthCheckResponse.FromString,
        )
        names = ["", "ModelService", "PredictionService", "of nobody"]
        watches = [watch(wire.HealthCheckRequest(service=name), timeout=30) for name in names]
        assert [next(states).status for states in watches] == [1, 1, 1, 3]
        assert stub.model.GetModelStatus(spec(Status), timeout=10)
        watches[0].cancel()
        server.stop()
        assert [[state.status for state in states] for states in watches[1:]] == [[2], [2], [2]]
