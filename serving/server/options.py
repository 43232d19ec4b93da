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
    """How to serve; times in seconds.

    Attributes:
        base_path: the folder whose numbered subfolders are the versions of the model `model_name`.
        model_config_file: a text-format ModelServerConfig with several models, instead of `base_path`.
        model_config_poll_wait: how often to read that file again; 0 or less never does.
        labels_for_unavailable: whether a new version label may name a version that is not available yet.
        rest_api_port: None for no REST API.
        host: the address to listen on.
        policy: which versions to serve.
        poll_wait: how often to look for new versions; 0 or less looks once.
        load_retries, load_retry_interval: how often, and after which pause, a version that failed is loaded again.
        wait_for_model: whether to wait, at the start, for a version to appear and to load, retrying as above;
            otherwise a model that cannot be loaded at once is an error.
        warmup, warmup_iterations: whether, and how often, to replay the warm-up requests of a version.
        enforce_timeout: whether a client's deadline ends the computation.
        check_method_names: whether Predict, Classify and Regress refuse signatures made for another of them.
        tags: of the meta graph to load.
        session_parallelism, intra_op_parallelism, inter_op_parallelism: threads of TensorFlow; 0 leaves it to
            TensorFlow, and the first stands for both others.
        batching, batching_parameters_file: whether to run queued requests together, and a text-format
            BatchingParameters.
        monitoring_config_file: a text-format MonitoringConfig that switches Prometheus metrics on.
        ssl_config_file: a text-format SSLConfig for TLS on the gRPC port.
        rest_timeout: the deadline of REST requests, and of reading one.
        rest_token_file: a file with the bearer token that REST requests must show.
        largest_request: bytes of one request, also after decompression.
        grpc_threads, rest_threads: how many requests run at once; 0 means four for each processor.
        grpc_socket_path: a UNIX socket that serves the gRPC API too.
        grpc_channel_arguments: "key=value,key=value" for the gRPC library.
        health_service: whether to serve grpc.health.v1.
        cors: whether browsers of any origin may call the REST API.
    """

    base_path: str = ""
    model_name: str = "default"
    grpc_port: int = 8500
    rest_api_port: int | None = 8501
    host: str = "127.0.0.1"
    policy: Policy = Policy()
    model_config_file: str = ""
    model_config_poll_wait: float = 0.0
    labels_for_unavailable: bool = False
    poll_wait: float = 1.0
    load_retries: int = 5
    load_retry_interval: float = 60.0
    wait_for_model: bool = False
    warmup: bool = True
    warmup_iterations: int = 1
    enforce_timeout: bool = True
    check_method_names: bool = False
    tags: tuple[str, ...] = ("serve",)
    session_parallelism: int = 0
    intra_op_parallelism: int = 0
    inter_op_parallelism: int = 0
    batching: bool = False
    batching_parameters_file: str = ""
    monitoring_config_file: str = ""
    ssl_config_file: str = ""
    rest_timeout: float = 30.0
    rest_token_file: str = ""
    largest_request: int = 512 << 20
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
    if not given.model_base_path and not given.model_config_file:
        parser.error("Both server_options.model_base_path and server_options.model_config_file are empty!")
    if given.batching_parameters_file and not given.enable_batching:
        parser.error(
            "server_options.batching_parameters_file is set without setting server_options.enable_batching to true."
        )
    return Options(
        base_path=given.model_base_path,
        model_name=given.model_name,
        grpc_port=given.port,
        rest_api_port=given.rest_api_port or None,
        host=given.host,
        model_config_file=given.model_config_file,
        model_config_poll_wait=given.model_config_file_poll_wait_seconds,
        labels_for_unavailable=given.allow_version_labels_for_unavailable_models,
        poll_wait=given.file_system_poll_wait_seconds,
        load_retries=given.max_num_load_retries,
        load_retry_interval=given.load_retry_interval_micros / 1e6,
        wait_for_model=True,
        warmup=given.enable_model_warmup,
        warmup_iterations=given.num_request_iterations_for_warmup,
        enforce_timeout=given.enforce_session_run_timeout,
        check_method_names=given.enable_signature_method_name_check,
        tags=tuple(given.saved_model_tags.split(",")),
        session_parallelism=given.tensorflow_session_parallelism,
        intra_op_parallelism=given.tensorflow_intra_op_parallelism,
        inter_op_parallelism=given.tensorflow_inter_op_parallelism,
        batching=given.enable_batching,
        batching_parameters_file=given.batching_parameters_file,
        monitoring_config_file=given.monitoring_config_file,
        ssl_config_file=given.ssl_config_file,
        rest_timeout=given.rest_api_timeout_in_ms / 1e3,
        grpc_threads=given.grpc_max_threads,
        rest_threads=given.rest_api_num_threads,
        grpc_socket_path=given.grpc_socket_path,
        grpc_channel_arguments=given.grpc_channel_arguments,
        health_service=given.enable_grpc_healthcheck_service,
        cors=given.rest_api_enable_cors_support,
        rest_token_file=given.rest_api_token_file,
        largest_request=given.max_request_bytes,
    )


