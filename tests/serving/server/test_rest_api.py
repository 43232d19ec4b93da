"""Section G of the conformance list: the REST API, for predict, status and metadata."""

import gzip
import http.client
import json
import math
import urllib.parse

import numpy as np
import pytest

from tfrec.serving.server.errors import StatusError
from tfrec.serving.server.rest_format import json_from_outputs


@pytest.fixture
def ask(half_plus):
    return caller(half_plus.rest_url)


@pytest.fixture
def ask_echo(echo):
    return caller(echo.rest_url)


def caller(url):
    address = urllib.parse.urlsplit(url)

    def ask(method, path, body=None, headers=None):
        """Status, body (parsed if it is JSON) and headers."""
        connection = http.client.HTTPConnection(address.hostname, address.port, timeout=20)
        try:
            if not isinstance(body, (bytes, str, type(None))):
                body = json.dumps(body)
            connection.request(method, path, body, headers or {})
            response = connection.getresponse()
            text = response.read()
            is_json = response.headers["Content-Type"] == "application/json" and text
            return response.status, json.loads(text) if is_json else text, response.headers
        finally:
            connection.close()

    return ask


PREDICT = "/v1/models/default:predict"


def error(ask, body, path=PREDICT):
    status, answer, _ = ask("POST", path, body)
    assert list(answer) == ["error"]
    return status, answer["error"]


def echoed(ask, dtype, body):
    return ask("POST", PREDICT, f'{{"signature_name": "echo_{dtype}", "inputs": {body}}}')


def test_g1_g2_g3_row_and_column_form(ask):
    status, answer, headers = ask("POST", PREDICT, {"instances": [2.0, 3.0, 4.0]})
    assert (status, answer) == (200, {"predictions": [3.0, 3.5, 4.0]})
    assert headers["Content-Type"] == "application/json"
    assert ask("POST", PREDICT, {"inputs": [2.0, 3.0, 4.0]})[1] == {"outputs": [3.0, 3.5, 4.0]}
    answer = ask("POST", PREDICT, {"instances": [[1.0, 2.0], [3.0, 4.0]]})[1]
    assert answer == {"predictions": [[2.5, 3.0], [3.5, 4.0]]}


def test_g4_version_and_signature_name(ask):
    body = {"signature_name": "serving_default", "instances": [2.0]}
    for path in (
        "/v1/models/default/versions/123:predict",
        "/V1/MODELS/default:PREDICT",
        "/v1/models/d%65fault:predict",
    ):
        assert ask("POST", path, body)[1] == {"predictions": [3.0]}, path


CLASSIFY, REGRESS = "/v1/models/default:classify", "/v1/models/default:regress"


def test_g5_classify(ask):
    body = {"signature_name": "classify_x_to_y", "examples": [{"x": 2.0}]}
    assert ask("POST", CLASSIFY, body)[:2] == (200, {"results": [[["", 3.0]]]})


def test_g6_regress(ask):
    body = {"signature_name": "regress_x_to_y", "examples": [{"x": 2.0}, {"x": [80.0]}]}
    assert ask("POST", REGRESS, body)[:2] == (200, {"results": [3.0, 42.0]})


@pytest.mark.parametrize(
    ("body", "text"),
    [
        ("{}", "JSON Value: {} When method is classify, key 'examples' is expected and was not found"),
        ('{"examples": 1}', "list/array"),
        ('{"examples": []}', "'examples' value is an empty array"),
        ('{"examples": [[1]]}', "Example must be JSON object but got JSON Array"),
        ('{"examples": [{"names": [1, "a"]}]}', "feature: names expecting type: int64"),
        ('{"examples": [{"names": [null]}]}', "names has element with unexpected JSON type: Null"),
        ('{"examples": [{"names": [{"k": 1}]}]}', "names has element with unexpected JSON type: Object"),
        ('{"examples": [{"names": [[1]]}]}', "names has element with unexpected JSON type: Array"),
        ('{"examples": [{"names": [18446744073709551615]}]}', "Only int64_t is supported"),
        ('{"examples": [{"names": [{"b64": "?"}]}]}', "Unable to base64 decode"),
        ('{"context": 1, "examples": [{"x": 1.0}]}', "Example must be JSON object but got JSON Number"),
        ('{"context": [1]}', "Example must be JSON object but got JSON Array"),
        ('{"examples": [{"names": ["a", 1]}]}', "Unexpected element type in feature: names expecting type: bytes"),
        ('{"signature_name": "nope", "examples": [{"x": 1.0}]}', "No signature was found with the name: nope"),
    ],
)
def test_g30_examples_that_cannot_be_read(ask, body, text):
    status, message = error(ask, body, CLASSIFY)
    assert status == 400
    assert text in message


