"""The gRPC API: PredictionService, ModelService, server reflection and, if wanted, grpc.health.v1.Health."""

from __future__ import annotations

import logging
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import grpc
from tensorflow_serving.apis import (
    classification_pb2,
    get_model_metadata_pb2,
    get_model_status_pb2,
    inference_pb2,
    model_management_pb2,
    predict_pb2,
    regression_pb2,
)

from tfrec.errors import ServerError
from tfrec.serving.server.errors import StatusError
from tfrec.serving.server.health import Health
from tfrec.serving.server.models import Models
from tfrec.serving.server.options import Options, threads
from tfrec.serving.server.tls import credentials_from_file

LARGEST_MESSAGE = (1 << 31) - 1
log = logging.getLogger(__name__)


def grpc_server(models: Models, options: Options, health: Health) -> tuple[grpc.Server, int]:
    """A server that is bound but not started, and its port.

    Raises:
        ServerError: the port or the socket cannot be bound, or an option of the library is malformed.
    """
    server = grpc.server(
        ThreadPoolExecutor(threads(options.grpc_threads), thread_name_prefix="grpc"),
        options=[
            ("grpc.max_receive_message_length", min(options.largest_request, LARGEST_MESSAGE)),
            ("grpc.max_send_message_length", LARGEST_MESSAGE),
            ("grpc.so_reuseport", 0),
            *_channel_arguments(options.grpc_channel_arguments),
        ],
    )
    services = _services(models, options, health)
    for name, methods in services.items():
        server.add_generic_rpc_handlers((grpc.method_handlers_generic_handler(name, methods),))
    _enable_reflection(server, [*services])
    host = f"[{options.host}]" if ":" in options.host else options.host
    credentials = credentials_from_file(options.ssl_config_file) if options.ssl_config_file else None
    port = _bound(server, f"{host}:{options.grpc_port}", credentials)
    if options.grpc_socket_path:
        _bound(server, f"unix:{options.grpc_socket_path}", credentials)
    return server, port


def _bound(server: grpc.Server, address: str, credentials: grpc.ServerCredentials | None = None) -> int:
    try:
        port = server.add_secure_port(address, credentials) if credentials else server.add_insecure_port(address)
    except RuntimeError:
        port = 0
    if not port:
        raise ServerError(f"cannot listen on {address} for gRPC; is the port taken by another server?")
    return port


def _channel_arguments(text: str) -> list[tuple[str, Any]]:
    pairs = []
    for part in filter(None, text.split(",")):
        key, separator, value = part.partition("=")
        if not separator:
            raise ServerError(f"grpc_channel_arguments must look like key=value,key=value, got {text!r}")
        pairs.append((key, int(value) if value.lstrip("-").isdigit() else value))
    return pairs


def _services(models: Models, options: Options, health: Health) -> dict[str, dict[str, grpc.RpcMethodHandler]]:
    def timed(method: Callable[[Any, float | None], Any]) -> Callable[[Any, grpc.ServicerContext], Any]:
        return lambda request, context: method(request, context.time_remaining() if options.enforce_timeout else None)

    def counted(api: str, method: Callable[[Any, grpc.ServicerContext], Any]) -> Any:
        def call(request: Any, context: grpc.ServicerContext) -> Any:
            with models.metrics.request(request.model_spec.name, api, "GRPC"):
                return method(request, context)

        return call

    def multi_inference(request: Any, context: grpc.ServicerContext) -> Any:
        name = request.tasks[0].model_spec.name if request.tasks else ""
        with models.metrics.request(name, "MultiInference", "GRPC"):
            return timed(models.multi_inference)(request, context)

    def reload(request: Any, context: grpc.ServicerContext) -> Any:
        return models.reload(request, context.is_active)

    prediction = {
        "Predict": _unary(counted("Predict", timed(models.predict)), predict_pb2.PredictRequest),
        "Classify": _unary(counted("Classify", timed(models.classify)), classification_pb2.ClassificationRequest),
        "Regress": _unary(counted("Regress", timed(models.regress)), regression_pb2.RegressionRequest),
        "MultiInference": _unary(multi_inference, inference_pb2.MultiInferenceRequest),
        "GetModelMetadata": _unary(
            lambda request, context: models.metadata(request), get_model_metadata_pb2.GetModelMetadataRequest
        ),
    }
    model = {
        "GetModelStatus": _unary(
            lambda request, context: models.status(request), get_model_status_pb2.GetModelStatusRequest
        ),
        "HandleReloadConfigRequest": _unary(reload, model_management_pb2.ReloadConfigRequest),
    }
    services = {"tensorflow.serving.PredictionService": prediction, "tensorflow.serving.ModelService": model}
    if options.health_service:
        services["grpc.health.v1.Health"] = health.methods()
    return services


def _unary(method: Callable[[Any, grpc.ServicerContext], Any], request_type: Any) -> grpc.RpcMethodHandler:
    def call(request: Any, context: grpc.ServicerContext) -> Any:
        try:
            return method(request, context)
        except StatusError as error:
            return context.abort(grpc.StatusCode[error.code], error.grpc_details)

    return grpc.unary_unary_rpc_method_handler(
        call,
        request_deserializer=request_type.FromString,
        response_serializer=lambda response: response.SerializeToString(),
    )


def _enable_reflection(server: grpc.Server, services: list[str]) -> None:
    """Let tools such as grpcurl ask for the messages of the services, where grpcio-reflection is installed."""
    try:
        from grpc_reflection.v1alpha import reflection
    except ImportError:
        log.info("server reflection is off, because grpcio-reflection is not installed")
        return
    # What is described are the generated messages; importing these modules makes them known.
    from tensorflow_serving.apis import model_service_pb2, prediction_service_pb2  # noqa: F401

    reflection.enable_server_reflection([*services, reflection.SERVICE_NAME], server)
