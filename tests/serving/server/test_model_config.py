"""Section D of the conformance list: several models, by a file or by reload requests, and their labels."""

import json
import logging
import shutil
import time
import urllib.request

import grpc
import pytest
import tensorflow as tf
from google.protobuf import text_format
from tensorflow_serving.apis import get_model_metadata_pb2, get_model_status_pb2, model_management_pb2, predict_pb2

from tfrec.errors import ServableError, ServerError
from tfrec.serving.server import config_file
from tfrec.serving.server.options import Policy


@pytest.fixture(scope="module")
def bases(tmp_path_factory, write_model):
    """Folders of half_plus_two (versions 123 and 124, the latter x / 2 + 5) and half_plus_three (version 1)."""
    root = tmp_path_factory.mktemp("configured")
    write_model["half_plus"](root / "two" / "123")
    write_model["half_plus"](root / "two" / "124", offset=5.0)
    write_model["half_plus"](root / "three" / "1", offset=3.0)
    (root / "empty").mkdir()
    (root / "broken" / "1").mkdir(parents=True)
    (root / "broken" / "1" / "saved_model.pb").write_bytes(b"\xff\xff")
    return root


def entry(name, path, more="", platform='model_platform: "tensorflow"'):
    return f'config {{ name: "{name}" base_path: "{path}" {platform} {more} }}'


def listed(*entries):
    return "model_config_list { " + " ".join(entries) + " }"


BOTH = "model_version_policy { all {} }"
LABELS = 'version_labels { key: "stable" value: 123 } version_labels { key: "canary" value: 124 }'


class Caller:
    def __init__(self, stub):
        self._stub = stub

    def reload(self, config, timeout=20, metrics=()):
        request = model_management_pb2.ReloadConfigRequest(metric_names=metrics)
        text_format.Parse(config, request.config)
        return self._stub.model.HandleReloadConfigRequest(request, timeout=timeout)

    def ask(self, name, label="", version=None):
        request = predict_pb2.PredictRequest()
        request.model_spec.name = name
        if label:
            request.model_spec.version_label = label
        if version:
            request.model_spec.version.value = version
        request.inputs["x"].CopyFrom(tf.make_tensor_proto([[2.0]]))
        return self._stub.prediction.Predict(request, timeout=20).outputs["y"].float_val[0]

    def states(self, name):
        request = get_model_status_pb2.GetModelStatusRequest()
        request.model_spec.name = name
        return {e.version: e.state for e in self._stub.model.GetModelStatus(request).model_version_status}

    def served(self, *names):
        """Those of the models that have an available version."""
        available = set()
        for name in names:
            try:
                if 30 in self.states(name).values():
                    available.add(name)
            except grpc.RpcError as error:
                assert error.code() is grpc.StatusCode.NOT_FOUND
        return available


@pytest.fixture
def call(bases, serve_model, stubs):
    """A server that serves both versions of "two"."""
    with serve_model(bases / "two", model_name="two", rest_api_port=None, policy=Policy("all")) as server:
        yield Caller(stubs(server.grpc_address))


def refused(action, *arguments, **settings):
    with pytest.raises(grpc.RpcError) as raised:
        action(*arguments, **settings)
    return raised.value.code().name, raised.value.details()


def wait_for(condition, seconds=20.0):
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, "what was waited for did not happen"
        time.sleep(0.01)


def test_d1_reload_replaces_the_models_and_returns_once_they_are_available(call, bases, tmp_path):
    response = call.reload(listed(entry("three", bases / "three")))
    assert (response.status.error_code, response.status.error_message) == (0, "")
    assert call.ask("three") == 4.0
    assert refused(call.ask, "two") == ("NOT_FOUND", "Servable not found for request: Latest(two)")
    wait_for(lambda: set(call.states("two").values()) == {50})
    call.reload(listed(entry("three", bases / "three"), entry("two", bases / "two")))
    assert (call.ask("two"), call.ask("three")) == (6.0, 4.0)
    call.reload(listed(entry("three", bases / "two")))  # nobody waits for another version of a model served before
    wait_for(lambda: call.ask("three") == 6.0)


def test_d1_reload_waits_for_new_models_only_and_a_broken_version_of_another_does_not_fail_it(call, bases, tmp_path):
    shutil.copytree(bases / "two" / "123", tmp_path / "two" / "123")
    (tmp_path / "two" / "125").mkdir()
    with_broken = entry("two", tmp_path / "two", BOTH)
    call.reload(listed(with_broken, entry("three", bases / "three")))
    assert (call.ask("two", version=123), call.ask("three")) == (3.0, 4.0)
    wait_for(lambda: call.states("two").get(125) == 50)
    call.reload(listed(with_broken))
    assert call.ask("two") == 3.0


def test_d2_configuration_that_is_no_list_of_models(call):
    text = (
        "ServerModelConfig type not supported by HandleReloadConfigRequest. Only ModelConfigList is currently supported"
    )
    for config in ("", "custom_model_config {}"):
        assert refused(call.reload, config) == ("INVALID_ARGUMENT", text)


