"""The demo's serving process, which never outlives the demo."""

from __future__ import annotations

import contextlib
import os
import re
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from typing import NamedTuple

from tfrec.data.files import writing
from tfrec.errors import ServerError

PATIENCE = 120.0  # seconds to load the model
GRACE = 10.0  # seconds to stop
_READY = re.compile(r"gRPC at (\S+?) and REST at (\S+?);")


class Addresses(NamedTuple):
    """Where the server answers: host:port of gRPC, URL of REST."""

    grpc: str
    rest: str


@contextlib.contextmanager
def serving(base_path: str, model_name: str, log: str) -> Iterator[Addresses]:
    """Start `python -m tfrec.serving.server` on free ports, and stop it when the block ends, however it ends.

    Raises:
        ServerError: if it does not come up.
    """
    with writing(log):
        os.makedirs(os.path.dirname(log), exist_ok=True)
        output = open(log, "w", encoding="utf-8")  # noqa: SIM115  closed with the process
    command = [
        sys.executable,
        "-m",
        "tfrec.serving.server",
        f"--model_name={model_name}",
        f"--model_base_path={base_path}",
        "--port=0",
        f"--rest_api_port={_free_port()}",
        "--file_system_poll_wait_seconds=0.5",
    ]
    with output, _signals_as_exceptions():
        process = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=output, stderr=subprocess.STDOUT)
        try:
            yield _addresses(process, log)
        finally:
            process.terminate()
            try:
                process.wait(GRACE)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()


def _addresses(process: subprocess.Popen, log: str) -> Addresses:
    """The addresses in the line that the server prints once it is ready."""
    deadline = time.monotonic() + PATIENCE
    while time.monotonic() < deadline:
        with open(log, encoding="utf-8") as file:
            said = file.read()
        ready = _READY.search(said)
        if ready:
            return Addresses(ready[1], ready[2])
        if process.poll() is not None:
            last = said.strip().splitlines()[-1] if said.strip() else f"exit status {process.returncode}"
            raise ServerError(f"the serving process ended before it was ready: {last}; see {log}")
        time.sleep(0.1)
    raise ServerError(f"the serving process was not ready after {PATIENCE:.0f} s; see {log}")


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


@contextlib.contextmanager
def _signals_as_exceptions() -> Iterator[None]:
    """Let SIGTERM and SIGHUP end the block as an exception does, so that the server is stopped."""

    def end(number: int, frame: object) -> None:
        raise SystemExit(128 + number)

    before = {number: signal.signal(number, end) for number in (signal.SIGTERM, signal.SIGHUP)}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