def _boolean(text: str) -> bool:
    values = {"true": True, "1": True, "false": False, "0": False}
    if text.lower() not in values:
        raise argparse.ArgumentTypeError(f"expected true or false, got {text!r}")
    return values[text.lower()]


# The flags of tensorflow_model_server 2.16 that this server understands, and OWN_FLAGS, which are its own.
OWN_FLAGS = ("host", "rest_api_token_file", "max_request_bytes")
FLAGS = (
    ("port", int, 8500, "port of the gRPC API"),
    ("rest_api_port", int, 0, "port of the REST API; 0 for none"),
    ("host", str, "127.0.0.1", "address to listen on; 0.0.0.0 lets other machines connect"),
    ("model_name", str, "default", "name to serve the model under; ignored with --model_config_file"),
    ("model_base_path", str, "", "folder whose numbered subfolders are the versions; ignored with --model_config_file"),
    ("model_config_file", str, "", "text-format ModelServerConfig with several models"),
    ("model_config_file_poll_wait_seconds", float, 0.0, "seconds between readings of that file; 0: read once"),
    ("allow_version_labels_for_unavailable_models", bool, False, "new labels may name versions not yet available"),
    ("file_system_poll_wait_seconds", float, 1.0, "seconds between looks for new versions; 0: look once"),
    ("max_num_load_retries", int, 5, "how often a version that failed to load is tried again"),
    ("load_retry_interval_micros", int, 60_000_000, "microseconds between such tries"),
    ("saved_model_tags", str, "serve", "tags of the meta graph to load, joined by commas"),
    ("enable_model_warmup", bool, True, "replay assets.extra/tf_serving_warmup_requests before serving"),
    ("num_request_iterations_for_warmup", int, 1, "how often each warm-up request is replayed"),
    ("enable_batching", bool, False, "run requests that queue while others are computed together"),
    ("batching_parameters_file", str, "", "text-format BatchingParameters; needs --enable_batching"),
    ("monitoring_config_file", str, "", "text-format MonitoringConfig: Prometheus metrics on the REST port"),
    ("ssl_config_file", str, "", "text-format SSLConfig: TLS on the gRPC port, with client certificates if wanted"),
    ("enable_signature_method_name_check", bool, False, "refuse signatures made for another method"),
    ("enforce_session_run_timeout", bool, True, "end a computation at the client's deadline"),
    ("tensorflow_session_parallelism", int, 0, "threads of TensorFlow, within an op and between ops; 0: as it likes"),
    ("tensorflow_intra_op_parallelism", int, 0, "threads within an op; not with --tensorflow_session_parallelism"),
    ("tensorflow_inter_op_parallelism", int, 0, "threads between ops; not with --tensorflow_session_parallelism"),
    ("rest_api_timeout_in_ms", int, 30_000, "deadline of REST requests in milliseconds"),
    ("rest_api_token_file", str, "", "file with a bearer token that REST requests must show"),
    ("max_request_bytes", int, 512 << 20, "bytes of one request, also after decompression"),
    ("grpc_max_threads", int, 0, "gRPC requests at once; 0 means four for each processor"),
    ("rest_api_num_threads", int, 0, "REST requests at once; 0 means four for each processor"),
    ("grpc_socket_path", str, "", "UNIX socket for the gRPC API, beside the port"),
    ("grpc_channel_arguments", str, "", "key=value,key=value for the gRPC library"),
    ("enable_grpc_healthcheck_service", bool, False, "serve grpc.health.v1.Health"),
    ("rest_api_enable_cors_support", bool, False, "let browsers of any origin call the REST API"),
    ("num_load_threads", int, 0, "no effect: every model has a thread that loads its versions"),
    ("num_unload_threads", int, 0, "no effect: every model has a thread that unloads its versions"),
    ("flush_filesystem_caches", bool, True, "no effect: Python keeps no such caches"),
    ("enable_profiler", bool, True, "no effect: there is no profiler service"),
    ("remove_unused_fields_from_bundle_metagraph", bool, True, "no effect"),
)
