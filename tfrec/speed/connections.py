"""Connections to a server with TensorFlow Serving's API, each of its own, that send requests made beforehand."""

from __future__ import annotations

import contextlib
import http.client
import json
import urllib.parse
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import grpc
import numpy as np

from tfrec.serving import wire
from tfrec.serving.padding import tensors_from_rows
from tfrec.serving.signatures import Signature
from tfrec.serving.tensors import fill_proto
from tfrec.speed.load import Call

TIMEOUT = 10.0  # seconds


def grpc_request(model: str, signature: Signature, rows: Sequence[Mapping[str, Any]]) -> bytes:
    """A PredictRequest for `rows`; what they lack is absent."""
    request = wire.PredictRequest()
    request.model_spec.name, request.model_spec.signature_name = model, signature.name
    for name, array in tensors_from_rows(rows, signature).items():
        fill_proto(request.inputs[name], array)
    return request.SerializeToString()


def rest_request(signature: Signature, rows: Sequence[Mapping[str, Any]]) -> bytes:
    """The body of a POST in row form for `rows`."""
    tensors = tensors_from_rows(rows, signature)
    instances = [{name: _plain(array[row]) for name, array in tensors.items()} for row in range(len(rows))]
    return json.dumps({"signature_name": signature.name, "instances": instances}).encode()


def _plain(value: Any) -> Any:
    if isinstance(value, bytes):
        return value.decode()
    if isinstance(value, np.ndarray):
        return [_plain(one) for one in value.tolist()]
    return value.item() if isinstance(value, np.generic) else value


@contextlib.contextmanager
def grpc_calls(address: str, connections: int) -> Iterator[list[Call]]:
    """So many connections to the gRPC API at host:port; errors are named by their gRPC status."""
    # Without a pool of its own a channel would share the connection of the others.
    options = [("grpc.use_local_subchannel_pool", 1), ("grpc.max_receive_message_length", -1)]
    with contextlib.ExitStack() as stack:
        channels = [stack.enter_context(grpc.insecure_channel(address, options)) for _ in range(connections)]
        yield [_grpc_call(channel) for channel in channels]


def _grpc_call(channel: grpc.Channel) -> Call:
    predict = channel.unary_unary(wire.PREDICT)

    def call(request: bytes) -> str:
        try:
            predict(request, timeout=TIMEOUT)
        except grpc.RpcError as error:
            return error.code().name
        return ""

    return call


@contextlib.contextmanager
def rest_calls(url: str, model: str, connections: int) -> Iterator[list[Call]]:
    """So many connections that are kept alive to the REST API at http://host:port; errors are named by their status."""
    place = urllib.parse.urlsplit(url).netloc
    opened = [http.client.HTTPConnection(place, timeout=TIMEOUT) for _ in range(connections)]
    try:
        yield [_rest_call(connection, f"/v1/models/{model}:predict") for connection in opened]
    finally:
        for connection in opened:
            connection.close()


def _rest_call(connection: http.client.HTTPConnection, path: str) -> Call:
    def call(request: bytes) -> str:
        try:
            connection.request("POST", path, request)
            answer = connection.getresponse()
            answer.read()
        except (OSError, http.client.HTTPException) as error:
            connection.close()  # The next request opens it again.
            return type(error).__name__
        return "" if answer.status == 200 else f"HTTP_{answer.status}"

    return call
