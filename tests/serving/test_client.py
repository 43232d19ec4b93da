import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest

from tfrec.errors import ServerError
from tfrec.serving import CallError, Client, Query
from tfrec.serving.questions import Questions
from tfrec.serving.signatures import Signature, TensorSpec
from tfrec.serving.tensors import BY_NUMBER


@pytest.fixture(scope="module")
def client(recommender):
    with Client(recommender.grpc_address, titles={"i0": "Popular", "i6": "Six"}) as client:
        yield client


def test_unknown_user_without_history_gets_the_most_popular_items_with_rank_score_and_title(client):
    answer = client.recommend(k=3)
    assert answer.item_ids == ["i0", "i1", "i2"]
    assert [item.rank for item in answer] == [1, 2, 3]
    assert answer.scores == [20.0, 19.0, 18.0]
    assert [item.title for item in answer] == ["Popular", "", ""]
    assert answer.model_version == 1


def test_history_decides_and_its_items_are_not_recommended(client):
    answer = client.recommend("u1", history=["i5"], k=6)
    assert answer[0].item_id == "i6" and answer[0].title == "Six"
    assert "i5" not in answer.item_ids


def test_only_the_most_recent_items_of_a_long_history_count(client):
    answer = client.recommend(history=["i18"] + ["i5"] * 5, k=6)
    assert answer.item_ids[0] == "i6"
    assert "i19" not in answer.item_ids


def test_excluded_items_never_return_even_when_there_are_more_than_the_model_takes(client):
    assert client.recommend(exclude=["i0", "i1"], k=2).item_ids == ["i2", "i3"]
    answer = client.recommend(exclude=[f"i{position}" for position in range(5)], k=6)
    assert answer.item_ids == ["i5", "i6", "i7", "i8"]
    assert [item.rank for item in answer] == [1, 2, 3, 4]


def test_features_and_context_reach_the_model_and_absent_ones_count_for_nothing(client):
    assert client.recommend(features={"genres": ["comedy"]}, k=1).item_ids == ["i3"]
    assert client.recommend(features={"genres": ["drama", "comedy", "cut off"]}, k=1).item_ids == ["i3"]
    assert client.recommend(context={"device": "mobile"}, k=1).item_ids == ["i4"]
    assert client.recommend(features={"age": 90}, k=1).item_ids == ["i7"]
    assert client.recommend(features={"age": None, "genres": None}, k=1).item_ids == ["i0"]


def test_many_users_at_once_get_their_own_answers_in_order(client):
    queries = [Query(history=[f"i{n % 10}"], features={"age": float(n % 3)}) for n in range(600)]
    answers = client.recommend_many(queries, k=1)
    assert [answer.item_ids[0] for answer in answers] == [f"i{n % 10 + 1}" for n in range(600)]
    assert client.recommend_many([]) == []


def test_search_similar_and_embed(client):
    assert client.search("i9", k=2).item_ids == ["i9", "i0"]
    assert client.search("i9", exclude=["i9"], k=1).item_ids == ["i0"]
    assert set(client.similar("i9", k=2).item_ids) == {"i8", "i10"}
    assert len(client.similar_many(["i1", "i2"], k=3)) == 2
    embeddings = client.embed([{"title": "abc", "cover": b"\xff\xd8"}, {"price": 2}])
    assert embeddings.dtype == np.float32
    np.testing.assert_array_equal(embeddings, [[3, 2, np.nan], [0, 0, 2]])


def test_status_and_metadata_are_typed(client):
    assert [(version.version, version.state, version.error_code) for version in client.status()] == [
        (1, "AVAILABLE", 0)
    ]
    metadata = client.metadata()
    assert metadata.version == 1
    assert set(metadata.signatures) == {"serving_default", "search", "similar_items", "embed_items"}
    assert metadata.signature("serving_default").inputs["history"].shape == (-1, 5)


