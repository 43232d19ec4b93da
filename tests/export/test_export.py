"""What is written: a SavedModel that runs elsewhere, its warm-up requests, manifest and items, whole or not at all."""

import errno
import json
import os
import shutil
import subprocess
import sys

import numpy as np
import pytest
import tensorflow as tf

from tests.conftest import JOINT, JOINT_TRAINING
from tfrec.errors import ServableError, TrainingError
from tfrec.export.atomic import written_folder
from tfrec.export.export import export_servable
from tfrec.export.loaded import LoadedServable
from tfrec.training.trainer import train

FRESH = """
import json, sys
import tensorflow as tf
import tensorflow_text
assert not any(name.split(".")[0] in ("tfrec", "tf_keras", "tensorflow_recommenders") for name in sys.modules)
model = tf.saved_model.load(sys.argv[1])
answers = {}
for signature, inputs in json.loads(sys.argv[2]).items():
    function = model.signatures[signature]
    given = {}
    for name, spec in function.structured_input_signature[1].items():
        given[name] = tf.constant(inputs[name], spec.dtype)
    answer = function(**given)
    answers[signature] = {name: value.numpy().tolist() for name, value in answer.items()}
print(json.dumps(answers, default=bytes.decode))
"""


def requests(servable, batch):
    """Inputs of every signature as lists, some of them filled in."""
    values = {
        "user_id": lambda row: f"u{row:03d}" if row % 2 else "unknown",
        "history": lambda row: [f"i{row:03d}", "i011"],
        "exclude": lambda row: ["i004"],
        "item_id": lambda row: f"i{row + 20:03d}",
        "query": lambda row: "whale harbour",
        "text": lambda row: "A tale of a dragon",
        "category": lambda row: "castle",
        "price": lambda row: 3.0 + row,
        "age": lambda row: 40.0,
    }
    made = {}
    for signature, function in servable.signatures.items():
        made[signature] = {}
        for name, spec in function.structured_input_signature[1].items():
            absent = "" if spec.dtype == tf.string else 0.0
            rows = [values[name](row) if name in values else absent for row in range(batch)]
            if spec.shape.rank == 2:
                rows = [(list(row) + [""] * spec.shape[1])[: spec.shape[1]] for row in rows]
            made[signature][name] = rows
    return made


@pytest.mark.slow
@pytest.mark.parametrize("batch", [1, 5])
def test_a_fresh_process_with_tensorflow_and_its_text_ops_only_gives_the_same_answers(exported, loaded, batch):
    asked = requests(loaded, batch)
    assert set(asked) == {"serving_default", "search", "similar_items", "embed_items", "explain"}
    command = [sys.executable, "-c", FRESH, exported, json.dumps(asked)]
    environment = {name: value for name, value in os.environ.items() if name != "TF_USE_LEGACY_KERAS"}
    process = subprocess.run(command, capture_output=True, text=True, timeout=300, cwd="/", env=environment)
    assert process.returncode == 0, process.stderr[-2000:]
    answers = json.loads(process.stdout.splitlines()[-1])
    for signature, inputs in asked.items():
        function = loaded.signatures[signature]
        specs = function.structured_input_signature[1]
        here = function(**{name: tf.constant(value, specs[name].dtype) for name, value in inputs.items()})
        for name, value in here.items():
            if value.dtype == tf.string:
                assert answers[signature][name] == np.char.decode(value.numpy().astype(bytes)).tolist()
            else:
                np.testing.assert_allclose(answers[signature][name], value, atol=1e-5)


def test_signatures_have_fixed_shapes_and_a_free_batch(loaded):
    for signature, outputs in {
        "serving_default": {"item_ids": (None, 10), "scores": (None, 10), "based_on": (None,)},
        "search": {"item_ids": (None, 10), "scores": (None, 10)},
        "similar_items": {"item_ids": (None, 10), "scores": (None, 10)},
        "embed_items": {"embedding": (None, 16)},
    }.items():
        function = loaded.signatures[signature]
        shapes = {name: tuple(spec.shape) for name, spec in function.structured_outputs.items()}
        assert {name: shape[0] for name, shape in shapes.items()} == dict.fromkeys(outputs)
        specs = function.structured_input_signature[1]
        assert all(spec.shape[0] is None and None not in spec.shape[1:] for spec in specs.values())
    inputs = loaded.signatures["serving_default"].structured_input_signature[1]
    assert set(inputs) == {"user_id", "history", "exclude", "age", "country", "device"}
    assert inputs["history"].shape == [None, 8] and inputs["exclude"].shape == [None, 4]


