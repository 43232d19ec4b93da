"""The REST API: predict, model status and metadata over HTTP, in JSON."""

from __future__ import annotations

import gzip
import io
import logging
import re
import socketserver
import threading
import zlib
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, NamedTuple
from urllib.parse import unquote

import numpy as np
from google.protobuf import json_format
from tensorflow_serving.apis import get_model_metadata_pb2, get_model_status_pb2, model_pb2

from tfrec.errors import ServerError
from tfrec.serving.server import rest_format, rest_json
from tfrec.serving.server.errors import StatusError, invalid
from tfrec.serving.server.models import Models
from tfrec.serving.server.options import Options, threads

MODEL = r"(?:(?:/versions/(\d+))|(?:/labels/([^/:]+)))?"
PREDICTION_PATH = re.compile(rf"/v1/models/([^/:]+){MODEL}:(classify|regress|predict)", re.I | re.A)
MODEL_PATH = re.compile(rf"/v1/models(?:/([^/:]+))?{MODEL}(?:/(metadata))?", re.I | re.A)
LARGEST_BODY = 512 << 20  # bytes, also after decompression
SLOWEST_READ = 60.0  # seconds without a byte from the client
log = logging.getLogger(__name__)
CORS = {
    "Access-Control-Allow-Origin": "*",
    "Access-Control-Allow-Methods": "POST, GET",
    "Access-Control-Allow-Headers": "Content-Type",
}


class Answer(NamedTuple):
    status: int
    body: str = ""
    content_type: str = "application/json"


class RestApi:
    """Answers requests, whatever server received them."""

    def __init__(self, models: Models, timeout: float) -> None:
        self._models = models
        self._timeout = timeout

    def answer(self, method: str, path: str, body: bytes, headers: Any) -> Answer:
        """The answer to one request; errors become their HTTP status and a JSON object with the key "error"."""
        if not path.lower().startswith("/v1/"):
            return Answer(404, "Not Found", "text/plain")
        if method == "OPTIONS":
            return Answer(200) if headers.get("Origin", "").startswith("http") else Answer(400)
        try:
            return Answer(200, self._body(method, path, body))
        except StatusError as error:
            return Answer(error.http_status, rest_format.error_json(error.message))
        except Exception as error:
            log.exception("%s %s failed", method, path)
            return Answer(500, rest_format.error_json(f"internal error: {error!r}"))

    def _body(self, method: str, path: str, body: bytes) -> str:
        bare = path.partition("?")[0]
        if method == "POST" and (match := PREDICTION_PATH.fullmatch(bare)):
            name, version, label, verb = match.groups()
            if verb.lower() != "predict":
                raise StatusError("UNIMPLEMENTED", f"{verb.lower()} is not offered by the development server")
            return self._predict(_model_spec(name, version, label), body)
        if method == "GET" and (match := MODEL_PATH.fullmatch(bare)):
            name, version, label, metadata = match.groups()
            if not name:
                raise invalid("Missing model name in request.")
            spec = _model_spec(name, version, label)
            return self._metadata(spec) if metadata else self._status(spec)
        raise invalid(f"Malformed request: {method} {path}")

    def _predict(self, spec: model_pb2.ModelSpec, body: bytes) -> str:
        document = rest_json.parse_object(body)
        row_form = False

        def inputs(infos: Any) -> dict[str, np.ndarray]:
            nonlocal row_form
            arrays, row_form = rest_json.inputs_from_request(document, infos)
            return arrays

        outputs = self._models.predict_arrays(spec, inputs, self._timeout, rest_json.signature_name(document))
        return rest_format.json_from_outputs(outputs, row_form)

    def _status(self, spec: model_pb2.ModelSpec) -> str:
        return _json(self._models.status(get_model_status_pb2.GetModelStatusRequest(model_spec=spec)))

    def _metadata(self, spec: model_pb2.ModelSpec) -> str:
        request = get_model_metadata_pb2.GetModelMetadataRequest(model_spec=spec, metadata_field=["signature_def"])
        response = self._models.metadata(request)
        signatures = get_model_metadata_pb2.SignatureDefMap()
        response.metadata["signature_def"].Unpack(signatures)
        return (
            f'{{\n"model_spec": {_json(response.model_spec)},\n"metadata": {{"signature_def": {_json(signatures)}}}\n}}'
        )


def _model_spec(name: str, version: str | None, label: str | None) -> model_pb2.ModelSpec:
    spec = model_pb2.ModelSpec(name=unquote(name))
    if version:
        if int(version) >= 1 << 63:
            raise invalid(f"Failed to convert version: {version} to numeric.")
        spec.version.value = int(version)
    elif label:
        spec.version_label = unquote(label)
    return spec


