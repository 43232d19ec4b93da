"""What the server refuses, and what clients cannot do to it: sizes, depth, names, tokens, certificates, slowness."""

import asyncio
import datetime
import gzip
import http.client
import json
import os
import signal
import socket
import subprocess
import sys
import time
import urllib.parse

import grpc
import numpy as np
import pytest
import tensorflow as tf
from tensorflow_serving.apis import predict_pb2, prediction_service_pb2_grpc

from tfrec.errors import ServerError
from tfrec.serving import TLS, AsyncClient, CallError, Client

PREDICT = "/v1/models/default:predict"
BODY = json.dumps({"instances": [2.0]})


def post(server, body=BODY, path=PREDICT, headers=None, method="POST"):
    connection = http.client.HTTPConnection(urllib.parse.urlsplit(server.rest_url).netloc, timeout=20)
    try:
        connection.request(method, path, body, headers or {})
        response = connection.getresponse()
        return response.status, json.loads(response.read() or b"null")
    finally:
        connection.close()


def predict_request(values=(2.0,)):
    request = predict_pb2.PredictRequest()
    request.model_spec.name = "default"
    request.inputs["x"].CopyFrom(tf.make_tensor_proto(np.float32(values).reshape(-1, 1)))
    return request


@pytest.fixture(scope="module")
def strict(tmp_path_factory, base_paths, serve_model):
    """A server that takes 100 kB and half a second, and asks for a token."""
    file = tmp_path_factory.mktemp("secret") / "token"
    file.write_text("s3cret\n")
    options = {"largest_request": 100_000, "rest_timeout": 0.5, "rest_token_file": str(file)}
    with serve_model(base_paths["half_plus"], **options) as server:
        yield server


TOKEN = {"Authorization": "Bearer s3cret"}


def test_requests_over_the_limit_are_refused_by_both_apis(strict, stubs):
    assert post(strict, " " * 100_001, headers=TOKEN)[0] == 429
    with pytest.raises(grpc.RpcError) as raised:
        stubs(strict.grpc_address).prediction.Predict(predict_request(np.ones(30_000)))
    assert raised.value.code() is grpc.StatusCode.RESOURCE_EXHAUSTED
    assert stubs(strict.grpc_address).prediction.Predict(predict_request(np.ones(20_000)))


def test_compressed_body_that_grows_over_the_limit_is_refused(strict):
    bomb = gzip.compress(b" " * 50_000_000)
    assert len(bomb) < 100_000
    status, answer = post(strict, bomb, headers={**TOKEN, "Content-Encoding": "gzip"})
    assert status == 429 and "more than 100000 bytes" in answer["error"]


@pytest.mark.parametrize("opening", ["[", '{"instances":', '{"instances":[', '{"inputs":{"x":['])
def test_deep_json_is_refused(half_plus, opening):
    status, answer = post(half_plus, opening * 50_000)
    assert status == 400 and answer["error"].startswith("JSON Parse error: ")


@pytest.mark.parametrize("path", [PREDICT, "/v1/models/default:classify"])
@pytest.mark.parametrize(("opening", "closing"), [("[", "]"), ('{"a":', "}"), ('{"instances":', "}")])
def test_json_that_is_just_not_too_deep_to_be_parsed_is_refused_too(half_plus, path, opening, closing):
    """Errors quote the value, and writing it takes a little more depth than reading it did."""
    for depth in range(900, 1000, 3):
        assert post(half_plus, opening * depth + "1" + closing * depth, path)[0] == 400


def test_tensor_that_would_grow_a_million_times_is_refused(half_plus, stubs):
    request = predict_request()
    request.inputs["x"].tensor_shape.dim[0].size = 100_000_000
    with pytest.raises(grpc.RpcError) as raised:
        stubs(half_plus.grpc_address).prediction.Predict(request)
    assert raised.value.code() is grpc.StatusCode.INVALID_ARGUMENT


@pytest.mark.parametrize("name", ["..%2F..%2Fetc", "%2Fetc%2Fpasswd", "..", "default%2F..", "default%00", "%ff"])
def test_names_of_models_are_names_and_not_paths(half_plus, name):
    status, answer = post(half_plus, path=f"/v1/models/{name}:predict")
    assert status == 404 and answer["error"].startswith("Servable not found for request: Latest(")


