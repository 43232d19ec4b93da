"""gRPC channels to model servers: options, deadlines, retries, taking turns, and errors as sentences."""

from __future__ import annotations

import dataclasses
import functools
import itertools
import os
import random
import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

import grpc

from tfrec.errors import ServerError

LARGEST_MESSAGE = 256 << 20  # bytes; gRPC's default of 4 MiB is too little for large batches
# After so many seconds without a word during a call a server is asked whether it is there; idle connections are left
# alone, since servers close those that ask more than every two hours.
KEEP_ALIVE = 60.0
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


@dataclasses.dataclass(frozen=True)
class Settings:
    """How servers are called.

    Attributes:
        addresses: host:port or unix:/path of each.
        timeout: seconds a call may take in all, its retries included.
        attempts: how often a call is tried at each address while none is available.
        tls: how to encrypt; None for plain text.
        largest_message: the largest request and response, bytes.
    """

    addresses: tuple[str, ...]
    timeout: float
    attempts: int
    tls: TLS | None = None
    largest_message: int = LARGEST_MESSAGE

    @classmethod
    def of(
        cls, address: str | Sequence[str], timeout: float, attempts: int, tls: TLS | bool | None, largest_message: int
    ) -> Settings:
        """Settings from a client's arguments: addresses as a list, or with commas between them.

        Raises:
            ServerError: there is no address.
        """
        # A list of ipv4: addresses is one address to gRPC.
        parts = address.split(",") if isinstance(address, str) and not address.startswith("ipv") else address
        listed = (parts,) if isinstance(parts, str) else tuple(parts)
        addresses = tuple(part.strip() for part in listed if part.strip())
        if not addresses:
            raise ServerError(f"expected the address of a model server as host:port, got {address!r}")
        return cls(addresses, timeout, attempts, TLS() if tls is True else tls or None, largest_message)

    def options(self) -> list[tuple[str, Any]]:
        """The options of a channel."""
        return [
            ("grpc.max_receive_message_length", self.largest_message),
            ("grpc.max_send_message_length", self.largest_message),
            ("grpc.keepalive_time_ms", int(KEEP_ALIVE * 1000)),
            ("grpc.keepalive_timeout_ms", 20_000),
            ("grpc.initial_reconnect_backoff_ms", int(FIRST_BACKOFF * 1000)),
            ("grpc.min_reconnect_backoff_ms", int(FIRST_BACKOFF * 1000)),
            ("grpc.max_reconnect_backoff_ms", 5_000),
            # A name in DNS may have several addresses.
            ("grpc.lb_policy_name", "round_robin"),
        ]


def tries(first: int, ready: Sequence[bool], attempts: int) -> Iterator[tuple[int, float]]:
    """The numbers of the addresses to try one after the other, and how many seconds to wait before.

    All are tried without waiting, from the `first` on, those that are ready before the others; then again after an
    exponentially growing pause with jitter.
    """
    order = sorted(range(len(ready)), key=lambda number: (not ready[number], (number - first) % len(ready)))
    for attempt in range(attempts):
        pause = FIRST_BACKOFF * 2 ** (attempt - 1) * random.uniform(0.8, 1.2) if attempt else 0.0
        for place, number in enumerate(order):
            yield number, 0.0 if place else pause


class Trial:
    """One call and its tries: iterating gives the number of the address to try and the seconds to wait before.

    It ends when the time of the call, or all tries, are used up.

    Args:
        first, ready: see `tries`.
    """

    def __init__(self, settings: Settings, first: int, ready: Sequence[bool]) -> None:
        self._settings = settings
        self._tries = tries(first, ready, settings.attempts)
        self._deadline = time.monotonic() + settings.timeout
        self._last: CallError | None = None

    def __iter__(self) -> Iterator[tuple[int, float]]:
        for number, pause in self._tries:
            if self._last is not None and time.monotonic() + pause >= self._deadline:
                return
            yield number, pause

    def remaining(self) -> float:
        """Seconds until the deadline of the call."""
        return max(self._deadline - time.monotonic(), 0.001)

    def failed(self, error: grpc.RpcError, number: int) -> None:
        """Note that the try at address `number` failed.

        Raises:
            CallError: with anything else than UNAVAILABLE, which is not tried again.
        """
        address, timeout = self._settings.addresses[number], self._settings.timeout
        self._last = CallError(error.code().name, error.details() or "", address, timeout)
        if self._last.code != "UNAVAILABLE":
            raise self._last from error

    def error(self) -> CallError:
        """The error of the last try."""
        assert self._last is not None, "there is at least one address and one attempt"
        return self._last


class Channel:
    """Calls methods of the servers, in turn."""

    def __init__(self, settings: Settings) -> None:
        self.settings = settings
        self._turn = itertools.count(random.randrange(len(settings.addresses)))
        self._channels = [self._connected(address) for address in settings.addresses]
        self._ready = [True] * len(self._channels)
        if len(self._channels) > 1:
            for number, channel in enumerate(self._channels):
                channel.subscribe(functools.partial(self._changed, number), try_to_connect=True)
        self._methods: dict[tuple[int, str], Callable[..., Any]] = {}

    def close(self) -> None:
        for channel in self._channels:
            channel.close()

    def call(self, method: str, request: Any, response_type: Any) -> Any:
        """The response to `request`; UNAVAILABLE is tried at the next address, and again until the deadline.

        Raises:
            CallError: the server answered with an error, or none answered at all.
        """
        trial = Trial(self.settings, next(self._turn), self._ready)
        for number, pause in trial:
            time.sleep(pause)
            try:
                return self._method(number, method, response_type)(request, timeout=trial.remaining())
            except grpc.RpcError as error:
                trial.failed(error, number)
        raise trial.error()

    def _connected(self, address: str) -> grpc.Channel:
        options, tls = self.settings.options(), self.settings.tls
        if tls is None:
            return grpc.insecure_channel(address, options)
        return grpc.secure_channel(address, tls.credentials(), options)

    def _changed(self, number: int, state: grpc.ChannelConnectivity) -> None:
        self._ready[number] = state is grpc.ChannelConnectivity.READY

    def _method(self, number: int, method: str, response_type: Any) -> Callable[..., Any]:
        if (number, method) not in self._methods:
            self._methods[number, method] = self._channels[number].unary_unary(
                method,
                request_serializer=lambda request: request.SerializeToString(),
                response_deserializer=response_type.FromString,
            )
        return self._methods[number, method]


class CallError(ServerError):
    """A failed call; `code` is the name of the gRPC status code and `details` the server's own text."""

    def __init__(self, code: str, details: str, address: str, timeout: float) -> None:
        self.code = code
        self.details = details
        super().__init__(_sentence(code, details, address, timeout))


def _sentence(code: str, details: str, address: str, timeout: float) -> str:
    if code == "UNAVAILABLE" and "queue" in details and "full" in details:  # as the batcher of a server that is there
        return f"the model server at {address} has more requests than it can answer, ask less often: {details}"
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
