"""A development server with TensorFlow Serving's gRPC and REST API, for machines without tensorflow_model_server.

Layers, each importing only from those before it: `errors`, `options`, `flags`, `model_config` (which models),
`versions` (which versions), `metrics`, `servable` (one loaded SavedModel), `predict` and `inference` (what requests
ask of it), `warmup`, `memory`, `manager` (one model: loading, hot swap), `registry` (all models, labels),
`config_file`, `models` (requests and answers), `health`, `grpc_api`, `rest_values`, `rest_json`, `rest_examples`,
`rest_format`, `rest_api`, `rest_server`, `running` (ports and threads), `process` (signals and exit status). What is
served, and what is left out, is listed in docs/conformance.md.

Importing this package imports no TensorFlow; `serve` does.
"""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Any

from tfrec.serving.server.options import Options

if TYPE_CHECKING:
    from tfrec.serving.server.running import RunningServer


def serve(
    base_path: str | os.PathLike[str],
    model_name: str = "default",
    grpc_port: int = 8500,
    rest_api_port: int | None = 8501,
    host: str = "127.0.0.1",
    **options: Any,
) -> RunningServer:
    """Start a development server in this process and return it once its first version is loaded.

    Example:
        with serve("models/films", model_name="films", grpc_port=0, rest_api_port=0) as server:
            Client(server.grpc_address, model_name="films").recommend("u1")

    Args:
        base_path: the folder whose numbered subfolders are the versions of the model.
        grpc_port, rest_api_port: 0 picks a free port; None for `rest_api_port` leaves REST out.
        host: the address to listen on; by default only this machine can connect.
        options: further fields of `Options`.

    Raises:
        ServerError: a port is taken, or tensorflow-serving-api is not installed.
        ServableError: no version of the model can be loaded.
    """
    from tfrec.serving.server.running import start

    return start(Options(str(base_path), model_name, grpc_port, rest_api_port, host, **options))
