"""grpc.health.v1.Health: whether the server serves; as in tensorflow_model_server models do not count."""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import Any

import grpc

from tfrec.serving import wire

SERVICES = ("", "ModelService", "PredictionService")
SERVING, NOT_SERVING, SERVICE_UNKNOWN = 1, 2, 3

Send = Callable[[Any], None]  # Sends an answer of a stream; None ends it.


class Health:
    """Answers Check at once and Watch until the server stops."""

    def __init__(self) -> None:
        self._watching: dict[grpc.ServicerContext, Send] = {}
        self._lock = threading.Lock()

    def methods(self) -> dict[str, grpc.RpcMethodHandler]:
        """The methods of the service."""

        def watch(request: Any, context: grpc.ServicerContext, send: Send) -> None:
            self._watch(request, context, send)

        # A watch lasts; so many of them as there are threads would otherwise leave none for requests.
        watch.experimental_non_blocking = True  # type: ignore[attr-defined]
        messages = {
            "request_deserializer": wire.HealthCheckRequest.FromString,
            "response_serializer": lambda response: response.SerializeToString(),
        }
        return {
            "Check": grpc.unary_unary_rpc_method_handler(self._check, **messages),
            "Watch": grpc.unary_stream_rpc_method_handler(watch, **messages),
        }

    def stop(self) -> None:
        """Tell those who watch that the server goes, and end their streams."""
        with self._lock:
            watching, self._watching = self._watching, {}
        for send in watching.values():
            send(wire.HealthCheckResponse(status=NOT_SERVING))
            send(None)

    def _check(self, request: Any, context: grpc.ServicerContext) -> Any:
        if request.service not in SERVICES:
            return context.abort(grpc.StatusCode.NOT_FOUND, "")
        return wire.HealthCheckResponse(status=SERVING)

    def _watch(self, request: Any, context: grpc.ServicerContext, send: Send) -> None:
        with self._lock:
            self._watching[context] = send
        if not context.add_callback(lambda: self._forget(context)):
            self._forget(context)
            return
        send(wire.HealthCheckResponse(status=SERVING if request.service in SERVICES else SERVICE_UNKNOWN))

    def _forget(self, context: grpc.ServicerContext) -> None:
        with self._lock:
            self._watching.pop(context, None)
