"""The part of the compiled pipeline that only Kubernetes has: nodes, tolerations, volumes and secrets."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from tfrec.orchestration import Kubeflow


def platform_spec(settings: Kubeflow, components: Mapping[str, str]) -> dict[str, Any]:
    """The PlatformSpec as JSON, {} where nothing is asked for; Vertex AI takes no pipeline that has one.

    Args:
        settings: the section `kubeflow`.
        components: the label of each component's executor by its name.
    """
    executors = {label: _executor(settings, name) for name, label in components.items()}
    executors = {label: executor for label, executor in executors.items() if executor}
    return {"platforms": {"kubernetes": {"deploymentSpec": {"executors": executors}}}} if executors else {}


def _executor(settings: Kubeflow, component: str) -> dict[str, Any]:
    """The KubernetesExecutorConfig of a component as JSON."""
    resources = settings.resources_of(component)
    parts = {
        "nodeSelector": {"labels": dict(resources.nodes)} if resources.nodes else None,
        "tolerations": [dict(toleration) for toleration in resources.tolerations],
        "pvcMount": [{"constant": claim, "mountPath": folder} for claim, folder in settings.volumes.items()],
        "secretAsVolume": [{"secretName": name, "mountPath": folder} for name, folder in settings.secrets.items()],
    }
    return {key: part for key, part in parts.items() if part}
