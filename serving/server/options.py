"""The server's settings; `flags` spells them as tensorflow_model_server does."""

from __future__ import annotations

import dataclasses
import os


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
            TensorFlow, and the first stands for both others where both are 0.
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
