"""The pipeline definition -> a PipelineSpec 2.1 for Kubeflow Pipelines and Vertex AI Pipelines."""

from __future__ import annotations

import re
from typing import Any

import yaml
from kfp.pipeline_spec import pipeline_spec_pb2
from tfx.orchestration.data_types import RuntimeParameter
from tfx.orchestration.kubeflow.v2.kubeflow_v2_dag_runner import KubeflowV2DagRunner, KubeflowV2DagRunnerConfig
from tfx.orchestration.pipeline import Pipeline

from tfrec.config import Config
from tfrec.data.files import write_text
from tfrec.errors import ConfigError
from tfrec.orchestration import ALL, Kubeflow, Resources
from tfrec.pipelines.fingerprints import Fingerprints
from tfrec.pipelines.kubeflow.places import check_places
from tfrec.pipelines.kubeflow.platform import platform_spec
from tfrec.pipelines.pipeline import Places, create_pipeline

COMMAND = ("python", "-m", "tfrec.pipelines.kubeflow.entry")

_ResourceSpec = pipeline_spec_pb2.PipelineDeploymentConfig.PipelineContainerSpec.ResourceSpec


def write_definition(config: Config, fingerprints: Fingerprints, path: str) -> dict[str, str]:
    """Write the compiled pipeline to `path`: a PipelineSpec as YAML, and a PlatformSpec where Kubernetes is asked for.

    Returns:
        The parameters of a run and their defaults.

    Raises:
        ConfigError: if the section `kubeflow` does not fit, or a path is out of a pod's reach.
        DataError: if the file cannot be written.
    """
    documents, parameters = definition(config, fingerprints)
    write_text(path, yaml.safe_dump_all(documents, sort_keys=True, allow_unicode=True))
    return parameters


def definition(config: Config, fingerprints: Fingerprints) -> tuple[list[dict[str, Any]], dict[str, str]]:
    """The documents of the compiled pipeline, and the defaults of its parameters.

    Raises:
        ConfigError: as `write_definition`.
    """
    settings = config.kubeflow
    if not settings.image:
        raise ConfigError(
            f"{config.source}: kubeflow.image is missing; name the container image made from pipelines/Dockerfile"
        )
    check_places(config)
    defaults: dict[str, str] = {}

    def parameter(name: str, value: str) -> RuntimeParameter:
        defaults[name] = value
        return RuntimeParameter(name=name, ptype=str, default=value)

    pipeline = create_pipeline(config, fingerprints, Places.of(config), parameter=parameter)
    _give_resources(pipeline, settings, config.source)
    pipeline.pipeline_info.pipeline_name = _legal_name(config.name)
    runner = KubeflowV2DagRunner(
        KubeflowV2DagRunnerConfig(
            default_image=settings.image, default_commands=list(COMMAND), use_pipeline_spec_2_1=True
        )
    )
    spec = runner.run(pipeline, write_out=False)["pipelineSpec"]
    # TFX leaves these out: they are fields of a job, which is what Vertex AI takes from TFX, not of a pipeline.
    for name, value in defaults.items():
        spec["root"]["inputDefinitions"]["parameters"][name].update(defaultValue=value, isOptional=True)
    if settings.root:
        spec["defaultPipelineRoot"] = settings.root
    for task in spec["root"]["dag"]["tasks"].values():
        task["cachingOptions"] = {"enableCache": settings.cache}
        if settings.retries:
            task["retryPolicy"] = {"maxRetryCount": settings.retries}
    labels = {name: component["executorLabel"] for name, component in spec["components"].items()}
    platform = platform_spec(settings, labels)
    return ([spec, platform] if platform else [spec]), defaults


def _give_resources(pipeline: Pipeline, settings: Kubeflow, source: str) -> None:
    names = [component.id for component in pipeline.components]
    unknown = sorted(set(settings.resources) - {*names, ALL})
    if unknown:
        raise ConfigError(
            f"{source}: kubeflow.resources names {unknown[0]!r}; expected {ALL} or a component: {', '.join(names)}"
        )
    for component in pipeline.components:
        spec = _resource_spec(settings.resources_of(component.id))
        if spec.ByteSize():
            component.with_platform_config(spec)


def _resource_spec(resources: Resources) -> Any:
    spec = _ResourceSpec(
        cpu_limit=resources.cpu,
        cpu_request=resources.cpu,
        memory_limit=resources.memory,
        memory_request=resources.memory,
    )
    if resources.accelerator:
        spec.accelerator.type = resources.accelerator
        spec.accelerator.count = resources.accelerators
    return spec


def _legal_name(name: str) -> str:
    """A name as Kubeflow wants it: small letters, digits and hyphens."""
    return re.sub(r"[^a-z0-9]+", "-", name.lower()).strip("-")[:128] or "tfrec"
