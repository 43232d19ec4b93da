"""A server with TensorFlow Serving's API under load, in rounds: exact and partitioned index, batching, gRPC and REST.

In every round each setting has its turn, so that other work on the machine touches all alike, and ratios are taken of
what was measured in one round.
"""

from __future__ import annotations

import contextlib
import dataclasses
import itertools
import re
import socket
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

import numpy as np

from tfrec.errors import ServerError
from tfrec.serving.client import Client
from tfrec.serving.signatures import Signature
from tfrec.speed.connections import grpc_calls, grpc_request, rest_calls, rest_request
from tfrec.speed.load import PERCENTILES, Call, Load, closed_loop, open_loop
from tfrec.speed.made_up_servable import NAME, item_id, write_made_up_servable
from tfrec.speed.measured import Measurement, Table, spread, told

SHARES = (0.25, 0.5, 0.75)  # Of what the server answers at most, where no rates are given.
REQUESTS, TOUCHED = 256, 20  # Different requests, and the items in the history of each.
BATCHING: Mapping[str, Sequence[str]] = {"off": (), "on": ("--enable_batching=true",)}
SETTINGS = ("items", "index", "batching", "api")


@dataclasses.dataclass(frozen=True)
class Loading:
    """How servers are loaded.

    Attributes:
        rates: requests per second; where there are none, shares of the most that the first setting answers.
        seconds, most: bounds of each load, in seconds and requests.
        connections: how many ask at once.
        apis: grpc, rest.
        rounds: how often each setting has its turn.
    """

    rates: tuple[float, ...] = ()
    seconds: float = 5.0
    most: int = 100_000
    connections: int = 16
    apis: tuple[str, ...] = ("grpc",)
    rounds: int = 1


@dataclasses.dataclass(frozen=True)
class Server:
    """A running server of a model, and what tells it from others in the table."""

    grpc_address: str
    rest_url: str
    model: str
    items: str
    index: str
    batching: str


@dataclasses.dataclass(frozen=True)
class Measured:
    """One load: of which setting (see `SETTINGS`), in which round."""

    setting: tuple[str, ...]
    turn: int
    load: Load


def measure(
    items: Sequence[int],
    kinds: Sequence[str],
    batching: Sequence[str],
    loading: Loading,
    say: Callable[[str], None] = print,
) -> Measurement:
    """Development servers of made-up items under a closed loop, which tells what is answered at most, and at rates.

    Raises:
        ServerError: a server does not start.
    """
    loads: list[Measured] = []
    for count, kind in itertools.product(items, kinds):
        with tempfile.TemporaryDirectory() as folder, contextlib.ExitStack() as running:
            say(f"making {count:,} items, {kind}")
            write_made_up_servable(folder, count, kind)
            servers = []
            for batched in batching:
                address, url = running.enter_context(_server(folder, BATCHING[batched]))
                servers.append(Server(address, url, NAME, f"{count:,}", kind, batched))
            touched = [item_id(number) for number in np.random.default_rng(0).integers(count, size=REQUESTS * TOUCHED)]
            loads += _rounds(servers, touched, loading, say)
    about = "Development servers, each in a process of its own, of made-up items in 64 dimensions. " + _about(loading)
    return _measurement("The development server under load", about, loads)


def measure_running(
    grpc_address: str, rest_url: str, model: str, loading: Loading, say: Callable[[str], None] = print
) -> Measurement:
    """A server that runs already, tensorflow_model_server or ours; histories are of items that it recommends.

    Raises:
        ServerError: it does not answer, or recommends nothing.
    """
    with Client(grpc_address, model, timeout=60.0) as client:
        signature = client.metadata().signature("serving_default")
        known = client.recommend(k=signature.width(signature.outputs, "item_ids")).item_ids
    if not known:
        raise ServerError(
            f"{model} at {grpc_address} recommends nothing to anybody, so there are no histories to ask by"
        )
    touched = [known[number] for number in np.random.default_rng(0).integers(len(known), size=REQUESTS * TOUCHED)]
    server = Server(grpc_address, rest_url, model, "as served", "as served", "as served")
    about = f"The model {model} of a server that ran already. {_about(loading)}"
    return _measurement("A model server under load", about, _rounds([server], touched, loading, say))


def _about(loading: Loading) -> str:
    return (
        f"Asked by `serving_default` for as many items as the model returns, one row a request, histories of {TOUCHED} "
        f"items, over {loading.connections} connections, each load for {loading.seconds:g} s, {loading.rounds} rounds "
        "in which each setting has its turn; the tables have medians. The load comes from the same machine and takes "
        "processor time from the server. At a fixed rate latency counts from the time a request was meant to be sent "
        "at; NOT_SENT are those for which there was no time."
    )


