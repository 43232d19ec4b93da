"""Starts TensorFlow Serving's own `tensorflow_model_server` where it is installed."""

from __future__ import annotations

import os
import shutil
from collections.abc import Mapping, Sequence

from tfrec.errors import ServerError

BINARY = "tensorflow_model_server"


def find_model_server() -> str | None:
    """The path of `tensorflow_model_server` on PATH, or None."""
    return shutil.which(BINARY)


def model_server_command(
    binary: str,
    base_path: str | os.PathLike[str],
    model_name: str = "default",
    grpc_port: int = 8500,
    rest_api_port: int = 8501,
    flags: Mapping[str, object] | None = None,
) -> list[str]:
    """The command line; `flags` are further flags of tensorflow_model_server by name.

    Where they have a model_config_file, `base_path` may be "", and `model_name` does not count.
    """
    settings: dict[str, object] = {"port": grpc_port, "rest_api_port": rest_api_port}
    if base_path:
        settings["model_name"] = model_name
        settings["model_base_path"] = os.path.abspath(base_path) if "://" not in str(base_path) else base_path
    settings.update(flags or {})
    return [binary] + [f"--{name}={_flag_value(value)}" for name, value in settings.items()]


def _flag_value(value: object) -> object:
    return str(value).lower() if isinstance(value, bool) else value


def start_model_server(
    base_path: str | os.PathLike[str],
    model_name: str = "default",
    grpc_port: int = 8500,
    rest_api_port: int = 8501,
    flags: Mapping[str, object] | None = None,
    execute: object = os.execv,
) -> None:
    """Replace this process by `tensorflow_model_server`; note that it listens on all interfaces.

    Args:
        execute: what starts the command, called with the path and the argument list.

    Raises:
        ServerError: the binary is not on PATH or cannot be executed.
    """
    binary = find_model_server()
    if binary is None:
        raise ServerError(f"{BINARY} is not on PATH; install TensorFlow Serving or use the development server")
    command: Sequence[str] = model_server_command(binary, base_path, model_name, grpc_port, rest_api_port, flags)
    try:
        execute(binary, list(command))  # type: ignore[operator]
    except OSError as error:
        raise ServerError(f"cannot execute {binary}: {error.strerror or error}") from error
