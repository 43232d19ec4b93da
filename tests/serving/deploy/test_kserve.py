"""KServe's objects against a schema of the fields that its API reference documents, and their pods as pods."""

import jsonschema
import kubernetes_validate
import pytest

STRINGS = {"type": "object", "additionalProperties": {"type": "string"}}
NAME = {"type": "string", "pattern": "^[a-z]([-a-z0-9]*[a-z0-9])?$", "maxLength": 63}


def _object(required, **properties):
    return {"type": "object", "required": list(required), "properties": properties, "additionalProperties": False}


METADATA = _object(["name"], name=NAME, namespace=NAME, labels=STRINGS, annotations=STRINGS)
FORMAT = {"name": {"type": "string"}, "version": {"type": "string"}}
SERVING_RUNTIME = _object(
    ["apiVersion", "kind", "metadata", "spec"],
    apiVersion={"const": "serving.kserve.io/v1alpha1"},
    kind={"enum": ["ServingRuntime", "ClusterServingRuntime"]},
    metadata=METADATA,
    spec=_object(
        ["containers"],
        supportedModelFormats={
            "type": "array",
            "minItems": 1,
            "items": _object(
                ["name"], **FORMAT, autoSelect={"type": "boolean"}, priority={"type": "integer", "minimum": 1}
            ),
        },
        protocolVersions={"type": "array", "items": {"enum": ["v1", "v2", "grpc-v1", "grpc-v2"]}},
        multiModel={"type": "boolean"},
        disabled={"type": "boolean"},
        labels=STRINGS,
        annotations=STRINGS,
        containers={"type": "array", "minItems": 1},  # As those of a pod, see below.
        volumes={"type": "array"},
        nodeSelector=STRINGS,
        tolerations={"type": "array"},
        affinity={"type": "object"},
        imagePullSecrets={"type": "array"},
    ),
)
INFERENCE_SERVICE = _object(
    ["apiVersion", "kind", "metadata", "spec"],
    apiVersion={"const": "serving.kserve.io/v1beta1"},
    kind={"const": "InferenceService"},
    metadata=METADATA,
    spec=_object(
        ["predictor"],
        predictor=_object(
            ["model"],
            minReplicas={"type": "integer", "minimum": 0},
            maxReplicas={"type": "integer", "minimum": 0},
            scaleTarget={"type": "integer"},
            scaleMetric={"enum": ["cpu", "memory", "concurrency", "rps"]},
            containerConcurrency={"type": "integer", "minimum": 0},
            timeout={"type": "integer"},
            canaryTrafficPercent={"type": "integer", "minimum": 0, "maximum": 100},
            serviceAccountName=NAME,
            labels=STRINGS,
            annotations=STRINGS,
            model=_object(
                ["modelFormat"],
                modelFormat=_object(["name"], **FORMAT),
                runtime=NAME,
                protocolVersion={"enum": ["v1", "v2", "grpc-v1", "grpc-v2"]},
                storageUri={"type": "string", "pattern": "^(gs|s3|pvc|https?)://[^/]+"},
                args={"type": "array", "items": {"type": "string"}},
                resources={"type": "object"},
                env={"type": "array"},
            ),
        ),
    ),
)


def test_the_objects_fit_their_schemas(files):
    jsonschema.validate(files["kserve/serving-runtime.yaml"], SERVING_RUNTIME)
    jsonschema.validate(files["kserve/inference-service.yaml"], INFERENCE_SERVICE)
    misspelt = files["kserve/inference-service.yaml"]
    misspelt["spec"]["predictor"]["canaryTraffic"] = 10
    with pytest.raises(jsonschema.ValidationError):
        jsonschema.validate(misspelt, INFERENCE_SERVICE)


def test_the_runtimes_containers_are_those_of_a_valid_pod(files):
    spec = files["kserve/serving-runtime.yaml"]["spec"]
    pod = {
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": {"name": "runtime"},
        "spec": {"containers": spec["containers"], "volumes": spec["volumes"]},
    }
    kubernetes_validate.validate(pod, kubernetes_validate.latest_version(), strict=True)
    volumes = {volume["name"] for volume in spec["volumes"]}
    assert {mount["name"] for mount in spec["containers"][0]["volumeMounts"]} == volumes


def test_the_service_names_its_own_runtime_format_account_and_models(files):
    runtime = files["kserve/serving-runtime.yaml"]
    predictor = files["kserve/inference-service.yaml"]["spec"]["predictor"]
    model = predictor["model"]
    assert model["runtime"] == runtime["metadata"]["name"]
    formats = runtime["spec"]["supportedModelFormats"]
    assert model["modelFormat"] in [{"name": one["name"], "version": one["version"]} for one in formats]
    assert predictor["serviceAccountName"] == files["kserve/service-account.yaml"]["metadata"]["name"]
    expected = {
        "": "pvc://films-models",
        "gs": "gs://shop-models/serving/films",
        "s3": "s3://shop-models/films",
    }
    assert model["storageUri"] == expected[files.settings.scheme]
    # KServe finds the server's container by this name.
    assert runtime["spec"]["containers"][0]["name"] == "kserve-container"
