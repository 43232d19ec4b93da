"""The development server under load: exact and partitioned index, requests one by one and in batches."""

from __future__ import annotations

import contextlib
import re
import socket
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator, Sequence
from typing import Any

import numpy as np

from tfrec.config import Serving
from tfrec.errors import ServerError
from tfrec.export.manifest import read_manifest
from tfrec.serving.client import Client
from tfrec.speed.connections import grpc_calls, grpc_request, rest_calls, rest_request
from tfrec.speed.load import PERCENTILES, Load, closed_loop, open_loop
from tfrec.speed.made_up_servable import NAME, item_id, write_made_up_servable
from tfrec.speed.measured import Measurement, Table

SHARES = (0.25, 0.5, 0.75)  # Of what the server answers at most, where no rates are given.
REQUESTS, TOUCHED = 256, 20  # Different requests, and the items in the history of each.
BATCHING = {"off": [], "on": ["--enable_batching=true"]}


def measure(
    items: Sequence[int] = (100_000, 1_000_000),
    kinds: Sequence[str] = ("exact", "partitioned"),
    batching: Sequence[str] = ("off", "on"),
    rates: Sequence[float] = (),
    seconds: float = 5.0,
    most: int = 100_000,
    connections: int = 16,
    api: str = "grpc",
    say: Callable[[str], None] = print,
) -> Measurement:
    """Each combination under a closed loop, which tells what is answered at most, and then at fixed rates.

    Args:
        rates: requests per second; where there are none, shares of the most that is answered with the first `batching`.
        seconds, most: bounds of each load.
        api: grpc or rest.

    Raises:
        ServerError: a server does not start.
    """
    rows, numbers = [_header()], []
    for count in items:
        for kind in kinds:
            with tempfile.TemporaryDirectory() as folder:
                say(f"making {count:,} items, {kind}")
                write_made_up_servable(folder, count, kind)
                chosen = tuple(rates)
                for batched in batching:
                    for load in _loads(folder, BATCHING[batched], chosen, seconds, most, connections, api):
                        if load.rate is None and not chosen:
                            chosen = tuple(share * load.answered_per_second for share in SHARES)
                        rows.append([f"{count:,}", kind, batched, *_cells(load)])
                        say("  ".join(rows[-1]))
                        numbers.append({"items": count, "index": kind, "batching": batched, **_numbers(load)})
    about = (
        f"The development server in a process of its own, asked for the {Serving().k} best of made-up items in 64 "
        f"dimensions, one row a request, histories of {TOUCHED} items, over {connections} connections by {api}, each "
        f"load for {seconds:g} s. The load comes from the same machine and takes processor time from the server. At a "
        "fixed rate latency counts from the time a request was meant to be sent at; NOT_SENT are those for which there "
        "was no time. Loads follow one another, so other work on the machine touches some more than others: compare "
        "loads of one index with care."
    )
    return Measurement("The development server under load", about, (Table("Loads", rows),), {"loads": numbers})


def _loads(
    folder: str, flags: Sequence[str], rates: Sequence[float], seconds: float, most: int, connections: int, api: str
) -> Iterator[Load]:
    """The closed loop, and then one load for each rate, or for shares of what the closed loop answered."""
    with _server(folder, flags) as (address, url):
        with Client(address, NAME, timeout=60.0) as client:
            signature = client.metadata().signature("serving_default")
        drawn = np.random.default_rng(0)
        size = read_manifest(f"{folder}/1")["items"]
        histories = [[item_id(one) for one in drawn.integers(size, size=TOUCHED)] for _ in range(REQUESTS)]
        made = [[{"history": history}] for history in histories]
        if api == "rest":
            requests = [rest_request(signature, rows) for rows in made]
            opened = rest_calls(url, NAME, connections)
        else:
            requests = [grpc_request(NAME, signature, rows) for rows in made]
            opened = grpc_calls(address, connections)
        with opened as calls:
            closed_loop(calls, requests, min(1.0, seconds), most)  # Warms up.
            most_answered = closed_loop(calls, requests, seconds, most)
            yield most_answered
            for rate in rates or [share * most_answered.answered_per_second for share in SHARES]:
                if rate > 0:
                    yield open_loop(calls, requests, rate, seconds, most)


@contextlib.contextmanager
def _server(folder: str, flags: Sequence[str]) -> Iterator[tuple[str, str]]:
    """A development server of the model in `folder`; its gRPC address and REST URL, both of loopback."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    command = [sys.executable, "-m", "tfrec.serving.server", "--port=0", f"--rest_api_port={port}"]
    command += [f"--model_name={NAME}", f"--model_base_path={folder}", *flags]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True)
    try:
        assert process.stdout is not None
        line = process.stdout.readline()
        found = re.search(r"gRPC at (\S+?)(?: and REST at (\S+?))?;", line)
        if found is None:
            raise ServerError(f"the development server did not start; run `{' '.join(command[1:])}` to see why")
        yield found.group(1), found.group(2) or ""
    finally:
        process.terminate()
        process.wait(timeout=60)


def _header() -> list[str]:
    latencies = [f"p{percentile:g} ms" for percentile in PERCENTILES]
    return ["items", "index", "batching", "asked/s", "answered/s", *latencies, "errors"]


def _cells(load: Load) -> list[str]:
    latencies = [f"{value:.1f}" for value in load.milliseconds().values()] or [""] * len(PERCENTILES)
    errors = ", ".join(f"{name} {count}" for name, count in sorted(load.errors.items())) or "0"
    asked = "most" if load.rate is None else f"{load.rate:.0f}"
    return [asked, f"{load.answered_per_second:.0f}", *latencies, errors]


def _numbers(load: Load) -> dict[str, Any]:
    return {
        "asked": load.rate,
        "answered": load.answered_per_second,
        "requests": len(load.latencies),
        "milliseconds": load.milliseconds(),
        "errors": load.errors,
    }