def test_g31_context_is_part_of_every_example(ask, judge):
    body = {"signature_name": "regress_x_to_y", "context": {"x": 2.0}, "examples": [{}, {}]}
    assert ask("POST", REGRESS, body)[1] == {"results": [3.0, 3.0]}
    body = {"context": {"word": {"b64": "w6Q="}}, "examples": [{"x": 1.0}]}
    assert caller(judge.rest_url)("POST", CLASSIFY, body)[1] == {"results": [[["ä", 1.0], ["ä!", -1.0]]]}


def test_g7_status(ask):
    expected = {
        "model_version_status": [
            {"version": "123", "state": "AVAILABLE", "status": {"error_code": "OK", "error_message": ""}}
        ]
    }
    for path in ("/v1/models/default", "/v1/models/default/versions/123", "/v1/models/default/labels/any"):
        assert ask("GET", path)[:2] == (200, expected)
    assert ask("GET", "/v1/models/foo")[:2] == (404, {"error": "Could not find any versions of model foo"})


def test_g8_metadata_prints_all_fields_and_int64_as_text(ask):
    status, answer, _ = ask("GET", "/v1/models/default/metadata")
    assert status == 200
    assert answer["model_spec"] == {"name": "default", "signature_name": "", "version": "123"}
    signature = answer["metadata"]["signature_def"]["signature_def"]["serving_default"]
    assert signature["method_name"] == "tensorflow/serving/predict"
    assert signature["defaults"] == {}
    assert signature["inputs"]["x"] == {
        "dtype": "DT_FLOAT",
        "tensor_shape": {"dim": [{"size": "-1", "name": ""}, {"size": "1", "name": ""}], "unknown_rank": False},
        "name": "x:0",
    }


def test_g9_model_name_is_required(ask):
    assert ask("GET", "/v1/models")[:2] == (400, {"error": "Missing model name in request."})


@pytest.mark.parametrize(
    ("method", "path"),
    [
        ("GET", "/v1/foo"),
        ("POST", "/v1/foo"),
        ("POST", "/v1/models"),
        ("GET", "/v1/models/default:predict"),
        ("POST", "/v1/models/default/metadata"),
        ("GET", "/v1/models/default/version/50"),
        ("POST", "/v1/models/default/versions/HELLO:predict"),
        ("POST", "/v1/models/default/versions/1/labels/a:predict"),
        ("PUT", "/v1/models/default"),
        ("DELETE", "/v1/models/default"),
    ],
)
def test_g10_g36_malformed_requests(ask, method, path):
    assert ask(method, path, "{}")[:2] == (400, {"error": f"Malformed request: {method} {path}"})


def test_g11_version_that_is_too_large(ask):
    text = "Failed to convert version: 18446744073709551615 to numeric."
    assert error(ask, {"instances": [1]}, "/v1/models/default/versions/18446744073709551615:predict") == (400, text)
    status, message = error(ask, {"instances": [1]}, f"/v1/models/default/versions/{'1' * 5000}:predict")
    assert status == 400 and message.startswith("Failed to convert version: 111")
    assert ask("POST", f"/v1/models/default/versions/{'0' * 30}123:predict", {"instances": [2.0]})[0] == 200