def test_the_manifest_says_what_the_model_is(loaded, dataset):
    manifest = loaded.manifest
    assert manifest["name"] == "shop" and manifest["items"] == 48 and manifest["users"] == len(dataset.users)
    serving = manifest["serving"]
    assert (serving["history"], serving["exclude"], serving["k"]) == (8, 4, 10)
    assert serving["filters"] == [] and serving["allow"] == 0
    assert manifest["metrics"] == {"ndcg@10": 0.5}
    assert manifest["versions"]["tensorflow"] == tf.__version__
    assert {len(value) for value in manifest["hashes"].values()} == {64}
    names = [feature["name"] for feature in manifest["schema"]["items"]["features"]]
    assert names == ["text", "picture", "sound", "category", "tags", "price"]
    assert loaded.ids.tolist() == dataset.catalogue.ids.tolist()
    assert loaded.titles.tolist() == dataset.catalogue.titles.tolist()


def test_the_warm_up_requests_are_of_every_signature_and_name_the_model(exported, loaded):
    from tensorflow_serving.apis import prediction_log_pb2

    file = os.path.join(exported, "assets.extra/tf_serving_warmup_requests")
    seen = set()
    for record in tf.data.TFRecordDataset(file).as_numpy_iterator():
        log = prediction_log_pb2.PredictionLog.FromString(record)
        request = log.predict_log.request
        assert request.model_spec.name == "shop"
        inputs = loaded.signatures[request.model_spec.signature_name].structured_input_signature[1]
        assert set(request.inputs) == set(inputs)
        seen.add((request.model_spec.signature_name, request.inputs[next(iter(inputs))].tensor_shape.dim[0].size))
    assert seen == {(name, size) for name in loaded.signatures for size in (1, 8)}


def test_the_server_replays_the_warm_up_and_serves_the_model(exported, ask):
    from tfrec.serving import Client, serve

    base = os.path.dirname(exported)
    options = {"grpc_port": 0, "rest_api_port": None, "poll_wait": 0.05, "load_retries": 0}
    with serve(base, "shop", **options) as server, Client(server.grpc_address, "shop") as client:
        answer = client.recommend("u002", k=5)
        (status,) = client.status()
    assert status.state == "AVAILABLE" and status.version == 1 and not status.error_message
    assert answer.item_ids == ask("serving_default", 1, user_id=["u002"])["item_ids"][0][:5]


def test_an_export_never_overwrites(trained, dataset, exported):
    with pytest.raises(ServableError, match="exists already; remove it or write elsewhere"):
        export_servable(trained, dataset, exported, say=lambda line: None)


def test_a_folder_appears_whole_or_not_at_all(tmp_path):
    destination = tmp_path / "models" / "1"
    with pytest.raises(RuntimeError), written_folder(str(destination)) as folder:
        (tmp_path / "models").joinpath(os.path.basename(folder), "half").write_text("half")
        assert not os.path.basename(folder).isdigit() and not destination.exists()
        raise RuntimeError
    assert os.listdir(tmp_path / "models") == []
    with written_folder(str(destination)) as folder, open(os.path.join(folder, "all"), "w") as file:
        file.write("all")
    assert os.listdir(tmp_path / "models") == ["1"] and (destination / "all").read_text() == "all"


def test_a_full_disk_leaves_nothing_behind(trained, dataset, tmp_path, monkeypatch):
    def full(*arguments, **options):
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr("tfrec.export.export.write_warmup", full)
    with pytest.raises(TrainingError, match="is full"):
        export_servable(trained, dataset, str(tmp_path / "1"), say=lambda line: None)
    assert os.listdir(tmp_path) == []


def test_a_folder_without_a_model_is_told(tmp_path, exported):
    with pytest.raises(ServableError, match="holds no model of tfrec"):
        LoadedServable(str(tmp_path))
    broken = tmp_path / "broken"
    os.makedirs(broken / "assets.extra")
    for name in ("tfrec_manifest.json", "items.jsonl"):
        shutil.copy(os.path.join(exported, "assets.extra", name), broken / "assets.extra")
    (broken / "saved_model.pb").write_bytes(b"no model")
    with pytest.raises(ServableError, match="cannot be loaded"):
        LoadedServable(str(broken))


