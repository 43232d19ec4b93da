import datetime
import socket
from concurrent.futures import ThreadPoolExecutor

import grpc
import pytest

from tfrec.errors import ServerError
from tfrec.serving import TLS, CallError, Client, wire
from tfrec.serving.channel import Channel, Settings


@pytest.fixture
def failing_server():
    """A gRPC server whose status call fails with each of the codes it is given, and counts the calls."""
    codes, calls = [], []

    def status(request, context):
        calls.append(request)
        if codes:
            context.abort(codes.pop(0), "said so")
        return wire.GetModelStatusResponse()

    handler = grpc.unary_unary_rpc_method_handler(
        status, wire.GetModelStatusRequest.FromString, lambda message: message.SerializeToString()
    )
    server = grpc.server(ThreadPoolExecutor(2))
    server.add_generic_rpc_handlers(
        (grpc.method_handlers_generic_handler("tensorflow.serving.ModelService", {"GetModelStatus": handler}),)
    )
    port = server.add_insecure_port("127.0.0.1:0")
    server.start()
    yield f"127.0.0.1:{port}", codes, calls
    server.stop(None).wait()


def ask(address, attempts=4):
    channel = Channel(Settings((address,), timeout=5, attempts=attempts))
    try:
        return channel.call(wire.GET_MODEL_STATUS, wire.GetModelStatusRequest(), wire.GetModelStatusResponse)
    finally:
        channel.close()


def test_unavailable_is_tried_again(failing_server):
    address, codes, calls = failing_server
    codes += [grpc.StatusCode.UNAVAILABLE] * 2
    assert not ask(address).model_version_status
    assert len(calls) == 3


def test_attempts_are_limited(failing_server):
    address, codes, calls = failing_server
    codes += [grpc.StatusCode.UNAVAILABLE] * 9
    with pytest.raises(CallError, match="no model server answers"):
        ask(address, attempts=2)
    assert len(calls) == 2


@pytest.mark.parametrize("code", ["INTERNAL", "RESOURCE_EXHAUSTED", "INVALID_ARGUMENT", "UNIMPLEMENTED"])
def test_other_errors_are_not_tried_again_and_tell_the_servers_words(failing_server, code):
    address, codes, calls = failing_server
    codes.append(grpc.StatusCode[code])
    with pytest.raises(CallError, match="said so") as failure:
        ask(address)
    assert failure.value.code == code
    assert len(calls) == 1


def test_a_server_whose_queue_is_full_is_not_called_absent():
    details = "The batch scheduling queue to which this task was submitted is full; currently 10 batches enqueued"
    assert "more requests than it can answer" in str(CallError("UNAVAILABLE", details, "films:8500", 1.0))


def test_tls_files_that_cannot_be_used_are_one_sentence(tmp_path):
    with pytest.raises(ServerError, match="cannot read the TLS file"):
        TLS(root=tmp_path / "missing.pem").credentials()
    (tmp_path / "certificate.pem").write_text("")
    with pytest.raises(ServerError, match="needs both"):
        TLS(certificate=tmp_path / "certificate.pem").credentials()


@pytest.fixture(scope="module")
def certificates(tmp_path_factory):
    """Paths of the PEM files of a self-signed certificate for localhost."""
    x509 = pytest.importorskip("cryptography.x509")
    from cryptography.hazmat.primitives import hashes, serialization
    from cryptography.hazmat.primitives.asymmetric import ec

    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "localhost")])
    now = datetime.datetime.now(datetime.timezone.utc)
    certificate = (
        x509.CertificateBuilder(name, name, key.public_key(), x509.random_serial_number())
        .not_valid_before(now - datetime.timedelta(days=1))
        .not_valid_after(now + datetime.timedelta(days=1))
        .add_extension(x509.SubjectAlternativeName([x509.DNSName("localhost")]), critical=False)
        .sign(key, hashes.SHA256())
    )
    folder = tmp_path_factory.mktemp("certificates")
    (folder / "certificate.pem").write_bytes(certificate.public_bytes(serialization.Encoding.PEM))
    (folder / "key.pem").write_bytes(
        key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    )
    return folder / "certificate.pem", folder / "key.pem"


def test_mutual_tls_lets_in_who_has_a_certificate_and_nobody_else(certificates):
    certificate, key = certificates
    pair = (key.read_bytes(), certificate.read_bytes())
    credentials = grpc.ssl_server_credentials([pair], certificate.read_bytes(), require_client_auth=True)
    handler = grpc.unary_unary_rpc_method_handler(
        lambda request, context: wire.GetModelStatusResponse(model_version_status=[{"version": 3, "state": 30}]),
        wire.GetModelStatusRequest.FromString,
        lambda message: message.SerializeToString(),
    )
    server = grpc.server(ThreadPoolExecutor(2))
    server.add_generic_rpc_handlers(
        (grpc.method_handlers_generic_handler("tensorflow.serving.ModelService", {"GetModelStatus": handler}),)
    )
    port = server.add_secure_port("localhost:0", credentials)
    server.start()
    try:
        with Client(f"localhost:{port}", tls=TLS(certificate, certificate, key)) as client:
            assert client.status()[0].version == 3
        for tls in (None, TLS(certificate)):
            with Client(f"localhost:{port}", tls=tls, attempts=1) as client, pytest.raises(ServerError):
                client.status()
    finally:
        server.stop(None).wait()


def http2_frames(connection):
    """Type, flags and payload of the frames a client sends, after its preface."""
    with connection.makefile("rb") as stream:
        assert stream.read(24).startswith(b"PRI * HTTP/2")
        while head := stream.read(9):
            yield head[3], head[4], stream.read(int.from_bytes(head[:3], "big"))


def test_keep_alive_asks_a_silent_server_during_a_call(monkeypatch):
    monkeypatch.setattr("tfrec.serving.channel.KEEP_ALIVE", 0.2)
    settings_frame, headers, ping = 4, 1, 6

    def silent():
        connection, _ = listener.accept()
        with connection:
            connection.sendall(bytes([0, 0, 0, settings_frame, 0, 0, 0, 0, 0]))
            return [kind for kind, _, _ in http2_frames(connection)]

    with socket.create_server(("127.0.0.1", 0)) as listener, ThreadPoolExecutor(1) as server:
        served = server.submit(silent)
        address = f"127.0.0.1:{listener.getsockname()[1]}"
        with Client(address, timeout=2, attempts=1) as client, pytest.raises(CallError, match="did not answer in time"):
            client.status()
        kinds = served.result()
    assert ping in kinds[kinds.index(headers) :]
