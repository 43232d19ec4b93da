"""The server's own files, and the flags, ports and paths that the manifests give it."""

import re

import pytest
from google.protobuf import text_format
from tensorflow_serving.config import model_server_config_pb2

from tfrec.errors import ServerError
from tfrec.serving.deploy import DeploymentSettings
from tfrec.serving.deploy.settings import LARGEST_WARMUP
from tfrec.serving.server.batching import batching_from_file
from tfrec.serving.server.flags import FLAGS, OWN_FLAGS
from tfrec.serving.server.metrics import metrics_path


def test_every_flag_is_one_of_the_server_with_a_value_of_its_type(files, container):
    docker = re.findall(r'"(--[^"]+)"', files.text["Dockerfile"])
    kserve = files["kserve/serving-runtime.yaml"]["spec"]["containers"][0]["args"]
    known = {flag.name: flag for flag in FLAGS if flag.name not in OWN_FLAGS}
    for flags in (container["args"], docker, kserve):
        given = dict(flag[2:].split("=", 1) for flag in flags)
        assert len(given) == len(flags)
        for name, value in given.items():
            known[name].read(value)
            assert not known[name].boolean or value in ("true", "false")
        # I2
        assert given["enable_batching"] == "true" and given["batching_parameters_file"]
        # D17
        assert ("model_config_file" in given) != ("model_base_path" in given)
        assert "model_config_file" in given or given["model_name"] == files.settings.name


def test_ports_are_those_the_server_is_told(files, container):
    given = dict(flag[2:].split("=", 1) for flag in container["args"])
    ports = {port["name"]: str(port["containerPort"]) for port in container["ports"]}
    assert ports == {"grpc": given["port"], "http": given["rest_api_port"]}
    compose = files["compose.yaml"]["services"]["serving"]["ports"]
    assert compose == [f"127.0.0.1:{port}:{port}" for port in ports.values()]
    runtime = files["kserve/serving-runtime.yaml"]["spec"]
    args = dict(flag[2:].split("=", 1) for flag in runtime["containers"][0]["args"])
    assert str(runtime["containers"][0]["readinessProbe"]["httpGet"]["port"]) == args["rest_api_port"]
    assert runtime["annotations"]["prometheus.kserve.io/port"] == args["rest_api_port"]


def test_models_config_serves_the_model_from_where_it_is_mounted(files, container):
    [model] = _models(files)
    assert (model.name, model.model_platform) == (files.settings.name, "tensorflow")
    mounts = [mount["mountPath"] for mount in container["volumeMounts"] if mount["name"] == "models"]
    if files.settings.scheme == "gs":
        assert (model.base_path, mounts) == ("gs://shop-models/serving/films", [])
    else:
        assert [model.base_path] == mounts
        targets = [volume["target"] for volume in files["compose.yaml"]["services"]["serving"]["volumes"]]
        assert model.base_path in targets


def _models(files):
    text = files.text["config/models.config"]
    return text_format.Parse(text, model_server_config_pb2.ModelServerConfig()).model_config_list.config


def test_labels_name_versions_that_are_served(files_of):
    [model] = _models(files_of("s3"))
    assert dict(model.version_labels) == {"stable": 3, "canary": 4}
    assert list(model.model_version_policy.specific.versions) == [3, 4]
    assert _models(files_of("gs"))[0].model_version_policy.latest.num_versions == 1


def test_batches_hold_warmup_requests_and_end_with_the_largest(files, tmp_path):
    """I7: the last allowed size is the largest batch; J6: a warm-up request that is refused fails the load."""
    (tmp_path / "batching.config").write_text(files.text["config/batching.config"])
    batching = batching_from_file(str(tmp_path / "batching.config"))
    assert batching.sizes[-1] == batching.largest == files.settings.largest_batch >= LARGEST_WARMUP
    assert batching.at_once == files.settings.cpus


def test_the_largest_warmup_batch_is_the_one_exports_write():
    import inspect

    from tfrec.export.warmup import write_warmup

    assert max(inspect.signature(write_warmup).parameters["batch_sizes"].default) == LARGEST_WARMUP


def test_prometheus_asks_for_the_path_the_server_is_told(files, tmp_path):
    (tmp_path / "monitoring.config").write_text(files.text["config/monitoring.config"])
    path = metrics_path(str(tmp_path / "monitoring.config"))
    assert files["monitoring/prometheus.yml"]["scrape_configs"][0]["metrics_path"] == path
    pod = files["kubernetes/deployment.yaml"]["spec"]["template"]["metadata"]["annotations"]
    assert pod["prometheus.io/path"] == path
    assert files["kserve/serving-runtime.yaml"]["spec"]["annotations"]["prometheus.kserve.io/path"] == path


@pytest.mark.parametrize(
    ("wrong", "sentence"),
    [
        ({"name": "films/2"}, "the model's name is 'films/2'"),
        ({"models": "build/films"}, "the models lie at 'build/films'"),
        ({"models": "ftp://host/films"}, "the models lie at"),
        ({"image": "tensorflow/serving 2"}, "the image is"),
        ({"memory": "lots"}, "the memory is 'lots'"),
        ({"largest_batch": 4}, "give at least 8"),
        ({"replicas": (3, 2)}, "replicas are 3 to 2"),
        ({"canary": 4}, "a canary needs another version to be stable"),
        ({"canary": 4, "stable": 4}, "a canary needs another version to be stable"),
    ],
)
def test_settings_that_cannot_be_deployed_are_one_sentence(wrong, sentence):
    with pytest.raises(ServerError, match=re.escape(sentence)):
        DeploymentSettings(**{"name": "films", "models": "/srv/films", **wrong})