def export_plain(world, folder, **sections):
    config = world.config(**{"training": {"epochs": 2}, **sections})
    data = world.dataset(config, folder.name)
    model = train(config, data, str(folder / "run"), say=lambda line: None)
    return export_servable(model, data, str(folder / "1"), say=lambda line: None), data


def test_without_text_there_is_no_search(plain_world, tmp_path):
    servable = LoadedServable(export_plain(plain_world, tmp_path)[0])
    assert set(servable.signatures) == {"serving_default", "similar_items", "embed_items", "explain"}


def test_a_catalogue_of_ids_alone_is_served_without_embedding_items(make_world, make_asker, tmp_path):
    folder, _ = export_plain(make_world(tmp_path / "world", features={}), tmp_path / "model")
    servable = LoadedServable(folder)
    assert set(servable.signatures) == {"serving_default", "similar_items", "explain"}
    assert "" not in make_asker(servable)("serving_default", 1, user_id=["u001"])["item_ids"][0]


def test_a_catalogue_of_many_valued_categories_alone_is_served(make_world, make_asker, tmp_path):
    folder, _ = export_plain(make_world(tmp_path / "world", {"tags": {"modality": "categories"}}), tmp_path / "model")
    servable = LoadedServable(folder)
    embedding = make_asker(servable)("embed_items", 2, tags=[["whale", "coral"], ["rocket"]])["embedding"]
    assert embedding.shape == (2, servable.vectors.shape[1]) and not np.allclose(*embedding)


def test_a_catalogue_smaller_than_k_fills_the_rest_with_nothing(make_world, make_asker, tmp_path):
    world = make_world(tmp_path / "world", {"category": "category"}, items=8, users=30, events=4)
    folder, _ = export_plain(world, tmp_path / "model")
    answer = make_asker(LoadedServable(folder))("serving_default", 1)
    assert answer["item_ids"][0][:8] == sorted(answer["item_ids"][0][:8], key=answer["item_ids"][0].index)
    assert set(answer["item_ids"][0][8:]) == {""} and not answer["scores"][0, 8:].any()


def test_users_may_be_left_out_of_the_servable(plain_world, make_asker, tmp_path):
    folder, _ = export_plain(plain_world, tmp_path, serving={"known_users": False})
    ask = make_asker(LoadedServable(folder))
    assert ask("serving_default", 1, user_id=["u001"])["item_ids"] == ask("serving_default", 1)["item_ids"]


@pytest.mark.slow
def test_a_model_trained_in_mixed_precision_is_exported_in_full(plain_world, make_asker, tmp_path):
    folder, _ = export_plain(plain_world, tmp_path, training={"epochs": 2, "mixed_precision": "mixed_bfloat16"})
    servable = LoadedServable(folder)
    assert servable.vectors.dtype == np.float32
    assert np.all(np.isfinite(make_asker(servable)("serving_default", 1)["scores"]))


@pytest.fixture(scope="module")
def described_world(world, make_world, tmp_path_factory):
    """The shop with text and a category: two modalities to fuse, without a CNN to train."""
    features = {name: world.features[name] for name in ("text", "category")}
    return make_world(tmp_path_factory.mktemp("described"), features, items=24, users=40, events=8)


@pytest.mark.slow
@pytest.mark.parametrize("fusion", ["gate", "concatenation", "weighted", "attention", "transformer", "decision"])
def test_every_fusion_is_served(described_world, make_asker, tmp_path, fusion):
    config = described_world.config(training={**JOINT_TRAINING, "epochs": 1}, model={**JOINT, "fusion": fusion})
    dataset = described_world.dataset(config)
    model = train(config, dataset, str(tmp_path / "run"), say=lambda line: None)
    folder = export_servable(model, dataset, str(tmp_path / "1"), say=lambda line: None)
    servable = LoadedServable(folder)
    assert servable.vectors.shape[1] == model.model.item_tower.width
    assert "" not in make_asker(servable)("serving_default", 1, user_id=["u001"])["item_ids"][0]
