"""The REST API's HTTP server: connections, bodies, time limits; what a request means is for `rest_api`."""

from __future__ import annotations

import contextlib
import gzip
import io
import socket
import socketserver
import threading
import time
import zlib
from collections.abc import Iterator
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

from tfrec.errors import ServerError
from tfrec.serving.server import rest_format
from tfrec.serving.server.errors import StatusError, invalid
from tfrec.serving.server.models import Models
from tfrec.serving.server.options import Options, threads
from tfrec.serving.server.ports import cannot_listen
from tfrec.serving.server.rest_api import Answer, RestApi

MOST_CONNECTIONS = 1000
LONGEST_IDLE = 60.0  # seconds that a connection may stay open without a request
CORS = {
    "Access-Control-Allow-Origin": "*",
    "Access-Control-Allow-Methods": "POST, GET",
    "Access-Control-Allow-Headers": "Content-Type",
}
CORS_WITH_TOKEN = {"Access-Control-Allow-Headers": "Content-Type, Authorization"}


class RestServer(ThreadingHTTPServer):
    """Serves a `RestApi` over HTTP/1.1, one thread for each connection.

    A request that is not read, or an answer not taken, within `rest_timeout` loses its connection, and connections
    beyond a thousand are closed at once, so that slow clients use up neither threads nor patience.

    Raises:
        ServerError: the port is taken.
    """

    daemon_threads = True
    request_queue_size = 128

    def __init__(self, models: Models, options: Options, metrics_path: str = "") -> None:
        token = _token(options.rest_token_file)
        self.api = RestApi(models, options.rest_timeout, metrics_path, token)
        self.largest_body = options.largest_request
        self.time_limit = options.rest_timeout
        self.cors = {**CORS, **(CORS_WITH_TOKEN if token else {})} if options.cors else {}
        self.permits = threading.BoundedSemaphore(threads(options.rest_threads))
        self.in_progress = 0
        self.changed = threading.Condition()
        self._connections = threading.BoundedSemaphore(MOST_CONNECTIONS)
        self._deadlines: dict[socket.socket, float] = {}
        self._stopped = threading.Event()
        try:
            super().__init__((options.host, options.rest_api_port or 0), RequestHandler)
        except OSError as error:
            port = options.rest_api_port or 0
            raise cannot_listen(options.host, port, "REST", error.strerror or str(error)) from error
        self.port = self.server_address[1]
        self._thread = threading.Thread(target=self.serve_forever, args=(0.1,), name="rest", daemon=True)
        self._reaper = threading.Thread(target=self._close_late_connections, name="rest time limits", daemon=True)

    def server_bind(self) -> None:
        socketserver.TCPServer.server_bind(self)  # HTTPServer's own would look the host name up, which can be slow

    def start(self) -> None:
        self._thread.start()
        self._reaper.start()

    def process_request(self, request: Any, client_address: Any) -> None:
        if self._connections.acquire(blocking=False):
            super().process_request(request, client_address)
        else:
            self.shutdown_request(request)

    def process_request_thread(self, request: Any, client_address: Any) -> None:
        try:
            super().process_request_thread(request, client_address)
        finally:
            self._connections.release()

    def handle_error(self, request: Any, client_address: Any) -> None:
        """A connection that breaks is the client's affair."""

    @contextlib.contextmanager
    def time_limited(self, connection: socket.socket, limit: float | None = None) -> Iterator[None]:
        """Closes the connection if what is done with it takes longer than `limit` seconds, or the time of a request.

        What is done inside within a limit of its own ends the outer limit.
        """
        self._deadlines[connection] = time.monotonic() + (self.time_limit if limit is None else limit)
        try:
            yield
        finally:
            self._deadlines.pop(connection, None)

    def _close_late_connections(self) -> None:
        while not self._stopped.wait(min(0.5, self.time_limit / 2)):
            now = time.monotonic()
            for connection, deadline in list(self._deadlines.items()):
                if deadline < now:
                    with contextlib.suppress(OSError):  # it may just have been closed
                        connection.shutdown(socket.SHUT_RDWR)

    def stop(self, grace: float = 5.0) -> None:
        """Accept no more connections and let requests in progress end, for at most `grace` seconds."""
        self._stopped.set()
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
    timeout = LONGEST_IDLE
    disable_nagle_algorithm = True

    def log_message(self, format: str, *arguments: Any) -> None:
        """Requests are not logged."""

    def handle_one_request(self) -> None:
        """A request line must come before the connection counts as idle, and not letter by letter."""
        with self.server.time_limited(self.connection, LONGEST_IDLE):
            super().handle_one_request()

    def parse_request(self) -> bool:
        """The request line is read by now; the headers and the body must not take long."""
        with self.server.time_limited(self.connection):
            return super().parse_request()

    def do_GET(self) -> None:
        with self.server.changed:
            self.server.in_progress += 1
        try:
            try:
                # Browsers ask whether they may send the token before they send it.
                if self.command != "OPTIONS" and not self.server.api.allows(self.headers):
                    raise StatusError("UNAUTHENTICATED", "a valid bearer token is expected in the header Authorization")
                with self.server.time_limited(self.connection):
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
        with self.server.time_limited(self.connection):
            self._send(answer, content)

    def _send(self, answer: Answer, content: bytes) -> None:
        self.send_response(answer.status)
        self.send_header("Content-Type", answer.content_type)
        self.send_header("Content-Length", str(len(content)))
        if answer.status == HTTPStatus.UNAUTHORIZED:
            self.send_header("WWW-Authenticate", "Bearer")
        for name, value in self.server.cors.items():
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
            self._check_size(int(length))
            body = self.rfile.read(int(length))
        if self.headers.get("Content-Encoding", "").lower() == "gzip":
            return self._unzipped(body)
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
            self._check_size(total)
            if size <= 0:
                break
            parts.append(self.rfile.read(size))
            self.rfile.readline(1024)
        while self.rfile.readline(65536).strip():  # trailers
            pass
        return b"".join(parts)

    def _check_size(self, size: int) -> None:
        if size > self.server.largest_body:
            raise StatusError("RESOURCE_EXHAUSTED", f"the request body has more than {self.server.largest_body} bytes")

    def _unzipped(self, body: bytes) -> bytes:
        try:
            with gzip.GzipFile(fileobj=io.BytesIO(body)) as stream:
                content = stream.read(self.server.largest_body + 1)
        except (OSError, EOFError, zlib.error) as error:
            raise invalid(f"the body is not valid gzip: {error}") from error
        self._check_size(len(content))
        return content


def _token(path: str) -> str:
    if not path:
        return ""
    try:
        with open(path, encoding="ascii") as file:
            token = file.read().strip()
    except (OSError, UnicodeDecodeError) as error:
        raise ServerError(f"cannot read the token file {path}: {error}") from error
    if not token:
        raise ServerError(f"the token file {path} is empty; expected the bearer token that REST requests must show")
    return token