@pytest.mark.parametrize(
    ("call", "sentence"),
    [
        (lambda client: client.recommend(k=7), "k must be between 1 and 6"),
        (lambda client: client.recommend(k=0), "k must be between 1 and 6"),
        (lambda client: client.recommend(k=1, features={"agee": 3}), "has no input 'agee'"),
        (lambda client: client.recommend(k=1, features={"age": "old"}), "input 'age' takes float"),
        (lambda client: client.recommend(k=1, features={"history": ["i1"]}), "'history' is no feature"),
        (lambda client: client.recommend(history="i1", k=1), "history must be a list of item ids"),
        (lambda client: client.similar_many("i1"), "expected a list of item ids"),
        (lambda client: client.predict("nothing", {}), "answered FAILED_PRECONDITION"),
        (lambda client: client.metadata().signature("nothing"), "has no signature 'nothing'"),
    ],
)
def test_wrong_use_is_one_clear_sentence(client, call, sentence):
    with pytest.raises(ServerError, match=sentence):
        call(client)


def test_unknown_model_is_named(recommender):
    with (
        Client(recommender.grpc_address, model_name="films") as client,
        pytest.raises(ServerError, match=r"does not have that model.*Latest\(films\)"),
    ):
        client.recommend("u1", k=1)


def test_server_that_is_down_is_named_with_how_to_start_one_and_does_not_hang(free_port):
    start = time.monotonic()
    with (
        Client(f"127.0.0.1:{free_port}", timeout=3) as client,
        pytest.raises(ServerError, match=rf"no model server answers at 127.0.0.1:{free_port}; start one with `tfrec"),
    ):
        client.recommend("u1", k=1)
    assert time.monotonic() - start < 30


def test_client_waits_for_a_server_that_comes_up_and_finds_it_again_after_a_restart(base_paths, serve_model, free_port):
    address = f"127.0.0.1:{free_port}"
    with Client(address, attempts=2, timeout=2) as impatient, pytest.raises(CallError) as failure:
        impatient.status()
    assert failure.value.code == "UNAVAILABLE"
    with Client(address, attempts=8, timeout=20) as client, ThreadPoolExecutor(1) as caller:
        early = caller.submit(client.recommend, k=1)
        time.sleep(0.3)
        with serve_model(base_paths["recommender"], grpc_port=free_port, rest_api_port=None):
            assert early.result().item_ids == ["i0"]
        with serve_model(base_paths["recommender"], grpc_port=free_port, rest_api_port=None):
            assert client.recommend(k=1).item_ids == ["i0"]


def test_deadline_that_passes_is_one_sentence(echo):
    with Client(echo.grpc_address, timeout=0.3) as client, pytest.raises(ServerError, match="did not answer in time"):
        client.predict("slow", {"steps": np.array(10**8, np.int32)})


def test_titles_come_from_the_items_file_of_the_model_and_a_broken_line_is_named(recommender, tmp_path):
    items = tmp_path / "items.jsonl"
    items.write_text('{"item_id": "i0", "title": "Größe"}\n', encoding="utf-8")
    with Client(recommender.grpc_address, titles=items) as client:
        assert client.recommend(k=1)[0].title == "Größe"
    items.write_text('{"item_id": "i0", "title": "a"}\nbroken\n', encoding="utf-8")
    with pytest.raises(ServerError, match="line 2"):
        Client(titles=items)
    with pytest.raises(ServerError, match="cannot read titles"):
        Client(titles=tmp_path / "missing.jsonl")


def test_shapes_that_change_with_a_new_version_are_learned_without_a_failed_call(tmp_path, write_model, serve_model):
    write_model["recommender"](tmp_path / "1")
    with serve_model(tmp_path, rest_api_port=None) as server, Client(server.grpc_address) as client:
        assert len(client.recommend(history=["i5"] * 9, k=6)) == 6
        write_model["recommender"](tmp_path / "new", history_length=9, k=8)
        (tmp_path / "new").rename(tmp_path / "2")
        deadline = time.monotonic() + 30
        while client.recommend(history=["i5"] * 9, k=6).model_version == 1 and time.monotonic() < deadline:
            time.sleep(0.02)
        assert len(client.recommend(history=["i5"] * 9, k=8)) == 8


def test_importing_and_asking_needs_no_tensorflow_and_less_than_a_second(recommender):
    program = f"""
import sys, time
from tfrec.serving import Client
with Client({recommender.grpc_address!r}) as client:
    answer = client.recommend("u1", history=["i5"], k=6)
assert answer.item_ids[0] == "i6"
heavy = [name for name in ("tensorflow", "tensorflow_serving", "pandas", "keras") if name in sys.modules]
assert not heavy, heavy
print(time.process_time())
"""
    result = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, timeout=60)
    assert result.returncode == 0, result.stderr
    assert float(result.stdout) < 1.0


