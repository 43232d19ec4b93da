import kubernetes_validate
import pytest
import yaml

from tfrec.serving.deploy import DeploymentSettings
from tfrec.serving.deploy.settings import CONNECTION_AGE, CONNECTION_GRACE

# The oldest that has what is used (a sidecar is an init container that restarts), and the newest that is known.
VERSIONS = ("1.29", kubernetes_validate.latest_version())


def test_every_object_is_valid_in_strict_mode(files):
    kinds = set()
    for _, document in files.objects("kubernetes/"):
        kinds.add(document["kind"])
        for version in VERSIONS:
            kubernetes_validate.validate(document, version, strict=True)
    assert kinds >= {"Deployment", "Service", "HorizontalPodAutoscaler", "PodDisruptionBudget", "ServiceAccount"}
    assert ("PersistentVolumeClaim" in kinds) == (files.settings.scheme == "")


def test_a_misspelt_field_would_be_found(files):
    deployment = files["kubernetes/deployment.yaml"]
    deployment["spec"]["template"]["spec"]["terminationGracePeriod"] = 5
    with pytest.raises(kubernetes_validate.ValidationError):
        kubernetes_validate.validate(deployment, VERSIONS[0], strict=True)


@pytest.mark.parametrize("name", ["7", "on", "Null", "_", "1e5", "A.b_C", "x" * 80, "2024-films"])
def test_any_name_of_a_model_makes_valid_objects(files_of, name):
    files = files_of(DeploymentSettings(name, "/srv/films"))
    for _, document in files.objects("kubernetes/"):
        kubernetes_validate.validate(document, VERSIONS[-1], strict=True)
    service = files["kubernetes/service.yaml"][1]["metadata"]["name"]
    assert isinstance(service, str) and len(service) <= 63 and service[0].isalpha() and service[-1].isalnum()


def test_kustomize_lists_every_object_and_generates_every_config_map(files):
    for folder in ("", "kserve/"):
        kustomization = files[f"{folder}kustomization.yaml"]
        for path in kustomization["resources"]:
            assert folder + path in files.text
        objects = "kserve/" if folder else "kubernetes/"
        assert {path for path, _ in files.objects(objects)} == {folder + path for path in kustomization["resources"]}
        generated = {}
        for generator in kustomization["configMapGenerator"]:
            assert all(folder + path in files.text for path in generator["files"])
            generated[generator["name"]] = {path.rpartition("/")[2] for path in generator["files"]}
        for _, document in files.objects(objects):
            for name, used in _config_maps(document):
                assert used <= generated[name]


def _config_maps(document):
    """The config maps a pod mounts, and the files below their mount paths that its containers name."""
    spec = document.get("spec", {})
    pod = spec.get("template", {}).get("spec", spec)
    containers = [*pod.get("containers", []), *pod.get("initContainers", [])]
    for volume in pod.get("volumes", []):
        if "configMap" not in volume:
            continue
        used = set()
        for container in containers:
            for mount in container["volumeMounts"]:
                words = " ".join([*container["command"], *container.get("args", [])]).replace("=", " ").split()
                if mount["name"] == volume["name"]:
                    prefix = mount["mountPath"] + "/"
                    used |= {word[len(prefix) :] for word in words if word.startswith(prefix)}
        assert used, f"nothing uses {volume}"
        yield volume["configMap"]["name"], used


def test_what_selects_pods_fits_their_labels(files):
    pods = files["kubernetes/deployment.yaml"]["spec"]["template"]["metadata"]["labels"]
    assert files["kubernetes/deployment.yaml"]["spec"]["selector"]["matchLabels"] == pods
    assert files["kubernetes/disruption-budget.yaml"]["spec"]["selector"]["matchLabels"] == pods
    for service in files["kubernetes/service.yaml"]:
        assert service["spec"]["selector"] == pods
    target = files["kubernetes/autoscaler.yaml"]["spec"]["scaleTargetRef"]
    assert target["name"] == files["kubernetes/deployment.yaml"]["metadata"]["name"]


def test_mounts_have_volumes_and_services_have_ports(files, container):
    pod = files["kubernetes/deployment.yaml"]["spec"]["template"]["spec"]
    volumes = {volume["name"] for volume in pod["volumes"]}
    for one in [*pod["containers"], *pod.get("initContainers", [])]:
        assert {mount["name"] for mount in one["volumeMounts"]} <= volumes
    ports = {port["name"]: port["containerPort"] for port in container["ports"]}
    for service in files["kubernetes/service.yaml"]:
        for port in service["spec"]["ports"]:
            assert ports[port["targetPort"]] == port["port"]


def test_readiness_means_a_loaded_model_and_liveness_only_that_the_server_answers(files, container):
    """K5, K6."""
    name = files.settings.name
    assert container["readinessProbe"]["httpGet"] == {"path": f"/v1/models/{name}/metadata", "port": "http"}
    assert container["startupProbe"]["httpGet"] == container["readinessProbe"]["httpGet"]
    assert container["livenessProbe"]["httpGet"] == {"path": f"/v1/models/{name}", "port": "http"}


def test_a_rolling_update_takes_no_server_away_before_clients_have_left_it(files, container):
    spec = files["kubernetes/deployment.yaml"]["spec"]
    assert spec["strategy"]["rollingUpdate"]["maxUnavailable"] == 0
    drain = int(container["lifecycle"]["preStop"]["exec"]["command"][1])
    assert spec["template"]["spec"]["terminationGracePeriodSeconds"] > drain
    # A connection opened just before the pod left the Service is closed, and its last request answered, in time.
    assert drain > (CONNECTION_AGE * 1.1 + CONNECTION_GRACE) / 1000  # gRPC varies the age by a tenth.
    assert f"grpc.max_connection_age_ms={CONNECTION_AGE}" in " ".join(container["args"])


def test_servers_run_without_root_or_rights(files):
    pod = files["kubernetes/deployment.yaml"]["spec"]["template"]["spec"]
    assert pod["securityContext"]["runAsNonRoot"] and not pod["automountServiceAccountToken"]
    for container in [*pod["containers"], *pod.get("initContainers", [])]:
        assert container["securityContext"] == {
            "allowPrivilegeEscalation": False,
            "readOnlyRootFilesystem": True,
            "capabilities": {"drop": ["ALL"]},
        }
        assert container["resources"]["limits"]["memory"] and container["resources"]["requests"]["cpu"]


def test_compose_runs_the_same_command_as_kubernetes(files, container):
    service = files["compose.yaml"]["services"]["serving"]
    assert service["command"] == container["args"]
    assert service["entrypoint"] == container["command"]
    assert service["image"] == container["image"] == files.settings.image


def test_the_claim_is_the_one_the_pods_mount(files_of):
    files = files_of("volume")
    volumes = files["kubernetes/deployment.yaml"]["spec"]["template"]["spec"]["volumes"]
    claims = [volume["persistentVolumeClaim"]["claimName"] for volume in volumes if "persistentVolumeClaim" in volume]
    assert claims == [yaml.safe_load(files.text["kubernetes/volume.yaml"])["metadata"]["name"]]
