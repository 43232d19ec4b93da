"""Section E and J of the conformance list: polling, hot swap, broken versions, warm-up."""

import gc
import re
import shutil
import threading
import time
import urllib.error
import urllib.request

import grpc
import numpy as np
import pytest
from tensorflow_serving.apis import get_model_status_pb2, prediction_log_pb2

from tfrec.errors import ServableError, ServerError
from tfrec.serving import CallError, Client
from tfrec.serving.server.options import Policy

X = {"x": np.array([[2.0]], np.float32)}


@pytest.fixture
def publish(tmp_path, write_model, base_paths):
    """Makes version `number` of half_plus (y = x / 2 + number) appear at once, or a broken one."""

    def publish(number, broken=False, warmup=()):
        aside = tmp_path / "aside"
        write_model["half_plus"](aside, offset=float(number))
        if broken:
            graph = aside / "saved_model.pb"
            graph.write_bytes(graph.read_bytes()[: graph.stat().st_size // 2])
        if warmup:
            write_warmup(aside, warmup)
        base = tmp_path / "model"
        base.mkdir(exist_ok=True)
        aside.rename(base / str(number))
        return base

    return publish


def write_warmup(path, records):
    import tensorflow as tf

    (path / "assets.extra").mkdir()
    with tf.io.TFRecordWriter(str(path / "assets.extra" / "tf_serving_warmup_requests")) as writer:
        for record in records:
            writer.write(record)


def predict_log(signature="serving_default", inputs=("x",)):
    import tensorflow as tf

    log = prediction_log_pb2.PredictionLog()
    request = log.predict_log.request
    request.model_spec.name = "of another name"
    request.model_spec.version.value = 77
    request.model_spec.signature_name = signature
    for alias in inputs:
        request.inputs[alias].CopyFrom(tf.make_tensor_proto([[1.0]]))
    return log.SerializeToString()


def wait_for(condition, seconds=20.0):
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, "what was waited for did not happen"
        time.sleep(0.01)


def states(client):
    return {version.version: version.state for version in client.status()}


def answer(client):
    outputs, version = client.predict("serving_default", X)
    return float(outputs["y"][0, 0]), version


def test_e4_new_versions_take_over_under_constant_requests_without_a_failed_or_mixed_answer(publish, serve_model):
    base = publish(1)
    failures, answers, done = [], [], threading.Event()

    with serve_model(base, rest_api_port=None) as server:

        def ask():
            with Client(server.grpc_address, attempts=1) as client:
                while not done.is_set():
                    try:
                        answers.append(answer(client))
                    except ServerError as error:
                        failures.append(error)

        threads = [threading.Thread(target=ask) for _ in range(3)]
        for thread in threads:
            thread.start()
        with Client(server.grpc_address) as client:
            for number in (2, 3, 4):
                publish(number)
                wait_for(lambda number=number: answers and answers[-1][1] == number)
                wait_for(lambda number=number: states(client)[number - 1] == "END")
            assert states(client) == {4: "AVAILABLE", 3: "END", 2: "END", 1: "END"}
        done.set()
        for thread in threads:
            thread.join()
    assert not failures
    assert {version for _, version in answers} == {1, 2, 3, 4}
    assert all(value == 1.0 + version for value, version in answers)


def test_e4_unloading_waits_for_requests_in_flight(tmp_path, write_model, serve_model):
    write_model["echo"](tmp_path / "1")
    with serve_model(tmp_path, rest_api_port=None) as server, Client(server.grpc_address, timeout=60) as client:
        results, refused = [], []

        def ask_the_first_version():
            """One slow request after the other, so that one is in flight whenever unloading begins."""
            with Client(server.grpc_address, timeout=60, version=1) as first:
                while not refused:
                    try:
                        results.append(first.predict("slow", {"steps": np.array(2000, np.int32)}))
                    except CallError as error:
                        refused.append(error.code)

        slow = threading.Thread(target=ask_the_first_version)
        slow.start()
        wait_for(lambda: results)
        shutil.copytree(tmp_path / "1", tmp_path / "aside")
        (tmp_path / "aside").rename(tmp_path / "2")
        wait_for(lambda: states(client)[1] == "UNLOADING", seconds=60)
        slow.join()
        assert {version for _, version in results} == {1}
        assert refused == ["NOT_FOUND"]  # A request after unloading began; those in flight were answered.
        wait_for(lambda: states(client)[1] == "END")


def test_e5_broken_version_keeps_the_old_one_and_shows_its_error(publish, serve_model):
    base = publish(1)
    with serve_model(base, rest_api_port=None) as server, Client(server.grpc_address) as client:
        publish(2, broken=True)
        wait_for(lambda: states(client).get(2) == "END")
        assert answer(client) == (2.0, 1)
        assert states(client)[1] == "AVAILABLE"
        broken = client.status()[0]
        assert broken.error_code != 0 and broken.error_message
        publish(3)
        wait_for(lambda: states(client).get(1) == "END")
        assert answer(client) == (4.0, 3)


def test_e5_e8_half_written_version_is_tried_again_until_it_is_whole(publish, tmp_path, serve_model):
    base = publish(1)
    publish(2)
    (base / "2").rename(tmp_path / "whole")
    with (
        serve_model(base, rest_api_port=None, load_retries=50, load_retry_interval=0.1) as server,
        Client(server.grpc_address) as client,
    ):
        (base / "2").mkdir()
        wait_for(lambda: states(client).get(2) == "LOADING")
        shutil.copytree(tmp_path / "whole" / "variables", base / "2" / "variables")
        time.sleep(0.3)
        assert answer(client) == (2.0, 1)
        shutil.copy(tmp_path / "whole" / "saved_model.pb", base / "2" / "saved_model.tmp")
        (base / "2" / "saved_model.tmp").rename(base / "2" / "saved_model.pb")
        wait_for(lambda: answer(client) == (3.0, 2))


def test_e8_version_that_never_becomes_whole_ends_with_an_error_after_its_retries(publish, serve_model):
    base = publish(1)
    with (
        serve_model(base, rest_api_port=None, load_retries=2, load_retry_interval=0.05) as server,
        Client(server.grpc_address) as client,
    ):
        (base / "2").mkdir()
        wait_for(lambda: states(client).get(2) == "END")
        status = client.status()[0]
        assert (status.version, status.error_code) == (2, 5)
        assert "Could not find SavedModel .pb or .pbtxt at supplied export directory path" in status.error_message
        assert answer(client) == (2.0, 1)


def test_e6_deleting_the_newest_version_brings_the_older_one_back(publish, serve_model):
    base = publish(1)
    publish(2)
    with serve_model(base, rest_api_port=None) as server, Client(server.grpc_address) as client:
        assert answer(client) == (3.0, 2)
        shutil.rmtree(base / "2")
        wait_for(lambda: states(client) == {1: "AVAILABLE", 2: "END"})
        assert answer(client) == (2.0, 1)


def test_e9_renamed_version_is_another_version(publish, serve_model):
    base = publish(1)
    with serve_model(base, rest_api_port=None) as server, Client(server.grpc_address) as client:
        (base / "1").rename(base / "7")
        wait_for(lambda: states(client) == {7: "AVAILABLE", 1: "END"})
        assert answer(client) == (2.0, 7)


def test_k5_metadata_is_found_only_while_a_version_is_available_and_status_always(publish, serve_model):
    base = publish(1)

    def got(path):
        try:
            with urllib.request.urlopen(f"{server.rest_url}/v1/models/default{path}") as response:
                return response.status
        except urllib.error.HTTPError as error:
            return error.code

    with serve_model(base) as server, Client(server.grpc_address) as client:
        assert (got(""), got("/metadata")) == (200, 200)
        shutil.rmtree(base / "1")
        wait_for(lambda: states(client) == {1: "END"})
        assert (got(""), got("/metadata")) == (200, 404)


def test_e7_base_path_that_vanishes_changes_nothing_and_an_empty_one_unloads(publish, tmp_path, serve_model):
    base = publish(1)
    with serve_model(base, rest_api_port=None) as server, Client(server.grpc_address) as client:
        base.rename(tmp_path / "hidden")
        time.sleep(0.3)
        assert answer(client) == (2.0, 1)
        base.mkdir()
        wait_for(lambda: states(client) == {1: "END"})
        with pytest.raises(CallError, match=r"Latest\(default\)"):
            answer(client)


def test_e1_policies_all_and_specific_serve_several_versions(publish, serve_model):
    base = publish(1)
    publish(2)
    publish(3)
    for policy, expected in ((Policy("all"), {1, 2, 3}), (Policy("specific", versions=(1, 3, 9)), {1, 3})):
        with serve_model(base, rest_api_port=None, policy=policy) as server:
            with Client(server.grpc_address) as client:
                assert set(states(client)) == expected
                assert answer(client)[1] == 3
            with Client(server.grpc_address, version=1) as client:
                assert answer(client) == (2.0, 1)


def test_e3_no_polling_serves_what_was_there_at_the_start(publish, serve_model):
    base = publish(1)
    with serve_model(base, rest_api_port=None, poll_wait=0) as server, Client(server.grpc_address) as client:
        publish(2)
        time.sleep(0.3)
        assert states(client) == {1: "AVAILABLE"}


def test_k6_a_model_that_cannot_be_loaded_at_the_start_is_an_error(publish, tmp_path, serve_model):
    base = publish(1, broken=True)
    with pytest.raises(ServableError, match=r"1 servable\(s\) did not become available.*version: 1"):
        serve_model(base).__enter__()
    with pytest.raises(ServableError, match="no version of model 'default' to serve"):
        serve_model(tmp_path / "nowhere").__enter__()


def test_d9_server_can_wait_for_its_first_version(publish, tmp_path, serve_model):
    later = threading.Timer(0.3, publish, [1])
    later.start()
    with (
        serve_model(tmp_path / "model", rest_api_port=None, wait_for_model=True) as server,
        Client(server.grpc_address) as client,
    ):
        assert answer(client) == (2.0, 1)
    later.join()


def test_taken_port_is_one_sentence(half_plus, base_paths, serve_model):
    port = int(half_plus.grpc_address.split(":")[1])
    with pytest.raises(ServerError, match=f"cannot listen on 127.0.0.1:{port} for gRPC"):
        serve_model(base_paths["half_plus"], grpc_port=port).__enter__()
    port = int(half_plus.rest_url.rsplit(":")[-1])
    with pytest.raises(ServerError, match=f"cannot listen on 127.0.0.1:{port} for REST"):
        serve_model(base_paths["half_plus"], rest_api_port=port).__enter__()


def test_j1_j7_j8_warmup_requests_are_replayed_by_signature_before_the_version_is_available(
    tmp_path, write_model, serve_model
):
    write_model["counter"](tmp_path / "1")
    write_warmup(tmp_path / "1", [predict_log("incr_counter", inputs=())] * 3)
    for options, replayed in (({"warmup_iterations": 2}, 6.0), ({"warmup": False}, 0.0)):
        with (
            serve_model(tmp_path, rest_api_port=None, **options) as server,
            Client(server.grpc_address) as client,
        ):
            assert client.predict("get_counter", {})[0]["output"] == replayed


def test_j1_every_kind_of_request_is_replayed(tmp_path, write_model, serve_model):
    write_model["half_plus"](tmp_path / "1")
    logs = [prediction_log_pb2.PredictionLog() for _ in range(3)]
    task = logs[2].multi_inference_log.request.tasks.add(method_name="tensorflow/serving/regress")
    task.model_spec.name, task.model_spec.signature_name = "default", "regress_x_to_y"
    logs[0].classify_log.request.model_spec.signature_name = "classify_x_to_y"
    logs[1].regress_log.request.model_spec.signature_name = "regress_x_to_y"
    for log in logs:
        kind = getattr(log, log.WhichOneof("log_type"))
        kind.request.input.example_list.examples.add().features.feature["x"].float_list.value.append(2.0)
    write_warmup(tmp_path / "1", [log.SerializeToString() for log in logs])
    with serve_model(tmp_path, rest_api_port=None) as server, Client(server.grpc_address) as client:
        assert answer(client) == (3.0, 1)
    logs[1].regress_log.request.model_spec.signature_name = "nope"
    write_model["half_plus"](tmp_path / "2")
    write_warmup(tmp_path / "2", [logs[1].SerializeToString()])
    with pytest.raises(ServableError, match="No signature was found with the name: nope"):
        serve_model(tmp_path).__enter__()


def test_j2_version_without_warmup_file_is_served(half_plus):
    with Client(half_plus.grpc_address) as client:
        assert answer(client) == (3.0, 123)


@pytest.mark.parametrize(
    ("records", "text"),
    [
        (lambda: [predict_log()] * 1001, r"Number of warmup records exceeds the maximum \(1000\)"),
        (lambda: [b"\xff\xff broken"], "Failed to parse warmup record: "),
        (lambda: [session_run_log()], "Unsupported log_type for warmup"),
        (lambda: [predict_log(inputs=("wrong",))], "Signature input alias: x"),
    ],
    ids=["j3", "j4", "j5", "j6"],
)
def test_j3_to_j6_bad_warmup_fails_the_load_and_the_old_version_stays(publish, serve_model, records, text):
    base = publish(1)
    with serve_model(base, rest_api_port=None) as server, Client(server.grpc_address) as client:
        publish(2, warmup=records())
        wait_for(lambda: states(client).get(2) == "END")
        assert re.search(text, client.status()[0].error_message)
        assert answer(client) == (2.0, 1)


def session_run_log():
    log = prediction_log_pb2.PredictionLog()
    log.session_run_log.SetInParent()
    return log.SerializeToString()


def test_c7_status_walks_through_the_states_newest_first(publish, serve_model, stubs):
    base = publish(1)
    seen = []
    with serve_model(base, rest_api_port=None) as server:
        status = stubs(server.grpc_address).model.GetModelStatus
        message = get_model_status_pb2.GetModelStatusRequest()
        message.model_spec.name = "default"

        def look():
            entries = status(message).model_version_status
            state = [(entry.version, entry.state) for entry in entries]
            if not seen or seen[-1] != state:
                seen.append(state)
            return state == [(2, 30), (1, 50)]

        publish(2)
        wait_for(look)
    of_new, of_old = ([dict(state)[number] for state in seen if number in dict(state)] for number in (2, 1))
    assert of_new == sorted(of_new) and of_new[-1] == 30
    assert of_old == sorted(of_old) and of_old[0] == 30
    assert all(30 in dict(state).values() for state in seen)
    assert all([number for number, _ in state] == sorted(dict(state), reverse=True) for state in seen)


def test_versions_that_failed_keep_their_error_and_nothing_of_what_was_loaded(publish, serve_model):
    import tensorflow as tf

    def graphs():
        gc.collect()
        return sum(isinstance(thing, tf.Graph) for thing in gc.get_objects())

    with serve_model(publish(1), rest_api_port=None) as server, Client(server.grpc_address) as client:
        publish(2, broken=True)
        wait_for(lambda: states(client).get(2) == "END")
        before = graphs()
        for number in (3, 4, 5):
            publish(number, broken=True)
            wait_for(lambda number=number: states(client).get(number) == "END")
        assert [bool(version.error_message) for version in client.status()] == [True] * 4 + [False]
        assert graphs() == before


def test_stopping_lets_the_request_in_flight_end(base_paths, serve_model):
    with serve_model(base_paths["echo"], rest_api_port=None) as server:
        results = []
        client = Client(server.grpc_address, timeout=30)
        inputs = {"steps": np.array(1500, np.int32)}
        slow = threading.Thread(target=lambda: results.append(client.predict("slow", inputs)))
        slow.start()
        time.sleep(0.2)
    slow.join()
    client.close()
    assert results and results[0][1] == 1
    with pytest.raises(grpc.FutureTimeoutError):
        grpc.channel_ready_future(grpc.insecure_channel(server.grpc_address)).result(timeout=0.3)
