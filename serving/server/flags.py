"""The flags of tensorflow_model_server that set `Options`: one table, for every command that takes them."""

from __future__ import annotations

import argparse
import dataclasses
from collections.abc import Callable, Collection, Mapping, Sequence
from typing import Any, NamedTuple

from tfrec.errors import ServerError
from tfrec.serving.server.options import Options

DEFAULTS = Options()


def _boolean(text: str) -> bool:
    values = {"true": True, "1": True, "false": False, "0": False}
    if text.lower() not in values:
        raise argparse.ArgumentTypeError(f"expected true or false, got {text!r}")
    return values[text.lower()]


def _milliseconds(text: str) -> float:
    return int(text) / 1e3


def _microseconds(text: str) -> float:
    return int(text) / 1e6


def _rest_port(text: str) -> int | None:
    return int(text) or None


def _tags(text: str) -> tuple[str, ...]:
    return tuple(text.split(","))


@dataclasses.dataclass(frozen=True)
class Flag:
    """A flag and what it sets.

    Attributes:
        name: as tensorflow_model_server spells it.
        field: of `Options`; "" for a flag without effect.
        text: what it is, in a line.
        reads: makes the field's value of what is given; None where that has the type of the field's default.
        default: the default as it would be given; "" where it is the field's own.
    """

    name: str
    field: str
    text: str
    reads: Callable[[str], Any] | None = None
    default: str = ""

    def read(self, text: str) -> Any:
        """The field's value of what is given.

        Raises:
            ValueError, argparse.ArgumentTypeError: it is none.
        """
        return (self.reads or self.kind)(text)

    @property
    def kind(self) -> Callable[[str], Any]:
        """What reads values of the type of the default."""
        kind = type(getattr(DEFAULTS, self.field))
        return _boolean if kind is bool else kind

    @property
    def boolean(self) -> bool:
        """Whether it may stand without a value, which is true."""
        return (self.reads or self.kind) is _boolean

    @property
    def shown_default(self) -> str:
        """The default as it would be given."""
        default = self.default or str(getattr(DEFAULTS, self.field))
        return default.lower() if self.boolean else default


# The flags of tensorflow_model_server 2.16 that this server understands, and OWN_FLAGS, which are its own.
OWN_FLAGS = ("host", "rest_api_token_file", "max_request_bytes")
FLAGS = (
    Flag("port", "grpc_port", "port of the gRPC API"),
    Flag("rest_api_port", "rest_api_port", "port of the REST API; 0 for none", _rest_port, "0"),
    Flag("host", "host", "address to listen on; 0.0.0.0 lets other machines connect"),
    Flag("model_name", "model_name", "name to serve the model under; ignored with --model_config_file"),
    Flag(
        "model_base_path",
        "base_path",
        "folder whose numbered subfolders are the versions; ignored with --model_config_file",
    ),
    Flag("model_config_file", "model_config_file", "text-format ModelServerConfig with several models"),
    Flag(
        "model_config_file_poll_wait_seconds",
        "model_config_poll_wait",
        "seconds between readings of that file; 0: read once",
    ),
    Flag(
        "allow_version_labels_for_unavailable_models",
        "labels_for_unavailable",
        "new labels may name versions not yet available",
    ),
    Flag("file_system_poll_wait_seconds", "poll_wait", "seconds between looks for new versions; 0: look once"),
    Flag("max_num_load_retries", "load_retries", "how often a version that failed to load is tried again"),
    Flag(
        "load_retry_interval_micros",
        "load_retry_interval",
        "microseconds between such tries",
        _microseconds,
        "60000000",
    ),
    Flag("saved_model_tags", "tags", "tags of the meta graph to load, joined by commas", _tags, "serve"),
    Flag("enable_model_warmup", "warmup", "replay assets.extra/tf_serving_warmup_requests before serving"),
    Flag("num_request_iterations_for_warmup", "warmup_iterations", "how often each warm-up request is replayed"),
    Flag("enable_batching", "batching", "run requests that queue while others are computed together"),
    Flag(
        "batching_parameters_file",
        "batching_parameters_file",
        "text-format BatchingParameters; needs --enable_batching",
    ),
    Flag(
        "monitoring_config_file",
        "monitoring_config_file",
        "text-format MonitoringConfig: Prometheus metrics on the REST port",
    ),
    Flag(
        "ssl_config_file",
        "ssl_config_file",
        "text-format SSLConfig: TLS on the gRPC port, with client certificates if wanted",
    ),
    Flag("enable_signature_method_name_check", "check_method_names", "refuse signatures made for another method"),
    Flag("enforce_session_run_timeout", "enforce_timeout", "end a computation at the client's deadline"),
    Flag(
        "tensorflow_session_parallelism",
        "session_parallelism",
        "threads of TensorFlow, within an op and between ops; 0: as it likes",
    ),
    Flag(
        "tensorflow_intra_op_parallelism",
        "intra_op_parallelism",
        "threads within an op; goes before --tensorflow_session_parallelism",
    ),
    Flag(
        "tensorflow_inter_op_parallelism",
        "inter_op_parallelism",
        "threads between ops; goes before --tensorflow_session_parallelism",
    ),
    Flag("rest_api_timeout_in_ms", "rest_timeout", "deadline of REST requests in milliseconds", _milliseconds, "30000"),
    Flag("rest_api_token_file", "rest_token_file", "file with a bearer token that REST requests must show"),
    Flag("max_request_bytes", "largest_request", "bytes of one request, also after decompression"),
    Flag("grpc_max_threads", "grpc_threads", "gRPC requests at once; 0 means four for each processor"),
    Flag("rest_api_num_threads", "rest_threads", "REST requests at once; 0 means four for each processor"),
    Flag("grpc_socket_path", "grpc_socket_path", "UNIX socket for the gRPC API, beside the port"),
    Flag("grpc_channel_arguments", "grpc_channel_arguments", "key=value,key=value for the gRPC library"),
    Flag("enable_grpc_healthcheck_service", "health_service", "serve grpc.health.v1.Health"),
    Flag("rest_api_enable_cors_support", "cors", "let browsers of any origin call the REST API"),
    Flag("num_load_threads", "", "no effect: every model has a thread that loads its versions", int, "0"),
    Flag("num_unload_threads", "", "no effect: every model has a thread that unloads its versions", int, "0"),
    Flag("flush_filesystem_caches", "", "no effect: Python keeps no such caches", _boolean, "true"),
    Flag("enable_profiler", "", "no effect: there is no profiler service", _boolean, "true"),
    Flag("remove_unused_fields_from_bundle_metagraph", "", "no effect", _boolean, "true"),
)


