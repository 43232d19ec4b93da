"""Whether the ports are free, asked before a model is loaded: whoever starts a server twice should not wait for it."""

from __future__ import annotations

import socket

from tfrec.errors import ServerError
from tfrec.serving.server.options import Options


def refuse_taken_ports(options: Options) -> None:
    """Listen on each port that is named and let go of it again.

    Raises:
        ServerError: a port is taken, or the host is none of this machine's.
    """
    for api, port in (("gRPC", options.grpc_port), ("REST", options.rest_api_port)):
        if port:
            try:
                _listen(options.host, port)
            except OSError as error:
                raise cannot_listen(options.host, port, api, error.strerror or str(error)) from error


def cannot_listen(host: str, port: int, api: str, reason: str) -> ServerError:
    """The error of a port that cannot be opened for the `api`."""
    address = f"[{host}]:{port}" if ":" in host else f"{host}:{port}"
    return ServerError(f"cannot listen on {address} for {api}; is the port taken by another server? ({reason})")


def _listen(host: str, port: int) -> None:
    family, kind, protocol, _, address = socket.getaddrinfo(
        host, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE
    )[0]
    with socket.socket(family, kind, protocol) as probe:
        # As servers do it: a port whose last connections are just closing is free.
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        probe.bind(address)
        probe.listen()
