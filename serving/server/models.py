"""Requests and their answers, whatever protocol they came by."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
from tensorflow_serving.apis import (
    classification_pb2,
    get_model_metadata_pb2,
    get_model_status_pb2,
    inference_pb2,
    input_pb2,
    model_management_pb2,
    model_pb2,
    predict_pb2,
    regression_pb2,
)

from tfrec.serving.server import inference
from tfrec.serving.server import predict as prediction
from tfrec.serving.server.errors import CODES, StatusError, invalid
from tfrec.serving.server.metrics import Metrics
from tfrec.serving.server.model_config import configs_from_proto
from tfrec.serving.server.registry import Registry
from tfrec.serving.tensors import fill_proto


class Models:
    """Answers requests with the models of `registry`; a method's `timeout` is in seconds."""

    def __init__(self, registry: Registry, metrics: Metrics, check_method_names: bool = False) -> None:
        self.metrics = metrics
        self._registry = registry
        self._checked = check_method_names

    def predict(self, request: predict_pb2.PredictRequest, timeout: float | None) -> predict_pb2.PredictResponse:
        """Answer a PredictRequest.

        Raises:
            StatusError: the request cannot be answered.
        """
        _require_spec(request)
        spec = request.model_spec
        with self._registry.handle(spec) as (version, servable), self.metrics.runtime(spec.name, "Predict"):
            outputs = prediction.predict(
                servable, spec.signature_name, request.inputs, request.output_filter, timeout, checked=self._checked
            )
        response = predict_pb2.PredictResponse(model_spec=_answered(spec, version))
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
        with self._registry.handle(spec) as (_, servable), self.metrics.runtime(spec.name, "Predict"):
            name = signature_name or prediction.DEFAULT_SIGNATURE
            if name not in servable.signatures:
                raise invalid(f'Serving signature name: "{name}" not found in signature def')
            inputs = inputs_from_infos(servable.signatures[name].inputs)
            return prediction.predict(servable, name, inputs, (), timeout, lambda array: array, self._checked)

    def classify(
        self, request: classification_pb2.ClassificationRequest, timeout: float | None
    ) -> classification_pb2.ClassificationResponse:
        """Answer a ClassificationRequest.

        Raises:
            StatusError: the request cannot be answered.
        """
        model_spec, result = self._inferred("Classify", inference.classify, request, timeout)
        return classification_pb2.ClassificationResponse(model_spec=model_spec, result=result)

    def regress(
        self, request: regression_pb2.RegressionRequest, timeout: float | None
    ) -> regression_pb2.RegressionResponse:
        """Answer a RegressionRequest.

        Raises:
            StatusError: the request cannot be answered.
        """
        model_spec, result = self._inferred("Regress", inference.regress, request, timeout)
        return regression_pb2.RegressionResponse(model_spec=model_spec, result=result)

    def _inferred(
        self, api: str, infer: Callable[..., Any], request: Any, timeout: float | None
    ) -> tuple[model_pb2.ModelSpec, Any]:
        """What answered a request with examples, and the result that `infer` made of them."""
        _require_spec(request)
        spec = request.model_spec
        with self._registry.handle(spec) as (version, servable):
            examples = self._examples(spec, request.input)
            with self.metrics.runtime(spec.name, api):
                result = infer(servable, spec.signature_name, examples, timeout, self._checked)
        return _answered(spec, version), result

    def multi_inference(
        self, request: inference_pb2.MultiInferenceRequest, timeout: float | None
    ) -> inference_pb2.MultiInferenceResponse:
        """Answer a MultiInferenceRequest.

        Raises:
            StatusError: the request cannot be answered.
        """
        names = [task.model_spec.name for task in request.tasks]
        if "" in names:
            raise invalid("Found ModelSpec with an empty model name.")
        if len(set(names)) > 1:
            raise invalid("All ModelSpecs in a MultiInferenceRequest must access the same model name.")
        spec = request.tasks[0].model_spec if names else model_pb2.ModelSpec()
        with self._registry.handle(spec) as (version, servable):
            examples = self._examples(spec, request.input)
            with self.metrics.runtime(spec.name, "MultiInference"):
                results = inference.multi_inference(servable, request.tasks, examples, timeout, self._checked)
        response = inference_pb2.MultiInferenceResponse()
        for task, result in zip(request.tasks, results):
            entry = response.results.add(model_spec=_answered(task.model_spec, version))
            if isinstance(result, classification_pb2.ClassificationResult):
                entry.classification_result.CopyFrom(result)
            else:
                entry.regression_result.CopyFrom(result)
        return response

    def _examples(self, spec: model_pb2.ModelSpec, given: input_pb2.Input) -> np.ndarray:
        examples = inference.examples_from_input(given)
        self.metrics.examples(spec.name, len(examples))
        return examples

    def reload(
        self, request: model_management_pb2.ReloadConfigRequest, waiting: Callable[[], bool]
    ) -> model_management_pb2.ReloadConfigResponse:
        """Answer a ReloadConfigRequest, once what it asks for is available or nobody is `waiting` any more.

        Raises:
            StatusError: the configuration is refused, or a version failed to load.
        """
        before = self.metrics.totals()
        self._registry.reload(configs_from_proto(request.config), waiting)
        response = model_management_pb2.ReloadConfigResponse()
        response.status.error_code = CODES["OK"]
        after = self.metrics.totals()
        for name in request.metric_names:
            if name in after:
                response.metric.add(name=name, int64_value_increase=after[name] - before[name])
        return response

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
        with self._registry.handle(request.model_spec) as (version, servable):
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
        versions = self._registry.versions(spec.name)
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


def _answered(spec: model_pb2.ModelSpec, version: int) -> model_pb2.ModelSpec:
    """The model spec of an answer, with the signature and version that were meant."""
    answered = model_pb2.ModelSpec(name=spec.name, signature_name=spec.signature_name or prediction.DEFAULT_SIGNATURE)
    answered.version.value = version
    return answered


def _require_spec(request: Any) -> None:
    if not request.HasField("model_spec"):
        raise invalid("Missing ModelSpec")