def test_g12_g13_g14_unknown_model_version_label_and_signature(ask):
    body = {"instances": [1.0]}
    text = "Servable not found for request: Latest(half)"
    assert error(ask, body, "/v1/models/half:predict") == (404, text)
    text = "Servable not found for request: Specific(default, 99)"
    assert error(ask, body, "/v1/models/default/versions/99:predict") == (404, text)
    text = "Unrecognized servable version label: x"
    assert error(ask, body, "/v1/models/default/labels/x:predict") == (400, text)
    text = 'Serving signature name: "nope" not found in signature def'
    assert error(ask, {"signature_name": "nope", **body}) == (400, text)


@pytest.mark.parametrize(
    ("body", "text"),
    [
        ("", "JSON Parse error: The document is empty"),
        ("instances = [1, 2]", "JSON Parse error: Invalid value. at offset: 0"),
        ('{"instances": [1, 2', "JSON Parse error: "),
        ("[" * 100_000, "JSON Parse error: "),
        ("[1]", "Is not object"),
        ('{"signature_name": 100, "instances": [1]}', "'signature_name' key must be a string value."),
        ("{}", "Missing 'inputs' or 'instances' key"),
        (
            '{"inputs": [1], "instances": [1]}',
            "Not formatted correctly expecting only one of 'inputs' or 'instances' keys to exist ",
        ),
        ('{"instances": 1}', "Expecting 'instances' to be an list/array"),
        ('{"instances": []}', "No values in 'instances' array"),
        (
            '{"instances": ["x", "y"]}',
            "Failed to process element: 0 of 'instances' list. Error: INVALID_ARGUMENT: "
            'JSON Value: "x" Type: String is not of expected type: float',
        ),
        ('{"instances": [[1, 2], [3, 4], [5, 6, 7]]}', "Expecting tensor size: 2 but got: 3"),
        ('{"instances": [1, [1]]}', "Expecting shape [] but got: [1]"),
        ('{"instances": [{"k": 1}]}', "JSON object: does not have named input: k"),
        ('{"instances": [true]}', "Type: True is not of expected type: float"),
        ('{"inputs": {"k": [1]}}', "Missing named input: x in 'inputs' object."),
        ('{"inputs": [[1], 2]}', "found at incorrect level"),
        ('{"inputs": [[1], [2, 3]]}', "Encountered list at unexpected size: 2 at level: 1 expected size: 1"),
    ],
)
def test_g15_to_g22_requests_that_do_not_fit(ask, body, text):
    status, message = error(ask, body)
    assert status == 400
    assert text in message


MANY = '{"a": 1, "b": [1, 2], "c": "s", "d": true}'


@pytest.mark.parametrize(
    ("body", "text"),
    [
        ('{"instances": [1]}', "instances is a plain list, but expecting list of objects as multiple input tensors"),
        ('{"inputs": [1]}', "inputs is a plain value/list, but expecting an object as multiple input tensors"),
        ('{"instances": [{"a": 1}]}', "keys must be equal to: a,b,c,d"),
        (f'{{"instances": [{MANY}, [1]]}}', "Expecting object but got list at item 1"),
        (
            '{"signature_name": "echo_int32", "instances": [1, {"x": 1}]}',
            "Expecting value/list but got object at item 1",
        ),
        ('{"inputs": {"a": [1]}}', "Missing named input: b in 'inputs' object."),
        (f'{{"instances": [{MANY}, {MANY.replace("true", "1")}]}}', "Type: Number is not of expected type: bool"),
        (f'{{"instances": [{MANY.replace("[1, 2]", "[1.0, 2]")}]}}', "Type: Number is not of expected type: int32"),
    ],
)
def test_g21_g22_g29_requests_with_several_inputs_that_do_not_fit(ask_echo, body, text):
    status, message = error(ask_echo, body)
    assert status == 400
    assert text in message


def test_g23_g26_several_outputs_and_bytes(ask_echo):
    row = {"a": 1.0, "b": [1, 2], "c": "ä", "c_bytes": {"b64": "w6Q="}, "d": True}
    answer = ask_echo("POST", PREDICT, {"instances": [{"a": 1, "b": [1, 2], "c": "ä", "d": True}] * 2})[1]
    assert answer == {"predictions": [row, row]}
    answer = ask_echo("POST", PREDICT, {"inputs": {"a": [1], "b": [[1, 2]], "c": [{"b64": "w6Q"}], "d": [True]}})[1]
    assert answer == {"outputs": {alias: [value] for alias, value in row.items()}}


