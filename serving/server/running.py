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

from tfrec.serving.server.config_file import ConfigFile
from tfrec.serving.server.grpc_api import grpc_server
from tfrec.serving.server.health import Health
from tfrec.serving.server.metrics import Metrics, metrics_path
from tfrec.serving.server.model_config import ModelConfig, configs_from_file
from tfrec.serving.server.models import Models
from tfrec.serving.server.registry import Registry
from tfrec.serving.server.rest_server import RestServer

GRACE = 5.0  # seconds that requests in flight get when the server stops


class RunningServer:
    """A server that answers until `stop`; also a context manager.

    Attributes:
        models: the names of the models served at the start.
        grpc_address: host:port of the gRPC API.
        rest_url: http://host:port of the REST API, "" without one.
    """

    def __init__(
        self,
        options: Options,
        models: list[str],
        registry: Registry,
        config_file: ConfigFile | None,
        health: Health,
        grpc_: grpc.Server,
        grpc_port: int,
        rest: RestServer | None,
    ) -> None:
        self._registry = registry
        self._config_file = config_file
        self._health = health
        self._grpc = grpc_
        self._rest = rest
        self.models = models
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
        """Refuse new requests, let those in flight end, and free the models."""
        if self._config_file is not None:
            self._config_file.stop()
        self._health.stop()
        stopped = self._grpc.stop(GRACE)
        if self._rest is not None:
            self._rest.stop()
        stopped.wait()
        self._registry.stop(GRACE)


def start(options: Options) -> RunningServer:
    """Load the models, then open the ports.

    Raises:
        ServableError: no version of a model can be loaded.
        ServerError: a port is taken, or a file that `options` name is malformed.
    """
    if options.model_config_file:
        configs = configs_from_file(options.model_config_file)
    else:
        configs = [ModelConfig(options.model_name, options.base_path, options.policy)]
    path = metrics_path(options.monitoring_config_file)
    metrics = Metrics()
    registry = Registry(options, metrics)
    registry.start(configs)
    health = Health()
    models = Models(registry, metrics, options.check_method_names)
    rest = None
    try:
        server, port = grpc_server(models, options, health)
        if options.rest_api_port is not None:
            rest = RestServer(models, options, path)
    except BaseException:
        registry.stop()
        raise
    config_file = None
    if options.model_config_file and options.model_config_poll_wait > 0:
        config_file = ConfigFile(options.model_config_file, options.model_config_poll_wait, registry)
        config_file.start()
    server.start()
    if rest is not None:
        rest.start()
    return RunningServer(
        options, [config.name for config in configs], registry, config_file, health, server, port, rest
    )
