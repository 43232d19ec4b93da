"""`tfrec benchmark serving`: latency of a model server at fixed rates, and what it answers at most."""

from __future__ import annotations

import argparse
from typing import TYPE_CHECKING, Any

from tfrec.cli.arguments import add_command, positive
from tfrec.cli.measurements import measured
from tfrec.cli.output import Output
from tfrec.errors import ConfigError

if TYPE_CHECKING:
    from tfrec.speed.measured import Measurement


def add_to(kinds: Any) -> None:
    """Add the command to the benchmarks."""
    parser = add_command(
        kinds,
        "serving",
        _run,
        "measure a model server's latency at fixed rates, and what it answers at most",
        "tfrec benchmark serving --items 100000 --seconds 5\n"
        "tfrec benchmark serving --index partitioned --rates 20,50,100 --api grpc,rest --rounds 3\n"
        "tfrec benchmark serving --server localhost:8500 --name films",
        "Models of made-up items are exported and served on loopback, or a server that runs already is asked. A load\n"
        "at a fixed rate does not wait for a slow server: latency counts from when a request was meant to be sent.",
    )
    parser.add_argument("--items", default="100000,1000000", metavar="N,N", help="(default: 100000,1000000)")
    parser.add_argument("--index", default="exact,partitioned", metavar="NAMES", help="(default: exact,partitioned)")
    parser.add_argument("--batching", default="off,on", metavar="NAMES", help="(default: off,on)")
    parser.add_argument("--api", default="grpc", metavar="NAMES", help="grpc, rest or both (default: grpc)")
    parser.add_argument(
        "--rates", default="", metavar="N,N", help="requests a second (default: .25, .5 and .75 of the most)"
    )
    parser.add_argument("--rounds", type=positive, default=1, metavar="N", help="turns of each setting (default: 1)")
    parser.add_argument("--seconds", type=positive, default=5, metavar="N", help="of each load (default: 5)")
    parser.add_argument("--most", type=positive, default=100_000, metavar="N", help="requests of a load")
    parser.add_argument("--connections", type=positive, default=16, metavar="N", help="(default: 16)")
    parser.add_argument(
        "--server", default="", metavar="HOST:PORT", help="ask this server instead, tensorflow_model_server or ours"
    )
    parser.add_argument("--rest-url", default="", metavar="URL", help="its REST API, with --api rest")
    parser.add_argument("--name", default="default", help="the model to ask it for (default: default)")
    parser.add_argument("--out", default="", metavar="PATH", help="write PATH.json and PATH.md")


def _run(given: argparse.Namespace, output: Output) -> int:
    items = _numbers("--items", given.items)
    kinds = _names("--index", given.index, ("exact", "partitioned"))
    batching = _names("--batching", given.batching, ("off", "on"))
    apis = _names("--api", given.api, ("grpc", "rest"))
    rates = _numbers("--rates", given.rates) if given.rates else ()
    if given.server and "rest" in apis and not given.rest_url:
        raise ConfigError("--api rest needs the --rest-url of the server, such as http://localhost:8501")
    from tfrec.speed.serving import Loading, measure, measure_running

    loading = Loading(rates, given.seconds, given.most, given.connections, apis, given.rounds)
    command = f"tfrec benchmark serving --api {given.api} --rounds {given.rounds} --seconds {given.seconds} "
    command += f"--connections {given.connections}{given.rates and ' --rates ' + given.rates}"
    if given.server:
        command += f" --server {given.server} --name {given.name}{given.rest_url and ' --rest-url ' + given.rest_url}"
    else:
        command += f" --items {given.items} --index {given.index} --batching {given.batching}"

    def measure_loads() -> Measurement:
        if given.server:
            return measure_running(given.server, given.rest_url, given.name, loading, output.say)
        return measure(items, kinds, batching, loading, output.say)

    output.result(measured(measure_loads, command, given.out, output))
    return 0


def _numbers(option: str, text: str) -> tuple[int, ...]:
    parts = [part.strip() for part in text.split(",")]
    if not all(part.isascii() and part.isdigit() and int(part) > 0 for part in parts):
        raise ConfigError(f"{option} is {text!r}; expected whole numbers above 0 separated by commas")
    return tuple(map(int, parts))


def _names(option: str, text: str, known: tuple[str, ...]) -> tuple[str, ...]:
    parts = tuple(part.strip() for part in text.split(","))
    if not set(parts) <= set(known):
        raise ConfigError(f"{option} is {text!r}; expected {' and '.join(known)}, separated by commas")
    return parts