def test_g24_row_form_needs_a_batch_dimension(ask_echo):
    body = {"signature_name": "slow", "inputs": 1}
    assert ask_echo("POST", PREDICT, body)[0] == 200
    assert ask_echo("POST", PREDICT, {"signature_name": "echo_float32", "inputs": 1.5})[1] == {"outputs": 1.5}
    status, message = error(ask_echo, {"signature_name": "failing", "instances": ["fine"]})
    assert status == 400 and "Assert" in message
    status, message = error(ask_echo, {"signature_name": "uneven", "instances": [1.0, 2.0]})
    assert status == 400 and "has inconsistent batch size" in message
    empty = ask_echo("POST", PREDICT, {"inputs": {"a": [], "b": [], "c": [], "d": []}})[1]
    assert empty == {"outputs": {"a": [], "b": [], "c": [], "c_bytes": [], "d": []}}


def test_g25_base64(ask_echo):
    assert echoed(ask_echo, "string", '{"b64": "aGVsbG8="}')[1] == {"outputs": "hello"}
    for value, text in (('{"b64": "?"}', "Unable to base64 decode"), ('[{"b64": 1}]', "not formatted correctly for")):
        status, answer, _ = echoed(ask_echo, "string", value)
        assert status == 400 and text in answer["error"]


def test_g27_not_a_number_and_infinity_pass_both_ways(ask):
    values = ask("POST", PREDICT, '{"instances": [NaN, Infinity, -Infinity]}')[1]["predictions"]
    assert math.isnan(values[0]) and values[1:] == [math.inf, -math.inf]


@pytest.mark.parametrize(
    ("sent", "printed"),
    [("9000000", "9e+06"), ("999999", "999999.0"), ("0.00003", "3e-05"), ("555557.5", "555557.5"), ("0.1", "0.1")],
)
def test_g28_floats_are_printed_short_and_never_as_integers(echo, sent, printed):
    address = urllib.parse.urlsplit(echo.rest_url)
    connection = http.client.HTTPConnection(address.hostname, address.port, timeout=20)
    connection.request("POST", PREDICT, f'{{"signature_name": "echo_float32", "inputs": {sent}}}')
    assert connection.getresponse().read().decode().split(":")[1].strip(" \n}") == printed
    connection.close()


def test_g29_numbers_that_do_not_fit_become_what_the_dtype_can_hold(ask_echo):
    assert np.float32(echoed(ask_echo, "float32", "1435774380")[1]["outputs"]) == np.float32(1435774336)
    assert echoed(ask_echo, "float32", "[1e39, 1e-50]")[1]["outputs"] == [math.inf, 0.0]
    assert echoed(ask_echo, "float32", "1" + "0" * 400)[1]["outputs"] == math.inf
    assert echoed(ask_echo, "int64", str(-(2**63)))[1]["outputs"] == -(2**63)
    assert echoed(ask_echo, "uint64", str(2**64 - 1))[1]["outputs"] == 2**64 - 1
    assert "not of expected type: int64" in echoed(ask_echo, "int64", str(2**63))[1]["error"]
    assert "not of expected type: string" in echoed(ask_echo, "string", "1")[1]["error"]
    assert echoed(ask_echo, "half", "1")[:1] == (501,)


def test_g24_row_form_refuses_outputs_without_a_batch_dimension():
    with pytest.raises(StatusError, match=r"Tensor name: t has no shape information $"):
        json_from_outputs({"t": np.float32(1)}, row_form=True)
    assert json.loads(json_from_outputs({"t": np.zeros((0, 2), np.float32)}, row_form=True)) == {"predictions": []}