def _rounds(
    servers: Sequence[Server], touched: Sequence[str], loading: Loading, say: Callable[[str], None]
) -> list[Measured]:
    """The loads of all settings, round by round; `touched` are the items of the histories, one after the other."""
    histories = [touched[start : start + TOUCHED] for start in range(0, len(touched), TOUCHED)]
    loads: list[Measured] = []
    rates = loading.rates
    for turn in range(loading.rounds):
        for server, api in itertools.product(servers, loading.apis):
            with _prepared(server, api, histories, loading.connections) as (calls, requests):
                closed_loop(calls, requests, min(1.0, loading.seconds), loading.most)  # Warms up.
                of_setting = [closed_loop(calls, requests, loading.seconds, loading.most)]
                rates = rates or tuple(share * of_setting[0].answered_per_second for share in SHARES)
                of_setting += [
                    open_loop(calls, requests, rate, loading.seconds, loading.most) for rate in rates if rate > 0
                ]
            setting = (server.items, server.index, server.batching, api)
            loads += [Measured(setting, turn, load) for load in of_setting]
            say("  ".join([*setting, f"{of_setting[0].answered_per_second:.0f}/s at most"]))
    return loads


@contextlib.contextmanager
def _prepared(
    server: Server, api: str, histories: Sequence[Sequence[str]], connections: int
) -> Iterator[tuple[list[Call], list[bytes]]]:
    """Connections to a server, and requests."""
    with Client(server.grpc_address, server.model, timeout=60.0) as client:
        signature = client.metadata().signature("serving_default")
    with _opened(server, api, connections) as calls:
        yield calls, [_request(server.model, api, signature, history) for history in histories]


def _opened(server: Server, api: str, connections: int) -> contextlib.AbstractContextManager[list[Call]]:
    if api == "rest":
        return rest_calls(server.rest_url, server.model, connections)
    return grpc_calls(server.grpc_address, connections)


def _request(model: str, api: str, signature: Signature, history: Sequence[str]) -> bytes:
    rows = [{"history": list(history)}]
    return rest_request(signature, rows) if api == "rest" else grpc_request(model, signature, rows)


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


def _measurement(title: str, about: str, loads: Sequence[Measured]) -> Measurement:
    tables = [Table("Loads", _loads_table(loads))]
    ratios = _ratios_table(loads)
    if len(ratios) > 1:
        remark = "Of what was answered at most in the same round: median (smallest to largest)."
        tables.append(Table("In turn", ratios, remark))
    return Measurement(title, about, tuple(tables), {"loads": [_numbers(each) for each in loads]})


def _loads_table(loads: Sequence[Measured]) -> list[list[str]]:
    """A row for each setting and rate, medians of the rounds."""
    latencies = [f"p{percentile:g} ms" for percentile in PERCENTILES]
    rows = [[*SETTINGS, "asked/s", "answered/s", *latencies, "errors"]]
    groups: dict[tuple[Any, ...], list[Load]] = {}
    for each in loads:
        # The first load of a setting's turn is the closed one.
        groups.setdefault((*each.setting, each.load.rate), []).append(each.load)
    for (*setting, rate), group in groups.items():
        answered = np.median([load.answered_per_second for load in group])
        taken = [list(load.milliseconds().values()) for load in group if load.milliseconds()]
        cells = [f"{value:.1f}" for value in np.median(taken, axis=0)] if taken else [""] * len(PERCENTILES)
        names = sorted({name for load in group for name in load.errors})
        errors = ", ".join(f"{name} {sum(load.errors.get(name, 0) for load in group)}" for name in names) or "0"
        rows.append([*setting, "most" if rate is None else f"{rate:.0f}", f"{answered:.0f}", *cells, errors])
    return rows


def _ratios_table(loads: Sequence[Measured]) -> list[list[str]]:
    """What batching and REST change, of pairs of settings that differ in nothing else."""
    rows = [[*SETTINGS[:2], "compared", "answered at most"]]
    most = {(each.setting, each.turn): each.load.answered_per_second for each in loads if each.load.rate is None}
    for setting in dict.fromkeys(each.setting for each in loads):
        for place, one, other in ((2, "on", "off"), (3, "rest", "grpc")):
            beside = (*setting[:place], other, *setting[place + 1 :])
            turns = [turn for known, turn in most if known == beside and most.get((setting, turn))]
            if setting[place] != one or not turns:
                continue
            ratios = [most[setting, turn] / most[beside, turn] for turn in turns if most[beside, turn]]
            kept = setting[3] if place == 2 else f"batching {setting[2]}"
            compared = f"{SETTINGS[place]} {one} over {other}, {kept}"
            rows.append([*setting[:2], compared, told(spread(ratios), "{:.2f}")])
    return rows


def _numbers(each: Measured) -> dict[str, Any]:
    return {
        **dict(zip(SETTINGS, each.setting)),
        "round": each.turn,
        "asked": each.load.rate,
        "answered": each.load.answered_per_second,
        "requests": len(each.load.latencies),
        "milliseconds": each.load.milliseconds(),
        "errors": each.load.errors,
    }
