"""Clients of the soak: what they ask by gRPC and REST, and what they count."""

from __future__ import annotations

import collections
import http.client
import json
import threading
import time
import urllib.parse
from collections.abc import Callable

import numpy as np

from tfrec.serving import CallError, Client

WRONG = 50  # One request of so many must be refused.
TIMEOUT = 10.0  # seconds

# Asks with x float32 [B, 1], or with what is no number; the outputs, or a CallError.
Ask = Callable[[np.ndarray], tuple[dict[str, np.ndarray], int]]


class Load:
    """Clients that ask at a rate together, one of four by REST; what they count is right once they are stopped.

    The model must answer x with `x / 2 + version` and `version`, see `serving_soak.write_version`.

    Args:
        grpc_address: host:port.
        rest_url: http://host:port.
        clients: how many threads ask, each over a connection of its own.
        rate: requests per second of all of them.
    """

    def __init__(self, grpc_address: str, rest_url: str, clients: int, rate: float) -> None:
        self.answered: collections.Counter[str] = collections.Counter()  # by API
        self.failed = self.mixed = self.refused = self.newest = 0
        self.errors: set[str] = set()
        self.latencies: list[float] = []  # seconds
        self._lock = threading.Lock()
        self._stop = threading.Event()
        self._pause = clients / rate
        self._threads = [
            threading.Thread(target=self._rest if seed % 4 == 3 else self._grpc, args=(address, seed))
            for seed in range(clients)
            for address in [rest_url if seed % 4 == 3 else grpc_address]
        ]
        for thread in self._threads:
            thread.start()

    def stop(self) -> None:
        """Wait for the last answers."""
        self._stop.set()
        for thread in self._threads:
            thread.join()

    def _grpc(self, address: str, seed: int) -> None:
        with Client(address, attempts=1, timeout=TIMEOUT) as client:
            self._ask("gRPC", seed, lambda x: client.predict("serving_default", {"x": x}))

    def _rest(self, url: str, seed: int) -> None:
        connection = http.client.HTTPConnection(urllib.parse.urlsplit(url).netloc, timeout=TIMEOUT)
        try:
            self._ask("REST", seed, lambda x: _ask_rest(connection, x))
        finally:
            connection.close()

    def _ask(self, api: str, seed: int, ask: Ask) -> None:
        random = np.random.default_rng(seed)
        number = 0
        while not self._stop.wait(random.exponential(self._pause)):
            number += 1
            if number % WRONG == 0:
                self._ask_wrong(ask)
                continue
            x = random.integers(0, 1000, (random.integers(1, 5), 1)).astype(np.float32)
            began = time.monotonic()
            try:
                outputs, version = ask(x)
            except Exception as error:  # Counted and told; the load goes on.
                self._fail(error)
                continue
            took = time.monotonic() - began
            told = int(outputs["version"].flat[0])
            # By REST the version that answered is not told: all rows must be of one.
            right = version in (told, 0) and (outputs["version"] == told).all() and (outputs["y"] == x / 2 + told).all()
            with self._lock:
                self.answered[api] += 1
                self.mixed += not right
                self.newest = max(self.newest, told)
                self.latencies.append(took)

    def _ask_wrong(self, ask: Ask) -> None:
        """Words where numbers are expected."""
        try:
            ask(np.array([[b"no number"]], dtype=object))
        except CallError as error:
            if error.code == "INVALID_ARGUMENT":
                with self._lock:
                    self.refused += 1
                return
            self._fail(error)
        except Exception as error:  # As above.
            self._fail(error)
        else:
            self._fail(ValueError("a request with words for numbers was answered"))

    def _fail(self, error: Exception) -> None:
        with self._lock:
            self.failed += 1
            self.errors.add(f"{type(error).__name__}: {error}")


def _ask_rest(connection: http.client.HTTPConnection, x: np.ndarray) -> tuple[dict[str, np.ndarray], int]:
    rows = [[value.decode() if isinstance(value, bytes) else value for value in row] for row in x.tolist()]
    try:
        connection.request("POST", "/v1/models/default:predict", json.dumps({"inputs": {"x": rows}}))
        response = connection.getresponse()
        body = json.loads(response.read())
    except (OSError, http.client.HTTPException):
        connection.close()  # The next request opens it again.
        raise
    if response.status == 400:
        raise CallError("INVALID_ARGUMENT", body["error"], f"{connection.host}:{connection.port}", TIMEOUT)
    if response.status != 200:
        raise ConnectionError(f"REST answered {response.status}: {body}")
    return {name: np.array(values, np.float32) for name, values in body["outputs"].items()}, 0
