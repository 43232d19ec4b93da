"""The REST API: predict, classify, regress, model status, metadata and metrics, in JSON."""

from __future__ import annotations

import hmac
import logging
import re
from typing import Any, NamedTuple
from urllib.parse import unquote

import numpy as np
from google.protobuf import json_format
from tensorflow_serving.apis import (
    classification_pb2,
    get_model_metadata_pb2,
    get_model_status_pb2,
    model_pb2,
    regression_pb2,
)

from tfrec.serving.server import rest_examples, rest_format, rest_json
from tfrec.serving.server.errors import StatusError, invalid
from tfrec.serving.server.models import Models

MODEL = r"(?:(?:/versions/(\d+))|(?:/labels/([^/:]+)))?"
PREDICTION_PATH = re.compile(rf"/v1/models/([^/:]+){MODEL}:(classify|regress|predict)", re.I | re.A)
MODEL_PATH = re.compile(rf"/v1/models(?:/([^/:]+))?{MODEL}(?:/(metadata))?", re.I | re.A)
LONGEST_INT64 = 19  # digits
log = logging.getLogger(__name__)


class Answer(NamedTuple):
    status: int
    body: str = ""
    content_type: str = "application/json"


class RestApi:
    """Answers requests, whatever server received them.

    Args:
        timeout: seconds for one request.
        metrics_path: where Prometheus reads, "" for nowhere.
        token: the bearer token that requests must show, "" for none.
    """

    def __init__(self, models: Models, timeout: float, metrics_path: str = "", token: str = "") -> None:
        self._models = models
        self._timeout = timeout
        self._metrics_path = metrics_path
        self._token = token.encode()

    def allows(self, headers: Any) -> bool:
        """Whether a request with these headers shows the token, if one is needed."""
        kind, _, shown = headers.get("Authorization", "").partition(" ")
        return not self._token or (
            kind.lower() == "bearer" and hmac.compare_digest(shown.strip().encode("latin-1", "replace"), self._token)
        )

    def answer(self, method: str, path: str, body: bytes, headers: Any) -> Answer:
        """The answer to one request; errors become their HTTP status and a JSON object with the key "error"."""
        bare = path.partition("?")[0]
        if self._metrics_path and bare == self._metrics_path and method in ("GET", "HEAD"):
            return Answer(200, self._models.metrics.text(), "text/plain")
        if not path.lower().startswith("/v1/"):
            return Answer(404, "Not Found", "text/plain")
        if method == "OPTIONS":
            return Answer(200) if headers.get("Origin", "").startswith("http") else Answer(400)
        try:
            return Answer(200, self._body(method, path, bare, body))
        except StatusError as error:
            return Answer(error.http_status, rest_format.error_json(error.message))
        except Exception as error:
            log.exception("%s %s failed", method, path)
            return Answer(500, rest_format.error_json(f"internal error: {error!r}"))

    def _body(self, method: str, path: str, bare: str, body: bytes) -> str:
        if method == "POST" and (match := PREDICTION_PATH.fullmatch(bare)):
            name, version, label, verb = match.groups()
            spec, verb = _model_spec(name, version, label), verb.lower()
            with self._models.metrics.request(spec.name, verb, "REST"):
                document = rest_json.parse_object(body)
                if verb == "predict":
                    return self._predict(spec, document)
                spec.signature_name = rest_json.signature_name(document)
                return self._classify(spec, document) if verb == "classify" else self._regress(spec, document)
        if method == "GET" and (match := MODEL_PATH.fullmatch(bare)):
            name, version, label, metadata = match.groups()
            if not name:
                raise invalid("Missing model name in request.")
            spec = _model_spec(name, version, label)
            return self._metadata(spec) if metadata else self._status(spec)
        raise invalid(f"Malformed request: {method} {path}")

    def _predict(self, spec: model_pb2.ModelSpec, document: dict[str, Any]) -> str:
        row_form = False

        def inputs(infos: Any) -> dict[str, np.ndarray]:
            nonlocal row_form
            arrays, row_form = rest_json.inputs_from_request(document, infos)
            return arrays

        outputs = self._models.predict_arrays(spec, inputs, self._timeout, rest_json.signature_name(document))
        return rest_format.json_from_outputs(outputs, row_form)

    def _classify(self, spec: model_pb2.ModelSpec, document: dict[str, Any]) -> str:
        given = rest_examples.input_from_request(document)
        request = classification_pb2.ClassificationRequest(model_spec=spec, input=given)
        return rest_examples.classifications_json(self._models.classify(request, self._timeout).result)

    def _regress(self, spec: model_pb2.ModelSpec, document: dict[str, Any]) -> str:
        given = rest_examples.input_from_request(document)
        request = regression_pb2.RegressionRequest(model_spec=spec, input=given)
        return rest_examples.regressions_json(self._models.regress(request, self._timeout).result)

    def _status(self, spec: model_pb2.ModelSpec) -> str:
        return _json(self._models.status(get_model_status_pb2.GetModelStatusRequest(model_spec=spec)))

    def _metadata(self, spec: model_pb2.ModelSpec) -> str:
        request = get_model_metadata_pb2.GetModelMetadataRequest(model_spec=spec, metadata_field=["signature_def"])
        response = self._models.metadata(request)
        signatures = get_model_metadata_pb2.SignatureDefMap()
        response.metadata["signature_def"].Unpack(signatures)
        return (
            f'{{\n"model_spec": {_json(response.model_spec)},\n"metadata": {{"signature_def": {_json(signatures)}}}\n}}'
        )


def _model_spec(name: str, version: str | None, label: str | None) -> model_pb2.ModelSpec:
    spec = model_pb2.ModelSpec(name=_unquoted(name))
    if version:
        digits = version.lstrip("0") or "0"
        if len(digits) > LONGEST_INT64 or int(digits) >= 1 << 63:  # Python reads no number of thousands of digits
            raise invalid(f"Failed to convert version: {version} to numeric.")
        spec.version.value = int(digits)
    elif label:
        spec.version_label = _unquoted(label)
    return spec


def _unquoted(text: str) -> str:
    return unquote(text, errors="replace")  # protobuf takes nothing but UTF-8


def _json(message: Any) -> str:
    options: dict[str, Any] = {"preserving_proto_field_name": True}
    try:
        return json_format.MessageToJson(message, including_default_value_fields=True, **options)
    except TypeError:  # protobuf 5 and later call it otherwise
        return json_format.MessageToJson(message, always_print_fields_with_no_presence=True, **options)