def test_d3_to_d7_configurations_that_are_refused_change_nothing(call):
    neither = (
        "Illegal setting neither ModelServerConfig::model_type (deprecated) nor ModelServerConfig::model_platform, "
        "model name is m"
    )
    platform = (
        "Illegal to change a model's platform. For model two platform was tensorflow and new platform requested is"
    )
    of = 'model_platform: "other"'
    for config, code, text in (
        (listed(entry("m", "/a"), entry("m", "/b")), "INVALID_ARGUMENT", "Illegal to list model m multiple times in"),
        (listed(entry("m", "a/b")), "INVALID_ARGUMENT", "Expected model m to have an absolute path or URI; got base_p"),
        (listed(entry("two", "/a", platform=of)), "INVALID_ARGUMENT", platform),
        (listed(entry("m", "/a", platform="")), "INVALID_ARGUMENT", neither),
        (listed(entry("m", "/a", "model_type: TENSORFLOW")), "INVALID_ARGUMENT", "Illegal setting both"),
        (
            listed(entry("m", "/a", platform=of)),
            "FAILED_PRECONDITION",
            "PlatformConfigMap has no entry for platform other",
        ),
    ):
        found = refused(call.reload, config)
        assert found[0] == code and found[1].startswith(text), found
    assert call.ask("two") == 6.0


def test_d8_model_that_fails_to_load(call, bases, serve_model, tmp_path):
    code, text = refused(call.reload, listed(entry("broken", bases / "broken"), entry("three", bases / "three")))
    assert code == "UNKNOWN"
    begin, end = "1 model(s) did not become available: {{{name: broken version: 1} due to error: ", "}, }"
    assert text.startswith(begin) and text.endswith(end)
    assert call.ask("three") == 4.0
    file = tmp_path / "models.config"
    file.write_text(listed(entry("broken", bases / "broken")))
    with pytest.raises(ServableError, match=r"1 servable\(s\) did not become available"):
        serve_model("", model_config_file=str(file)).__enter__()


def test_k6_a_model_with_one_broken_version_is_served_from_the_start(bases, serve_model, stubs, tmp_path):
    shutil.copytree(bases / "two" / "123", tmp_path / "two" / "123")
    (tmp_path / "two" / "125").mkdir()
    file = tmp_path / "models.config"
    versions = "model_version_policy { specific { versions: 123 versions: 125 } }"
    file.write_text(listed(entry("two", tmp_path / "two", versions)))
    slow_retries = {"load_retries": 5, "load_retry_interval": 60.0, "wait_for_model": True}
    with serve_model("", model_config_file=str(file), rest_api_port=None, **slow_retries) as server:
        call = Caller(stubs(server.grpc_address))
        assert call.ask("two") == 3.0
        assert call.states("two") == {123: 30, 125: 20}


def test_d9_reload_blocks_while_a_model_has_no_version_until_the_caller_gives_up(call, bases):
    assert refused(call.reload, listed(entry("m", bases / "nowhere")), timeout=0.5)[0] == "DEADLINE_EXCEEDED"
    assert refused(call.reload, listed(entry("m", bases / "empty")), timeout=0.5)[0] == "DEADLINE_EXCEEDED"


def test_d10_a7_labels_name_versions(call, bases):
    call.reload(listed(entry("two", bases / "two", BOTH + LABELS)))
    assert (call.ask("two", "stable"), call.ask("two", "canary")) == (3.0, 6.0)
    call.reload(listed(entry("two", bases / "two", BOTH + 'version_labels { key: "stable" value: 124 }')))
    assert call.ask("two", "stable") == 6.0
    assert refused(call.ask, "two", "canary") == ("INVALID_ARGUMENT", "Unrecognized servable version label: canary")


def test_g4_b5_labels_name_versions_by_rest_and_in_metadata(bases, serve_model, stubs, tmp_path):
    file = tmp_path / "models.config"
    file.write_text(listed(entry("two", bases / "two", BOTH + LABELS)))
    with serve_model("", model_config_file=str(file), labels_for_unavailable=True) as server:
        body = json.dumps({"instances": [2.0]}).encode()
        for label, expected in (("stable", 3.0), ("c%61nary", 6.0)):
            with urllib.request.urlopen(f"{server.rest_url}/v1/models/two/labels/{label}:predict", body) as response:
                assert json.load(response) == {"predictions": [expected]}
        request = get_model_metadata_pb2.GetModelMetadataRequest(metadata_field=["signature_def"])
        request.model_spec.name, request.model_spec.version_label = "two", "stable"
        assert stubs(server.grpc_address).prediction.GetModelMetadata(request).model_spec.version.value == 123