def test_it_listens_on_loopback_unless_told_otherwise(half_plus):
    assert half_plus.grpc_address.startswith("127.0.0.1:")
    port = int(half_plus.rest_url.rsplit(":", 1)[1])
    addresses = {info[4][0] for info in socket.getaddrinfo(socket.gethostname(), port, socket.AF_INET)}
    for address in addresses - {a for a in addresses if a.startswith("127.")}:
        with pytest.raises(OSError):
            socket.create_connection((address, port), timeout=2)


def test_rest_needs_the_bearer_token_if_there_is_one(strict, base_paths, serve_model, tmp_path):
    assert post(strict, headers=TOKEN) == (200, {"predictions": [3.0]})
    for headers in ({}, {"Authorization": "Bearer wrong"}, {"Authorization": "Basic s3cret"}):
        status, answer = post(strict, headers=headers)
        assert status == 401 and "bearer token" in answer["error"]
    assert post(strict, None, "/v1/models/default", method="GET")[0] == 401
    file = tmp_path / "token"
    file.write_text("s3cret")
    with serve_model(base_paths["half_plus"], rest_token_file=str(file), cors=True) as server:
        address = urllib.parse.urlsplit(server.rest_url).netloc
        found = []
        for method in ("OPTIONS", "POST"):  # a browser asks without the token whether it may send it
            connection = http.client.HTTPConnection(address, timeout=20)
            connection.request(method, PREDICT, BODY, {"Origin": "http://example.org"})
            response = connection.getresponse()
            found.append((response.status, response.headers["WWW-Authenticate"]))
            assert response.headers["Access-Control-Allow-Headers"] == "Content-Type, Authorization"
            connection.close()
        assert found == [(200, None), (401, "Bearer")]
    (tmp_path / "empty").write_text("\n")
    with pytest.raises(ServerError, match=r"token file .* is empty"):
        serve_model(base_paths["half_plus"], rest_token_file=str(tmp_path / "empty")).__enter__()


def test_slow_clients_lose_their_connection_and_hold_nobody_up(strict):
    address = urllib.parse.urlsplit(strict.rest_url)
    slow = [socket.create_connection((address.hostname, address.port), timeout=20) for _ in range(60)]
    try:
        for number, connection in enumerate(slow):
            head = f"POST {PREDICT} HTTP/1.1\r\nAuthorization: Bearer s3cret\r\n"
            connection.sendall(head.encode() + (b"Content-Length: 1000\r\n\r\n{" if number % 2 else b"X-Slow: "))
        assert post(strict, headers=TOKEN) == (200, {"predictions": [3.0]})
        for connection in slow:
            while connection.recv(1000):  # an answer, or nothing; then the end
                pass
    finally:
        for connection in slow:
            connection.close()


def certificate(name, issuer=None):
    """A key and a certificate in PEM, signed by `issuer` (a certificate and its key) or by itself."""
    from cryptography import x509
    from cryptography.hazmat.primitives import hashes, serialization
    from cryptography.hazmat.primitives.asymmetric import ec

    key = ec.generate_private_key(ec.SECP256R1())
    subject = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, name)])
    now = datetime.datetime.now(datetime.timezone.utc)
    made = (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(issuer[0].subject if issuer else subject)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - datetime.timedelta(hours=1))
        .not_valid_after(now + datetime.timedelta(hours=1))
        .add_extension(x509.SubjectAlternativeName([x509.DNSName("localhost")]), critical=False)
        .add_extension(x509.BasicConstraints(ca=issuer is None, path_length=None), critical=True)
        .sign(issuer[1] if issuer else key, hashes.SHA256())
    )
    pem = key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    ).decode()
    return (made, key), pem, made.public_bytes(serialization.Encoding.PEM).decode()


async def ask_asynchronously(address, tls):
    async with AsyncClient(address, tls=tls, attempts=1, timeout=10) as client:
        outputs, _ = await client.predict("serving_default", {"x": np.float32([[2.0]])})
        return outputs["y"].item()