class Given(NamedTuple):
    """What was given for a flag, as text and as the value of its field."""

    text: str
    value: Any


def add_flags(parser: argparse._ActionsContainer, without: Collection[str] = ()) -> None:
    """Let `parser` take all flags but those named in `without`."""
    for flag in FLAGS:
        if flag.name in without:
            continue

        def given(text: str, flag: Flag = flag) -> Given:
            return Given(text, flag.read(text))

        given.__name__ = (flag.reads or flag.kind).__name__.strip("_")  # told of what cannot be read
        bare: dict[str, Any] = {"nargs": "?", "const": Given("true", True)} if flag.boolean else {}
        shown = f" (default: {flag.shown_default})" if flag.shown_default else ""
        parser.add_argument(
            f"--{flag.name}", type=given, default=argparse.SUPPRESS, metavar="VALUE", help=flag.text + shown, **bare
        )


def given_flags(arguments: argparse.Namespace) -> dict[str, Given]:
    """The flags of `add_flags` that were given, by name."""
    return {name: value for name, value in vars(arguments).items() if isinstance(value, Given)}


def options_of(given: Mapping[str, Given], **settings: Any) -> Options:
    """`Options` as flags and other settings say.

    Raises:
        ServerError: they do not go together.
    """
    fields = {flag.field: given[flag.name].value for flag in FLAGS if flag.field and flag.name in given}
    options = Options(**{**settings, **fields})
    if not options.base_path and not options.model_config_file:
        raise ServerError("Both server_options.model_base_path and server_options.model_config_file are empty!")
    if options.batching_parameters_file and not options.batching:
        raise ServerError(
            "server_options.batching_parameters_file is set without setting server_options.enable_batching to true."
        )
    if options.session_parallelism > 0 and options.intra_op_parallelism > 0 and options.inter_op_parallelism > 0:
        raise ServerError(
            "Either configure server_options.tensorflow_session_parallelism or "
            "(server_options.tensorflow_intra_op_parallelism, server_options.tensorflow_inter_op_parallelism) "
            "separately. You cannot configure all."
        )
    return options


def options_from_flags(arguments: Sequence[str]) -> Options:
    """`Options` from a command line with tensorflow_model_server's flags; exits with status 2 on a bad one.

    As there, no --rest_api_port, or 0, means no REST API.
    """
    parser = argparse.ArgumentParser(
        prog="python -m tfrec.serving.server",
        description="Serve a model with TensorFlow Serving's gRPC and REST API.",
        epilog="example: python -m tfrec.serving.server --model_name=films --model_base_path=$PWD/models/films "
        "--port=8500 --rest_api_port=8501",
        allow_abbrev=False,
    )
    add_flags(parser)
    given = given_flags(parser.parse_args(arguments))
    try:
        return options_of(given, rest_api_port=None, wait_for_model=True)
    except ServerError as error:
        parser.error(str(error))
