"""The server's settings, and their spelling as flags of tensorflow_model_server."""

from __future__ import annotations

import argparse
import dataclasses
import os
from collections.abc import Sequence


@dataclasses.dataclass(frozen=True)
class Policy:
    """Which of the versions found to serve: the `number` latest, all, or those listed in `versions`."""

    kind: str = "latest"
    number: int = 1
    versions: tuple[int, ...] = ()


@dataclasses.dataclass(frozen=True)
class Options:
    """How to serve one model; times in seconds.

    Attributes:
        base_path: the folder whose numbered subfolders are the versions.
        rest_api_port: None for no REST API.
        host: the address to listen on.
        policy: which versions to serve.
        poll_wait: how often to look for new versions; 0 or less looks once.
        load_retries, load_retry_interval: how often, and after which pause, a version that failed is loaded again.
        wait_for_model: whether to wait, at the start, for a version to appear and to load, retrying as above;
            otherwise a model that cannot be loaded at once is an error.
        warmup, warmup_iterations: whether, and how often, to replay the warm-up requests of a version.
        enforce_timeout: whether a client's deadline ends the computation.
        rest_timeout: the deadline of REST requests.
        grpc_threads, rest_threads: how many requests run at once; 0 means four for each processor.
        grpc_socket_path: a UNIX socket that serves the gRPC API too.
        grpc_channel_arguments: "key=value,key=value" for the gRPC library.
        health_service: whether to serve grpc.health.v1.
        cors: whether browsers of any origin may call the REST API.
    """

    base_path: str
    model_name: str = "default"
    grpc_port: int = 8500
    rest_api_port: int | None = 8501
    host: str = "127.0.0.1"
    policy: Policy = Policy()
    poll_wait: float = 1.0
    load_retries: int = 5
    load_retry_interval: float = 60.0
    wait_for_model: bool = False
    warmup: bool = True
    warmup_iterations: int = 1
    enforce_timeout: bool = True
    rest_timeout: float = 30.0
    grpc_threads: int = 0
    rest_threads: int = 0
    grpc_socket_path: str = ""
    grpc_channel_arguments: str = ""
    health_service: bool = False
    cors: bool = False


def threads(wanted: int) -> int:
    """`wanted`, or four for each processor where it is 0."""
    return wanted or 4 * (os.cpu_count() or 1)


def options_from_flags(arguments: Sequence[str]) -> Options:
    """`Options` from a command line with tensorflow_model_server's flags; exits with status 2 on a bad one.

    As there, --rest_api_port=0 means no REST API.
    """
    parser = argparse.ArgumentParser(
        prog="python -m tfrec.serving.server",
        description="Serve a model with TensorFlow Serving's gRPC and REST API.",
        epilog="example: python -m tfrec.serving.server --model_name=films --model_base_path=models/films "
        "--port=8500 --rest_api_port=8501",
        allow_abbrev=False,
    )
    for flag, kind, default, text in FLAGS:
        if kind is bool:
            parser.add_argument(f"--{flag}", type=_boolean, nargs="?", const=True, default=default, help=text)
        else:
            parser.add_argument(f"--{flag}", type=kind, default=default, help=text)
    given = parser.parse_args(arguments)
    if not given.model_base_path:
        parser.error("Both server_options.model_base_path and server_options.model_config_file are empty!")
    return Options(
        base_path=given.model_base_path,
        model_name=given.model_name,
        grpc_port=given.port,
        rest_api_port=given.rest_api_port or None,
        host=given.host,
        poll_wait=given.file_system_poll_wait_seconds,
        load_retries=given.max_num_load_retries,
        load_retry_interval=given.load_retry_interval_micros / 1e6,
        wait_for_model=True,
        warmup=given.enable_model_warmup,
        warmup_iterations=given.num_request_iterations_for_warmup,
        enforce_timeout=given.enforce_session_run_timeout,
        rest_timeout=given.rest_api_timeout_in_ms / 1e3,
        grpc_threads=given.grpc_max_threads,
        rest_threads=given.rest_api_num_threads,
        grpc_socket_path=given.grpc_socket_path,
        grpc_channel_arguments=given.grpc_channel_arguments,
        health_service=given.enable_grpc_healthcheck_service,
        cors=given.rest_api_enable_cors_support,
    )


def _boolean(text: str) -> bool:
    values = {"true": True, "1": True, "false": False, "0": False}
    if text.lower() not in values:
        raise argparse.ArgumentTypeError(f"expected true or false, got {text!r}")
    return values[text.lower()]


FLAGS = (
    ("port", int, 8500, "port of the gRPC API"),
    ("rest_api_port", int, 0, "port of the REST API; 0 for none"),
    ("host", str, "127.0.0.1", "address to listen on; 0.0.0.0 lets other machines connect"),
    ("model_name", str, "default", "name to serve the model under"),
    ("model_base_path", str, "", "folder whose numbered subfolders are the versions"),
    ("file_system_poll_wait_seconds", float, 1.0, "seconds between looks for new versions; 0: look once"),
    ("max_num_load_retries", int, 5, "how often a version that failed to load is tried again"),
    ("load_retry_interval_micros", int, 60_000_000, "microseconds between such tries"),
    ("enable_model_warmup", bool, True, "replay assets.extra/tf_serving_warmup_requests before serving"),
    ("num_request_iterations_for_warmup", int, 1, "how often each warm-up request is replayed"),
    ("enforce_session_run_timeout", bool, True, "end a computation at the client's deadline"),
    ("rest_api_timeout_in_ms", int, 30_000, "deadline of REST requests in milliseconds"),
    ("grpc_max_threads", int, 0, "gRPC requests at once; 0 means four for each processor"),
    ("rest_api_num_threads", int, 0, "REST requests at once; 0 means four for each processor"),
    ("grpc_socket_path", str, "", "UNIX socket for the gRPC API, beside the port"),
    ("grpc_channel_arguments", str, "", "key=value,key=value for the gRPC library"),
    ("enable_grpc_healthcheck_service", bool, False, "serve grpc.health.v1.Health"),
    ("rest_api_enable_cors_support", bool, False, "let browsers of any origin call the REST API"),
)