def _json(message: Any) -> str:
    options: dict[str, Any] = {"preserving_proto_field_name": True}
    try:
        return json_format.MessageToJson(message, including_default_value_fields=True, **options)
    except TypeError:  # protobuf 5 and later call it otherwise
        return json_format.MessageToJson(message, always_print_fields_with_no_presence=True, **options)


class RestServer(ThreadingHTTPServer):
    """Serves a `RestApi` over HTTP/1.1, one thread for each connection.

    Raises:
        ServerError: the port is taken.
    """

    daemon_threads = True
    request_queue_size = 128

    def __init__(self, models: Models, options: Options) -> None:
        self.api = RestApi(models, options.rest_timeout)
        self.cors = options.cors
        self.permits = threading.BoundedSemaphore(threads(options.rest_threads))
        self.in_progress = 0
        self.changed = threading.Condition()
        try:
            super().__init__((options.host, options.rest_api_port or 0), RequestHandler)
        except OSError as error:
            raise ServerError(
                f"cannot listen on {options.host}:{options.rest_api_port} for REST; is the port taken by another "
                f"server? ({error.strerror or error})"
            ) from error
        self.port = self.server_address[1]
        self._thread = threading.Thread(target=self.serve_forever, args=(0.1,), name="rest", daemon=True)

    def server_bind(self) -> None:
        socketserver.TCPServer.server_bind(self)  # HTTPServer's own would look the host name up, which can be slow

    def start(self) -> None:
        self._thread.start()

    def stop(self, grace: float = 5.0) -> None:
        """Accept no more connections and let requests in progress end, for at most `grace` seconds."""
        if self._thread.is_alive():
            self.shutdown()
            self._thread.join()
        self.server_close()
        with self.changed:
            self.changed.wait_for(lambda: not self.in_progress, grace)


class RequestHandler(BaseHTTPRequestHandler):
    """Reads one request after the other from a connection."""

    server: RestServer
    protocol_version = "HTTP/1.1"
    timeout = SLOWEST_READ
    disable_nagle_algorithm = True

    def log_message(self, format: str, *arguments: Any) -> None:
        """Requests are not logged."""

    def do_GET(self) -> None:
        with self.server.changed:
            self.server.in_progress += 1
        try:
            try:
                body = self._read_body()
            except StatusError as error:
                self.close_connection = True
                self._write(Answer(error.http_status, rest_format.error_json(error.message)))
                return
            with self.server.permits:
                answer = self.server.api.answer(self.command, self.path, body, self.headers)
            self._write(answer)
        finally:
            with self.server.changed:
                self.server.in_progress -= 1
                self.server.changed.notify_all()

    do_POST = do_PUT = do_DELETE = do_PATCH = do_HEAD = do_OPTIONS = do_GET

    def _write(self, answer: Answer) -> None:
        content = answer.body.encode("utf-8", "surrogateescape")
        self.send_response(answer.status)
        self.send_header("Content-Type", answer.content_type)
        self.send_header("Content-Length", str(len(content)))
        for name, value in CORS.items() if self.server.cors else ():
            self.send_header(name, value)
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(content)

    def _read_body(self) -> bytes:
        if "chunked" in self.headers.get("Transfer-Encoding", "").lower():
            body = self._read_chunks()
        else:
            length = self.headers.get("Content-Length", "0")
            if not (length.isascii() and length.isdigit()):
                raise invalid(f"Content-Length must be a number, got {length!r}")
            _check_size(int(length))
            body = self.rfile.read(int(length))
        if self.headers.get("Content-Encoding", "").lower() == "gzip":
            return _unzipped(body)
        return body

    def _read_chunks(self) -> bytes:
        parts, total = [], 0
        while True:
            line = self.rfile.readline(1024).split(b";")[0].strip()
            try:
                size = int(line, 16)
            except ValueError as error:
                raise invalid(f"malformed chunk size {line!r}") from error
            total += max(size, 0)
            _check_size(total)
            if size <= 0:
                break
            parts.append(self.rfile.read(size))
            self.rfile.readline(1024)
        while self.rfile.readline(65536).strip():  # trailers
            pass
        return b"".join(parts)


def _check_size(size: int) -> None:
    if size > LARGEST_BODY:
        raise StatusError("RESOURCE_EXHAUSTED", f"the request body has more than {LARGEST_BODY} bytes")


def _unzipped(body: bytes) -> bytes:
    try:
        with gzip.GzipFile(fileobj=io.BytesIO(body)) as stream:
            content = stream.read(LARGEST_BODY + 1)
    except (OSError, EOFError, zlib.error) as error:
        raise invalid(f"the body is not valid gzip: {error}") from error
    _check_size(len(content))
    return content
