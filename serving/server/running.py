"""A running server: its model, its ports and its threads."""

from __future__ import annotations

import grpc

from tfrec.errors import ServerError
from tfrec.serving.server.options import Options

try:
    from tensorflow_serving.apis import predict_pb2  # noqa: F401
except ImportError as missing:
    raise ServerError(
        f"the development server needs tensorflow-serving-api; install it with `pip install tfrec[serving]` ({missing})"
    ) from missing

from tfrec.serving.server.grpc_api import grpc_server
from tfrec.serving.server.manager import ModelManager
from tfrec.serving.server.models import Models
from tfrec.serving.server.rest_api import RestServer

GRACE = 5.0  # seconds that requests in flight get when the server stops


class RunningServer:
    """A server that answers until `stop`; also a context manager.

    Attributes:
        grpc_address: host:port of the gRPC API.
        rest_url: http://host:port of the REST API, "" without one.
    """

    def __init__(self, manager: ModelManager, grpc_: grpc.Server, grpc_port: int, rest: RestServer | None) -> None:
        options = manager.options
        self._manager = manager
        self._grpc = grpc_
        self._rest = rest
        self.grpc_address = f"{options.host}:{grpc_port}"
        self.rest_url = f"http://{options.host}:{rest.port}" if rest else ""

    def __enter__(self) -> RunningServer:
        return self

    def __exit__(self, *exception: object) -> None:
        self.stop()

    def wait(self) -> None:
        """Return when the server has stopped."""
        self._grpc.wait_for_termination()

    def stop(self) -> None:
        """Refuse new requests, let those in flight end, and free the model."""
        stopped = self._grpc.stop(GRACE)
        if self._rest is not None:
            self._rest.stop()
        stopped.wait()
        self._manager.stop(GRACE)


def start(options: Options) -> RunningServer:
    """Load the model, then open the ports.

    Raises:
        ServableError: no version of the model can be loaded.
        ServerError: a port is taken.
    """
    manager = ModelManager(options)
    manager.start()
    models = Models({options.model_name: manager})
    rest = None
    try:
        server, port = grpc_server(models, options)
        if options.rest_api_port is not None:
            rest = RestServer(models, options)
    except BaseException:
        manager.stop()
        raise
    server.start()
    if rest is not None:
        rest.start()
    return RunningServer(manager, server, port, rest)