def test_private_messages_coexist_with_tensorflow_in_one_process(client):
    import tensorflow as tf
    from tensorflow_serving.apis import predict_pb2

    from tfrec.serving import wire
    from tfrec.serving.tensors import fill_proto

    request = wire.PredictRequest()
    fill_proto(request.inputs["x"], np.array([[1.5, 2.5]], np.float32))
    theirs = predict_pb2.PredictRequest.FromString(request.SerializeToString())
    np.testing.assert_array_equal(tf.make_ndarray(theirs.inputs["x"]), [[1.5, 2.5]])


@pytest.fixture
def answered_by(monkeypatch):
    """answered_by(3, 4): a client whose requests these versions answer one after the other, each with its number."""
    strings = TensorSpec(BY_NUMBER[7], (-1, 1))
    signature = Signature("of one item", {"item_ids": strings, "history": strings}, {})

    def answered_by(*versions):
        remaining = iter(versions)

        def predict(questions, name, rows):
            yield from ()
            version = next(remaining)
            if name == "embed_items":
                return {"embedding": np.full((len(rows(signature)), 1), version, np.float32)}, version
            parts = {"scores": [[version]], "general": [[0]], "history": [[[]]], "modalities": [[[version]]]}
            arrays = {key: np.float32(value) for key, value in parts.items()}
            return {**arrays, "history_ids": [[]], "modality_names": [[b"id"]]}, version

        monkeypatch.setattr(Questions, "_predict", predict)
        return Client("127.0.0.1:1", "films")

    return answered_by


def test_what_takes_several_requests_is_answered_by_one_version(answered_by):
    assert set(answered_by(3, 4, 4, 4).embed([{}] * 300).ravel()) == {4}
    assert [reason.score for reason in answered_by(3, 4, 4, 4).explain(["i0", "i1"])] == [4, 4]
    for ask in (lambda client: client.embed([{}] * 300), lambda client: client.explain(["i0", "i1"])):
        with pytest.raises(ServerError, match="another version of 'films' took over"):
            ask(answered_by(*[3, 4] * 3))


@pytest.fixture
def recorded():
    """A server that answers every Predict from a fixed table by version label, and what it was asked."""
    import grpc

    from tfrec.serving import wire
    from tfrec.serving.tensors import fill_proto

    asked = []

    def answered(request, context):
        asked.append((request.model_spec.version_label, request.model_spec.version.value))
        versions = {"stable": 1, "canary": 2}
        if request.model_spec.version_label not in versions:
            context.abort(grpc.StatusCode.NOT_FOUND, f"no label {request.model_spec.version_label!r}")
        response = wire.PredictResponse()
        response.model_spec.version.value = versions[request.model_spec.version_label]
        fill_proto(response.outputs["y"], np.ones(1, np.float32))
        return response

    handler = grpc.unary_unary_rpc_method_handler(
        answered, wire.PredictRequest.FromString, lambda message: message.SerializeToString()
    )
    server = grpc.server(ThreadPoolExecutor(2))
    server.add_generic_rpc_handlers(
        (grpc.method_handlers_generic_handler("tensorflow.serving.PredictionService", {"Predict": handler}),)
    )
    port = server.add_insecure_port("127.0.0.1:0")
    server.start()
    yield f"127.0.0.1:{port}", asked
    server.stop(None).wait()


def test_labels_choose_between_versions_side_by_side_over_one_connection(recorded):
    address, asked = recorded
    with Client(address, label="stable") as stable:
        canary = stable.labelled("canary")
        assert [each.predict("serving_default", {})[1] for each in (stable, canary, stable)] == [1, 2, 1]
        with pytest.raises(ServerError, match="does not have that model or version: no label 'beta'"):
            stable.labelled("beta").predict("serving_default", {})
    assert asked == [("stable", 0), ("canary", 0), ("stable", 0), ("beta", 0)]
    with pytest.raises(ServerError, match="by its number or by its label"):
        Client(address, version=1, label="stable")