def test_tls_and_client_certificates(base_paths, serve_model, tmp_path):
    authority, _, root = certificate("authority")
    _, server_key, server_cert = certificate("localhost", authority)
    _, client_key, client_cert = certificate("client", authority)
    file = tmp_path / "ssl.config"
    text = f"server_key: {json.dumps(server_key)} server_cert: {json.dumps(server_cert)}"
    for mutual in (False, True):
        file.write_text(text + (f" custom_ca: {json.dumps(root)} client_verify: true" if mutual else ""))
        socket_path = str(tmp_path / "socket")
        options = {"ssl_config_file": str(file), "grpc_socket_path": socket_path, "rest_api_port": None}
        with serve_model(base_paths["half_plus"], **options) as server:
            address = server.grpc_address.replace("127.0.0.1", "localhost")

            def ask(address=address, **certificates):
                credentials = grpc.ssl_channel_credentials(root.encode(), **certificates)
                # A socket has no name that a certificate could hold.
                named = [("grpc.ssl_target_name_override", "localhost")] if address.startswith("unix:") else []
                with grpc.secure_channel(address, credentials, named) as channel:
                    stub = prediction_service_pb2_grpc.PredictionServiceStub(channel)
                    return stub.Predict(predict_request(), timeout=10).outputs["y"].float_val[0]

            own = {"private_key": client_key.encode(), "certificate_chain": client_cert.encode()}
            assert ask(**own) == 3.0
            if mutual:
                with pytest.raises(grpc.RpcError):
                    ask()
            else:
                assert ask() == 3.0
            for name, pem in (("root", root), ("key", client_key), ("cert", client_cert)):
                (tmp_path / name).write_text(pem)
            whole = TLS(tmp_path / "root", tmp_path / "cert", tmp_path / "key")
            assert asyncio.run(ask_asynchronously(address, whole)) == 3.0
            assert ask(f"unix:{socket_path}", **own) == 3.0
            with pytest.raises(CallError):
                asyncio.run(ask_asynchronously(f"unix:{socket_path}", None))
            if mutual:
                with pytest.raises(CallError, match="no model server answers"):
                    asyncio.run(ask_asynchronously(address, TLS(tmp_path / "root")))
            with pytest.raises(CallError, match="no model server answers"):
                asyncio.run(ask_asynchronously(address, None))
            with Client(server.grpc_address, attempts=1, timeout=2) as plain, pytest.raises((CallError, ServerError)):
                plain.predict("serving_default", {"x": np.float32([[2.0]])})
    for text, reason in (("server_key: 'k'", "needs server_key and server_cert"), ("key: 1", "cannot read the SSL")):
        file.write_text(text)
        with pytest.raises(ServerError, match=reason):
            serve_model(base_paths["half_plus"], ssl_config_file=str(file)).__enter__()
    file.write_text("server_key: 'k' server_cert: 'c' client_verify: true")
    with pytest.raises(ServerError, match="needs custom_ca"):
        serve_model(base_paths["half_plus"], ssl_config_file=str(file)).__enter__()


def test_k2_reflection_tells_services_and_messages(half_plus, stubs):
    reflection = pytest.importorskip("grpc_reflection.v1alpha.reflection_pb2")
    grpc_stub = pytest.importorskip("grpc_reflection.v1alpha.reflection_pb2_grpc")
    stub = grpc_stub.ServerReflectionStub(stubs(half_plus.grpc_address).channel)
    asked = [
        reflection.ServerReflectionRequest(list_services=""),
        reflection.ServerReflectionRequest(file_containing_symbol="tensorflow.serving.PredictionService"),
    ]
    services, files = stub.ServerReflectionInfo(iter(asked), timeout=20)
    names = {service.name for service in services.list_services_response.service}
    assert names >= {"tensorflow.serving.PredictionService", "tensorflow.serving.ModelService", "grpc.health.v1.Health"}
    assert any(b"PredictRequest" in file for file in files.file_descriptor_response.file_descriptor_proto)


def test_killed_server_is_started_again_on_its_port_and_found_by_the_client(base_paths, free_port):
    command = [sys.executable, "-m", "tfrec.serving.server", f"--model_base_path={base_paths['half_plus']}"]

    def started():
        process = subprocess.Popen(
            [*command, f"--port={free_port}"],
            stdout=subprocess.PIPE,
            text=True,
            env={**os.environ, "PYTHONUNBUFFERED": "1"},
        )
        assert "gRPC at" in process.stdout.readline()
        return process

    process = started()
    try:
        with Client(f"localhost:{free_port}", timeout=10) as client:
            x = {"x": np.float32([[2.0]])}
            assert client.predict("serving_default", x)[0]["y"] == 3.0
            process.send_signal(signal.SIGKILL)
            process.wait()
            with Client(f"localhost:{free_port}", timeout=1, attempts=1) as hasty, pytest.raises(ServerError):
                hasty.predict("serving_default", x)
            process = started()
            deadline = time.monotonic() + 20
            while True:
                try:
                    assert client.predict("serving_default", x)[0]["y"] == 3.0
                    break
                except ServerError:
                    assert time.monotonic() < deadline
    finally:
        process.kill()
        process.communicate()
