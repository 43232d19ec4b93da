"""One gRPC channel to a model server: options, deadlines, retries, and errors as sentences."""

from __future__ import annotations

import dataclasses
import os
import random
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import grpc

from tfrec.errors import ServerError

LARGEST_RESPONSE = 256 << 20  # bytes; gRPC's default of 4 MiB is too little for large batches
KEEP_ALIVE = 60.0  # seconds
FIRST_BACKOFF = 0.1  # seconds


@dataclasses.dataclass(frozen=True)
class TLS:
    """Paths of PEM files: `root` of the authority ("" for the system's), `certificate` and `key` of this client."""

    root: str | os.PathLike[str] = ""
    certificate: str | os.PathLike[str] = ""
    key: str | os.PathLike[str] = ""

    def credentials(self) -> grpc.ChannelCredentials:
        """Credentials made of the files.

        Raises:
            ServerError: a file cannot be read, or only one of certificate and key is given.
        """
        if bool(self.certificate) != bool(self.key):
            raise ServerError("a client certificate needs both its certificate and its key")
        return grpc.ssl_channel_credentials(
            root_certificates=_contents(self.root),
            private_key=_contents(self.key),
            certificate_chain=_contents(self.certificate),
        )


def _contents(path: str | os.PathLike[str]) -> bytes | None:
    if not path:
        return None
    try:
        return Path(path).read_bytes()
    except OSError as error:
        raise ServerError(f"cannot read the TLS file {path}: {error.strerror or error}") from error


class Channel:
    """Calls methods of the server at `address`.

    Args:
        address: host:port, or unix:/path.
        timeout: seconds a call may take in all, its retries included.
        attempts: how often a call is tried while the server is unavailable.
        tls: how to encrypt; None for plain text.
    """

    def __init__(self, address: str, timeout: float, attempts: int, tls: TLS | None) -> None:
        self.address = address
        self.timeout = timeout
        self.attempts = attempts
        options = [
            ("grpc.max_receive_message_length", LARGEST_RESPONSE),
            ("grpc.max_send_message_length", -1),
            ("grpc.keepalive_time_ms", int(KEEP_ALIVE * 1000)),
            ("grpc.keepalive_timeout_ms", 20_000),
            ("grpc.initial_reconnect_backoff_ms", int(FIRST_BACKOFF * 1000)),
            ("grpc.min_reconnect_backoff_ms", int(FIRST_BACKOFF * 1000)),
            ("grpc.max_reconnect_backoff_ms", 5_000),
        ]
        if tls is None:
            self._channel = grpc.insecure_channel(address, options)
        else:
            self._channel = grpc.secure_channel(address, tls.credentials(), options)
        self._methods: dict[str, Callable[..., Any]] = {}

    def close(self) -> None:
        self._channel.close()

    def call(self, method: str, request: Any, response_type: Any, timeout: float | None = None) -> Any:
        """The response to `request`; UNAVAILABLE is tried again with exponential backoff until the deadline.

        Raises:
            CallError: the server answered with an error, or not at all.
        """
        deadline = time.monotonic() + (self.timeout if timeout is None else timeout)
        backoff = FIRST_BACKOFF
        for attempt in range(1, self.attempts + 1):
            remaining = deadline - time.monotonic()
            try:
                return self._method(method, response_type)(request, timeout=max(remaining, 0.001))
            except grpc.RpcError as error:
                pause = backoff * random.uniform(0.8, 1.2)
                last = attempt == self.attempts or time.monotonic() + pause > deadline
                if error.code() is not grpc.StatusCode.UNAVAILABLE or last:
                    raise CallError(error.code().name, error.details() or "", self.address, self.timeout) from error
            time.sleep(pause)
            backoff *= 2
        raise AssertionError("unreachable: the last attempt returns or raises")

    def _method(self, method: str, response_type: Any) -> Callable[..., Any]:
        if method not in self._methods:
            self._methods[method] = self._channel.unary_unary(
                method,
                request_serializer=lambda request: request.SerializeToString(),
                response_deserializer=response_type.FromString,
            )
        return self._methods[method]


class CallError(ServerError):
    """A failed call; `code` is the name of the gRPC status code and `details` the server's own text."""

    def __init__(self, code: str, details: str, address: str, timeout: float) -> None:
        self.code = code
        self.details = details
        super().__init__(_sentence(code, details, address, timeout))


def _sentence(code: str, details: str, address: str, timeout: float) -> str:
    if code == "UNAVAILABLE":
        return f"no model server answers at {address}; start one with `tfrec serve` or check the address ({details})"
    if code == "DEADLINE_EXCEEDED":
        return f"the model server at {address} did not answer in time (timeout {timeout:g} s); try a longer timeout"
    if code == "NOT_FOUND":
        return f"the model server at {address} does not have that model or version: {details}"
    if code == "UNIMPLEMENTED":
        return f"the server at {address} does not offer this call ({details}); is it a TensorFlow model server?"
    if code == "RESOURCE_EXHAUSTED":
        return f"a message to or from the model server at {address} is too large or the server is overloaded: {details}"
    return f"the model server at {address} answered {code}: {details}"
