"""From requests' model specs to models: Predict, metadata and status, whatever protocol they came by."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator, Mapping
from typing import Any

import numpy as np
from tensorflow_serving.apis import get_model_metadata_pb2, get_model_status_pb2, model_pb2, predict_pb2

from tfrec.serving.server import predict as prediction
from tfrec.serving.server.errors import CODES, StatusError, invalid
from tfrec.serving.server.manager import ModelManager, not_found
from tfrec.serving.server.servable import Servable
from tfrec.serving.tensors import fill_proto


class Models:
    """The models of a server by name."""

    def __init__(self, managers: Mapping[str, ModelManager]) -> None:
        self._managers = dict(managers)

    @contextlib.contextmanager
    def handle(self, spec: model_pb2.ModelSpec) -> Iterator[tuple[int, Servable]]:
        """The version that `spec` names, kept loaded while the context lasts.

        Raises:
            StatusError: it is not available.
        """
        if not spec.name:
            raise invalid("ModelSpec has no name specified.")
        choice = spec.WhichOneof("version_choice")
        if choice == "version_label":
            raise invalid(f"Unrecognized servable version label: {spec.version_label}")
        number = spec.version.value if choice == "version" else None
        if spec.name not in self._managers:
            raise not_found(spec.name, number)
        with self._managers[spec.name].handle(number) as (version, servable):
            yield version, servable

    def predict(self, request: predict_pb2.PredictRequest, timeout: float | None) -> predict_pb2.PredictResponse:
        """Answer a PredictRequest within `timeout` seconds.

        Raises:
            StatusError: the request cannot be answered.
        """
        _require_spec(request)
        with self.handle(request.model_spec) as (version, servable):
            outputs = prediction.predict(
                servable, request.model_spec.signature_name, request.inputs, request.output_filter, timeout
            )
        response = predict_pb2.PredictResponse()
        response.model_spec.name = request.model_spec.name
        response.model_spec.version.value = version
        response.model_spec.signature_name = request.model_spec.signature_name or prediction.DEFAULT_SIGNATURE
        for alias, array in outputs.items():
            try:
                fill_proto(response.outputs[alias], array)
            except ValueError as error:
                raise StatusError("UNIMPLEMENTED", f"output {alias}: {error}") from error
        return response

    def predict_arrays(
        self,
        spec: model_pb2.ModelSpec,
        inputs_from_infos: Callable[[Mapping[str, Any]], Mapping[str, np.ndarray]],
        timeout: float | None,
        signature_name: str,
    ) -> dict[str, np.ndarray]:
        """Outputs by alias; `inputs_from_infos` makes the inputs from the signature's TensorInfo by alias.

        Raises:
            StatusError: the request cannot be answered.
        """
        with self.handle(spec) as (_, servable):
            name = signature_name or prediction.DEFAULT_SIGNATURE
            if name not in servable.signatures:
                raise invalid(f'Serving signature name: "{name}" not found in signature def')
            inputs = inputs_from_infos(servable.signatures[name].inputs)
            return prediction.predict(servable, name, inputs, (), timeout, lambda array: array)

    def metadata(
        self, request: get_model_metadata_pb2.GetModelMetadataRequest
    ) -> get_model_metadata_pb2.GetModelMetadataResponse:
        """Answer a GetModelMetadataRequest.

        Raises:
            StatusError: the request cannot be answered.
        """
        _require_spec(request)
        if not request.metadata_field:
            raise invalid("GetModelMetadataRequest must specify at least one metadata_field")
        for field in request.metadata_field:
            if field != "signature_def":
                raise invalid(f"Metadata field {field} is not supported")
        with self.handle(request.model_spec) as (version, servable):
            signatures = get_model_metadata_pb2.SignatureDefMap()
            for name, signature in servable.signatures.items():
                signatures.signature_def[name].CopyFrom(signature)
        response = get_model_metadata_pb2.GetModelMetadataResponse()
        response.model_spec.name = request.model_spec.name
        response.model_spec.version.value = version
        response.metadata["signature_def"].Pack(signatures)
        return response

    def status(
        self, request: get_model_status_pb2.GetModelStatusRequest
    ) -> get_model_status_pb2.GetModelStatusResponse:
        """Answer a GetModelStatusRequest; a version label in it is ignored, as TensorFlow Serving does.

        Raises:
            StatusError: the request cannot be answered.
        """
        _require_spec(request)
        spec = request.model_spec
        manager = self._managers.get(spec.name)
        versions = manager.versions() if manager else []
        if not versions:
            raise StatusError("NOT_FOUND", f"Could not find any versions of model {spec.name}")
        if spec.HasField("version"):
            versions = [version for version in versions if version.number == spec.version.value]
            if not versions:
                raise StatusError("NOT_FOUND", f"Could not find version {spec.version.value} of model {spec.name}")
        response = get_model_status_pb2.GetModelStatusResponse()
        for version in versions:
            entry = response.model_version_status.add(version=version.number, state=version.state)
            entry.status.error_code = CODES["OK"]
            if version.error is not None and version.state == get_model_status_pb2.ModelVersionStatus.END:
                entry.status.error_code = CODES[version.error.code]
                entry.status.error_message = version.error.message
        return response


def _require_spec(request: Any) -> None:
    if not request.HasField("model_spec"):
        raise invalid("Missing ModelSpec")