def test_g32_codes_become_http_statuses():
    expected = {
        400: ["INVALID_ARGUMENT", "FAILED_PRECONDITION", "OUT_OF_RANGE"],
        401: ["UNAUTHENTICATED"],
        403: ["PERMISSION_DENIED"],
        404: ["NOT_FOUND"],
        409: ["ALREADY_EXISTS", "ABORTED"],
        429: ["RESOURCE_EXHAUSTED"],
        499: ["CANCELLED"],
        500: ["UNKNOWN", "INTERNAL", "DATA_LOSS"],
        501: ["UNIMPLEMENTED"],
        503: ["UNAVAILABLE"],
        504: ["DEADLINE_EXCEEDED"],
    }
    for status, codes in expected.items():
        assert {StatusError(code, "").http_status for code in codes} == {status}


def test_g33_other_paths_are_plain_404(ask):
    status, body, headers = ask("GET", "/index")
    assert status == 404 and headers["Content-Type"] != "application/json" and b"error" not in body


def test_g34_gzip_bodies_are_read_and_broken_ones_refused(ask):
    body = gzip.compress(b'{"instances": [2.0]}')
    assert ask("POST", PREDICT, body, {"Content-Encoding": "gzip"})[1] == {"predictions": [3.0]}
    assert ask("POST", PREDICT, body[:-9], {"Content-Encoding": "gzip"})[0] == 400


def test_chunked_bodies_are_read(half_plus):
    address = urllib.parse.urlsplit(half_plus.rest_url)
    connection = http.client.HTTPConnection(address.hostname, address.port, timeout=20)
    connection.request("POST", PREDICT, iter([b'{"instances":', b" [2.0]}"]), encode_chunked=True)
    assert json.loads(connection.getresponse().read()) == {"predictions": [3.0]}
    connection.close()


def test_g35_preflight_requests(ask, base_paths, serve_model):
    assert ask("OPTIONS", PREDICT, headers={"Origin": "http://example.org"})[0] == 200
    status, body, headers = ask("OPTIONS", PREDICT)
    assert (status, body) == (400, b"")
    assert "Access-Control-Allow-Origin" not in headers
    with serve_model(base_paths["half_plus"], cors=True) as server:
        headers = caller(server.rest_url)("OPTIONS", PREDICT, headers={"Origin": "http://example.org"})[2]
    assert headers["Access-Control-Allow-Origin"] == "*"
    assert headers["Access-Control-Allow-Methods"] == "POST, GET"
    assert headers["Access-Control-Allow-Headers"] == "Content-Type"


def test_g37_time_limit_of_requests(base_paths, serve_model):
    with serve_model(base_paths["echo"], rest_timeout=0.2) as server:
        body = {"signature_name": "slow", "inputs": 10**9}
        assert caller(server.rest_url)("POST", PREDICT, body)[0] == 504


def test_g38_content_type_of_the_request_does_not_matter(ask):
    body = {"instances": [2.0]}
    assert ask("POST", PREDICT, body, {"Content-Type": "text/plain"})[1] == {"predictions": [3.0]}


def test_bytes_that_are_no_utf8_pass_through_strings(echo):
    connection = http.client.HTTPConnection(urllib.parse.urlsplit(echo.rest_url).netloc, timeout=20)
    connection.request("POST", PREDICT, b'{"signature_name": "echo_string", "inputs": "\xff\xc3\xa4"}')
    assert b'"\xff\xc3\xa4"' in connection.getresponse().read()
    connection.close()


def test_signature_name_that_is_no_utf8_is_unknown(ask):
    for verb, rest in (("predict", b'"instances": [1.0]'), ("classify", b'"examples": [{"x": 1.0}]')):
        status, answer, _ = ask("POST", f"/v1/models/default:{verb}", b'{"signature_name": "\x80", ' + rest + b"}")
        assert status == 400 and "found" in answer["error"]


def test_connection_serves_one_request_after_the_other(half_plus):
    address = urllib.parse.urlsplit(half_plus.rest_url)
    connection = http.client.HTTPConnection(address.hostname, address.port, timeout=20)
    for x in range(3):
        connection.request("POST", PREDICT, json.dumps({"instances": [x]}))
        assert json.loads(connection.getresponse().read()) == {"predictions": [x / 2 + 2]}
    connection.close()
