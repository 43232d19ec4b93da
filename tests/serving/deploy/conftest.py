"""Deployments of three kinds: models on a volume, read from gs://, and copied from s3://."""

import importlib.util
import json

import pytest
import yaml

from tfrec.serving.deploy import DeploymentSettings, rendered

# The core environment has no schemas of Kubernetes and no PromQL.
LACKS_SCHEMAS = importlib.util.find_spec("kubernetes_validate") is None
collect_ignore = ["test_kubernetes.py", "test_kserve.py", "test_monitoring.py"] if LACKS_SCHEMAS else []

SETTINGS = {
    "volume": DeploymentSettings("films", "/srv/serving/films"),
    "gs": DeploymentSettings("Films_2", "gs://shop-models/serving/films/", cpus=4, memory="8Gi", largest_batch=48),
    "s3": DeploymentSettings("films", "s3://shop-models/films", replicas=(3, 6), stable=3, canary=4),
}


class Files:
    """What was rendered: text by path, YAML and JSON parsed."""

    def __init__(self, settings):
        self.settings = settings
        self.text = rendered(settings)

    def __getitem__(self, path):
        if path.endswith(".json"):
            return json.loads(self.text[path])
        documents = [document for document in yaml.safe_load_all(self.text[path]) if document]
        return documents[0] if len(documents) == 1 else documents

    def objects(self, folder):
        """The Kubernetes objects below a folder, but for kustomize's own."""
        for path, text in self.text.items():
            if path.startswith(folder) and path.endswith(".yaml"):
                for document in yaml.safe_load_all(text):
                    if document["kind"] != "Kustomization":
                        yield path, document


@pytest.fixture(params=sorted(SETTINGS))
def files(request):
    return Files(SETTINGS[request.param])


@pytest.fixture(scope="session")
def files_of():
    """files_of(settings) renders a deployment; files_of(name) one of those above."""
    return lambda settings: Files(SETTINGS.get(settings, settings))


@pytest.fixture
def container(files):
    """The server's container in the Deployment."""
    pod = files["kubernetes/deployment.yaml"]["spec"]["template"]["spec"]
    [server] = [container for container in pod["containers"] if container["name"] == "serving"]
    return server
