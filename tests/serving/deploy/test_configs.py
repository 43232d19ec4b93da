"""The server's own files, and the flags, ports and paths that the manifests give it."""

import re

import pytest
from google.protobuf import descriptor_pb2, descriptor_pool, message_factory, text_format, wrappers_pb2
from tensorflow_serving.config import model_server_config_pb2

from tfrec.errors import ServerError
from tfrec.serving.deploy import DeploymentSettings
from tfrec.serving.deploy.settings import LARGEST_WARMUP
from tfrec.serving.server.options import FLAGS

# Flags of tensorflow_model_server that the development server does not have; all stand in
# tensorflow_serving/model_servers/main.cc of version 2.16.1.
ONLY_REAL = {
    "model_config_file",
    "model_config_file_poll_wait_seconds",
    "allow_version_labels_for_unavailable_models",
    "enable_batching",
    "batching_parameters_file",
    "monitoring_config_file",
    "tensorflow_intra_op_parallelism",
    "tensorflow_inter_op_parallelism",
}
ONLY_DEVELOPMENT = {"host"}


def test_every_flag_is_one_of_the_server_with_a_value_of_its_type(files, container):
    docker = re.findall(r'"(--[^"]+)"', files.text["Dockerfile"])
    kserve = files["kserve/serving-runtime.yaml"]["spec"]["containers"][0]["args"]
    kinds = {name: kind for name, kind, _, _ in FLAGS}
    for flags in (container["args"], docker, kserve):
        given = dict(flag[2:].split("=", 1) for flag in flags)
        assert len(given) == len(flags)
        assert set(given) <= (set(kinds) - ONLY_DEVELOPMENT) | ONLY_REAL
        for name, value in given.items():
            if kinds.get(name) is bool:
                assert value in ("true", "false")
            elif name in kinds:
                kinds[name](value)
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
    config = _parse(files.text["config/models.config"], model_server_config_pb2.ModelServerConfig())
    [model] = config.model_config_list.config
    assert (model.name, model.model_platform) == (files.settings.name, "tensorflow")
    mounts = [mount["mountPath"] for mount in container["volumeMounts"] if mount["name"] == "models"]
    if files.settings.scheme == "gs":
        assert (model.base_path, mounts) == ("gs://shop-models/serving/films", [])
    else:
        assert [model.base_path] == mounts
        targets = [volume["target"] for volume in files["compose.yaml"]["services"]["serving"]["volumes"]]
        assert model.base_path in targets


def test_labels_name_versions_that_are_served(files_of):
    config = _parse(files_of("s3").text["config/models.config"], model_server_config_pb2.ModelServerConfig())
    [model] = config.model_config_list.config
    assert dict(model.version_labels) == {"stable": 3, "canary": 4}
    assert list(model.model_version_policy.specific.versions) == [3, 4]
    config = _parse(files_of("gs").text["config/models.config"], model_server_config_pb2.ModelServerConfig())
    assert config.model_config_list.config[0].model_version_policy.latest.num_versions == 1


def test_batches_hold_warmup_requests_and_end_with_the_largest(files):
    """I7: the last allowed size is the largest batch; J6: a warm-up request that is refused fails the load."""
    parameters = _parse(files.text["config/batching.config"], _batching_parameters())
    sizes = list(parameters.allowed_batch_sizes)
    assert sizes == sorted(set(sizes))
    assert sizes[-1] == parameters.max_batch_size.value == files.settings.largest_batch >= LARGEST_WARMUP
    assert parameters.num_batch_threads.value == files.settings.cpus


def test_the_largest_warmup_batch_is_the_one_exports_write():
    import inspect

    from tfrec.export.warmup import write_warmup

    assert max(inspect.signature(write_warmup).parameters["batch_sizes"].default) == LARGEST_WARMUP


def test_prometheus_asks_for_the_path_the_server_is_told(files):
    path = re.search(r'path: "([^"]+)"', files.text["config/monitoring.config"]).group(1)
    assert path == "/monitoring/prometheus/metrics"
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


def _parse(text, message):
    return text_format.Parse(text, message)


def _batching_parameters():
    """An empty BatchingParameters, whose definition is in no package: the fields are those of
    tensorflow_serving/servables/tensorflow/session_bundle_config.proto of version 2.16.1 that a file may set."""
    file = descriptor_pb2.FileDescriptorProto(
        name="batching.proto", package="test", syntax="proto3", dependency=["google/protobuf/wrappers.proto"]
    )
    message = file.message_type.add(name="BatchingParameters")
    field = descriptor_pb2.FieldDescriptorProto
    for number, name in ((1, "max_batch_size"), (2, "batch_timeout_micros"), (3, "max_enqueued_batches"),
                         (4, "num_batch_threads")):  # fmt: skip
        wrapper = ".google.protobuf.Int64Value"
        message.field.add(
            name=name, number=number, label=field.LABEL_OPTIONAL, type=field.TYPE_MESSAGE, type_name=wrapper
        )
    message.field.add(name="allowed_batch_sizes", number=6, label=field.LABEL_REPEATED, type=field.TYPE_INT64)
    message.field.add(name="pad_variable_length_inputs", number=7, label=field.LABEL_OPTIONAL, type=field.TYPE_BOOL)
    pool = descriptor_pool.DescriptorPool()
    pool.AddSerializedFile(wrappers_pb2.DESCRIPTOR.serialized_pb)
    pool.Add(file)
    return message_factory.MessageFactory(pool).GetPrototype(pool.FindMessageTypeByName("test.BatchingParameters"))()
