"""TLS of the gRPC port, by tensorflow_model_server's SSL config file."""

from __future__ import annotations

import grpc
from google.protobuf import text_format

from tfrec.errors import ServerError
from tfrec.serving import wire

SSLConfig = wire.message_classes(
    "SSLConfig: server_key=1 string, server_cert=2 string, custom_ca=3 string, client_verify=4 bool"
)["SSLConfig"]


def credentials_from_file(path: str) -> grpc.ServerCredentials:
    """Credentials by a text-format SSLConfig, whose fields hold PEM text; client_verify asks clients for certificates.

    Raises:
        ServerError: the file cannot be read or parsed, or lacks what it needs.
    """
    try:
        with open(path, encoding="utf-8") as file:
            config = text_format.Parse(file.read(), SSLConfig())
    except (OSError, UnicodeDecodeError, text_format.ParseError) as error:
        raise ServerError(f"cannot read the SSL config file {path}: {error}") from error
    if not config.server_key or not config.server_cert:
        raise ServerError(f"the SSL config file {path} needs server_key and server_cert, in PEM")
    if config.client_verify and not config.custom_ca:
        raise ServerError(f"the SSL config file {path} asks for client certificates and needs custom_ca, in PEM")
    return grpc.ssl_server_credentials(
        [(config.server_key.encode(), config.server_cert.encode())],
        config.custom_ca.encode() or None,
        config.client_verify,
    )
