"""The sections `pipeline` and `kubeflow` of a configuration: on what the pipeline runs, not what it gives."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from typing import Any

from tfrec.errors import ConfigError
from tfrec.settings import fill

ALL = "all"
"""The name in `kubeflow.resources` for what every component gets that has no entry of its own."""


@dataclasses.dataclass(frozen=True)
class PipelineSettings:
    """Of every runner.

    Attributes:
        beam: options of Apache Beam for the components that run on it; none means one process.
        tune: search the settings of the section `tuning` before training, and train with the best.
    """

    beam: tuple[str, ...] = ()
    tune: bool = False


@dataclasses.dataclass(frozen=True)
class Resources:
    """What the container of a component gets.

    Attributes:
        cpu: virtual CPUs; `memory`: GB of 10^9 bytes; 0 leaves either to the cluster.
        accelerator: on Kubeflow the resource that the device plugin offers, such as nvidia.com/gpu or google.com/tpu;
            on Vertex AI the type, such as NVIDIA_L4. `accelerators`: how many.
        nodes: labels of the nodes to run on; `tolerations`: Kubernetes tolerations of their taints. Kubeflow only.
    """

    cpu: float = 0.0
    memory: float = 0.0
    accelerator: str = ""
    accelerators: int = 1
    nodes: Mapping[str, str] = dataclasses.field(default_factory=dict)
    tolerations: tuple[Mapping[str, str], ...] = ()


@dataclasses.dataclass(frozen=True)
class Kubeflow:
    """How the pipeline runs on Kubeflow Pipelines or Vertex AI Pipelines.

    Attributes:
        image: container image with this package, made from pipelines/Dockerfile.
        root: folder of the artifacts, "" for the installation's own.
        cache: whether a component that ran with the same inputs is not run again.
        retries: how often a component that failed is tried again; a training goes on from its last checkpoint.
        resources: `Resources` by name of the component, or "all".
        volumes: folders of the container by name of the persistent volume claim mounted there. Kubeflow only.
        secrets: folders of the container by name of the Kubernetes secret mounted there. Kubeflow only.
    """

    image: str = ""
    root: str = ""
    cache: bool = True
    retries: int = 0
    resources: Mapping[str, Resources] = dataclasses.field(default_factory=dict)
    volumes: Mapping[str, str] = dataclasses.field(default_factory=dict)
    secrets: Mapping[str, str] = dataclasses.field(default_factory=dict)

    def resources_of(self, component: str) -> Resources:
        """What a component gets: its own entry, else that of all."""
        return self.resources.get(component) or self.resources.get(ALL) or Resources()


def parse_kubeflow(mapping: Any, where: str) -> Kubeflow:
    """Check the section `kubeflow`; `where` begins every message.

    Raises:
        ConfigError: naming the key, what was expected and what came.
    """
    settings = fill(Kubeflow, mapping, where)
    if settings.retries < 0:
        raise ConfigError(f"{where}.retries is {settings.retries}; it must be at least 0")
    for key in ("volumes", "secrets"):
        for name, folder in _texts(getattr(settings, key), f"{where}.{key}").items():
            if not folder.startswith("/"):
                raise ConfigError(f"{where}.{key}.{name} is {folder!r}; expected an absolute folder such as /data")
    if not isinstance(settings.resources, Mapping):
        raise ConfigError(
            f"{where}.resources must be a mapping from component to resources, got {settings.resources!r}"
        )
    resources = {name: _resources(given, f"{where}.resources.{name}") for name, given in settings.resources.items()}
    return dataclasses.replace(settings, resources=resources)


def _resources(mapping: Any, where: str) -> Resources:
    resources = fill(Resources, mapping, where)
    for key in ("cpu", "memory", "accelerators"):
        if not getattr(resources, key) >= 0:
            raise ConfigError(f"{where}.{key} is {getattr(resources, key)}; it must be at least 0")
    _texts(resources.nodes, f"{where}.nodes")
    for number, toleration in enumerate(resources.tolerations):
        _texts(toleration, f"{where}.tolerations[{number}]")
    return resources


def _texts(mapping: Any, where: str) -> Mapping[str, str]:
    if not isinstance(mapping, Mapping) or not all(isinstance(value, str) for value in mapping.values()):
        raise ConfigError(f"{where} must be a mapping from text to text, got {mapping!r}; quote numbers and true")
    return mapping
