"""`tfrec benchmark serving`: latency of the development server at fixed rates, and what it answers at most."""

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
        "measure the development server's latency at fixed rates, and what it answers at most",
        "tfrec benchmark serving --items 100000 --seconds 5\n"
        "tfrec benchmark serving --index partitioned --rates 20,50,100 --api rest\n"
        "tfrec benchmark serving --out benchmarks/results/serving",
        "Models of made-up items are exported and served on loopback. A load at a fixed rate does not wait for a slow\n"
        "server: latency counts from the time each request was meant to be sent at.",
    )
    parser.add_argument("--items", default="100000,1000000", metavar="N,N", help="(default: 100000,1000000)")
    parser.add_argument("--index", default="exact,partitioned", metavar="NAMES", help="(default: exact,partitioned)")
    parser.add_argument("--batching", default="off,on", metavar="NAMES", help="(default: off,on)")
    parser.add_argument(
        "--rates", default="", metavar="N,N", help="requests a second (default: .25, .5 and .75 of the most)"
    )
    parser.add_argument("--seconds", type=positive, default=5, metavar="N", help="of each load (default: 5)")
    parser.add_argument("--most", type=positive, default=100_000, metavar="N", help="requests of a load")
    parser.add_argument("--connections", type=positive, default=16, metavar="N", help="(default: 16)")
    parser.add_argument("--api", choices=("grpc", "rest"), default="grpc", help="(default: grpc)")
    parser.add_argument("--out", default="", metavar="PATH", help="write PATH.json and PATH.md")


def _run(given: argparse.Namespace, output: Output) -> int:
    items = _numbers("--items", given.items)
    kinds = _names("--index", given.index, ("exact", "partitioned"))
    batching = _names("--batching", given.batching, ("off", "on"))
    rates = _numbers("--rates", given.rates) if given.rates else ()
    from tfrec.speed.serving import measure

    command = (
        f"tfrec benchmark serving --items {given.items} --index {given.index} --batching {given.batching} "
        f"--seconds {given.seconds} --connections {given.connections} --api {given.api}"
        f"{given.rates and ' --rates ' + given.rates}"
    )

    def measure_loads() -> Measurement:
        return measure(
            items,
            kinds,
            batching,
            rates,
            seconds=given.seconds,
            most=given.most,
            connections=given.connections,
            api=given.api,
            say=output.say,
        )

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