def test_d11_label_of_a_version_that_is_not_available(call, bases):
    text = "Request to assign label to version 7 of model two, which is not currently available for inference"
    config = listed(entry("two", bases / "two", BOTH + 'version_labels { key: "x" value: 7 }'))
    assert refused(call.reload, config) == ("FAILED_PRECONDITION", text)
    with_new = listed(entry("three", bases / "three", 'version_labels { key: "x" value: 1 }'))
    assert refused(call.reload, with_new)[0] == "FAILED_PRECONDITION"
    call.reload(listed(entry("three", bases / "three")))
    call.reload(with_new)
    assert call.ask("three", "x") == 4.0


def test_d12_new_labels_may_be_ahead_of_their_version_if_wanted(bases, serve_model, stubs):
    options = {"rest_api_port": None, "policy": Policy("all"), "labels_for_unavailable": True}
    with serve_model(bases / "two", model_name="two", **options) as server:
        call = Caller(stubs(server.grpc_address))
        call.reload(listed(entry("two", bases / "two", BOTH + 'version_labels { key: "x" value: 7 }')))
        assert refused(call.ask, "two", "x")[1] == "Servable not found for request: Specific(two, 7)"
        same = entry("two", bases / "two", BOTH + 'version_labels { key: "x" value: 7 }')
        call.reload(listed(same, entry("three", bases / "three")))
        assert call.ask("three") == 4.0
        again = listed(entry("two", bases / "two", BOTH + 'version_labels { key: "x" value: 8 }'))
        assert refused(call.reload, again)[0] == "FAILED_PRECONDITION"


def test_d13_reload_says_how_much_metrics_grew(call, bases):
    names = ["/tensorflow/serving/request_count", "/unknown"]
    (metric,) = call.reload(listed(entry("two", bases / "two")), metrics=names).metric
    assert (metric.name, metric.int64_value_increase) == ("/tensorflow/serving/request_count", 0)


def test_d14_d16_config_file_serves_several_models_and_is_read_again(bases, serve_model, stubs, tmp_path, caplog):
    file = tmp_path / "models.config"
    file.write_text(listed(entry("two", bases / "two", "model_version_policy { specific { versions: 123 } }")))
    polled = {"model_config_file": str(file), "model_config_poll_wait": 0.1, "rest_api_port": None}
    with serve_model("/ignored", model_name="ignored", **polled) as server:
        call = Caller(stubs(server.grpc_address))
        assert call.ask("two") == 3.0
        assert refused(call.ask, "ignored")[0] == "NOT_FOUND"
        with caplog.at_level(logging.ERROR):
            file.write_text("improperly formatted file")
            wait_for(lambda: "Error parsing text-format" in caplog.text)
        assert call.ask("two") == 3.0
        file.write_text(listed(entry("three", bases / "three")))
        wait_for(lambda: "two" not in call.served("two", "three") and "three" in call.served("two", "three"))
        assert call.ask("three") == 4.0


def test_d14_both_models_answer_and_d16_without_polling_a_change_is_ignored(bases, serve_model, stubs, tmp_path):
    file = tmp_path / "models.config"
    two = entry("half_plus_two", bases / "two", "model_version_policy { specific { versions: 123 } }")
    file.write_text(listed(two, entry("half_plus_three", bases / "three")))
    with serve_model("", model_config_file=str(file), rest_api_port=None) as server:
        call = Caller(stubs(server.grpc_address))
        assert (call.ask("half_plus_two"), call.ask("half_plus_three")) == (3.0, 4.0)
        file.write_text(listed(entry("other", bases / "three")))
        time.sleep(0.3)
        assert call.ask("half_plus_two") == 3.0


def test_d15_improperly_formatted_file_ends_the_start(serve_model, tmp_path):
    file = tmp_path / "models.config"
    file.write_text("improperly formatted file")
    with pytest.raises(ServerError, match=r"Error parsing text-format tensorflow\.serving\.ModelServerConfig"):
        serve_model("", model_config_file=str(file)).__enter__()
    with pytest.raises(ServerError, match="cannot read the model config file"):
        serve_model("", model_config_file=str(tmp_path / "none")).__enter__()


def test_an_error_in_the_polled_file_is_logged_once_and_another_one_again(tmp_path, caplog, monkeypatch):
    file = tmp_path / "models.config"
    file.write_text("model_config_list { nonsense")
    polls = []
    read = config_file.configs_from_file
    monkeypatch.setattr(config_file, "configs_from_file", lambda path: (polls.append(path), read(path))[1])
    polled = config_file.ConfigFile(str(file), 0.01, registry=None)
    polled.start()
    try:
        wait_for(lambda: len(polls) > 3)
        assert len(caplog.records) == 1 and "is not served" in caplog.text
        other = tmp_path / "other.config"
        other.write_text("model_config_list { other nonsense")
        other.replace(file)
        seen = len(polls)
        wait_for(lambda: len(polls) > seen + 3)
    finally:
        polled.stop()
    assert len(caplog.records) == 2
