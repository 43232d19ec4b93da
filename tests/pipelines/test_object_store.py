"""The pipeline with everything but its metadata on a file system that only tf.io.gfile reads, as gs:// is one."""

import json
import os

import pytest
import tensorflow as tf
import yaml
from tfx.orchestration import metadata

from tests.pipelines import memory_files  # makes ram:// known to Beam
from tfrec.config import load_config
from tfrec.data.files import read_bytes
from tfrec.pipelines.fingerprints import take_fingerprints
from tfrec.pipelines.local import run_locally
from tfrec.pipelines.pipeline import Places, create_pipeline
from tfrec.steps.push import versions

STORE = "ram://store"


@pytest.fixture(scope="module")
def config(tmp_path_factory, make_world, word_encoder):
    """A shop whose files, encoders included, are in the store."""
    from tfrec.encoders.image import ImageEncoder

    folder = tmp_path_factory.mktemp("shop")
    picture = {"kind": "small-cnn", "size": 16, "dimension": 8}
    ImageEncoder(picture).network.save_weights(str(folder / "picture.h5"))
    features = {
        "text": {
            "modality": "text",
            "columns": ["title", "description"],
            "encoder": {"path": f"{STORE}/words", "max_length": 16},
        },
        "picture": {"modality": "image", "encoder": {**picture, "weights": f"{STORE}/shop/picture.h5"}},
        "category": "category",
    }
    world = make_world(folder, features, items=24, users=40, events=8)
    _copy(str(folder), f"{STORE}/shop")
    _copy(word_encoder, f"{STORE}/words")
    document = world.document(
        training={"epochs": 1},
        gates={"better_than": []},
        split={"held_out_items": 0.2},
        serving={"push": f"{STORE}/served/shop"},
    )
    with tf.io.gfile.GFile(f"{STORE}/shop/shop.yaml", "w") as file:
        file.write(yaml.safe_dump(json.loads(json.dumps(document))))
    return load_config(f"{STORE}/shop/shop.yaml")


def _copy(source, destination):
    for folder, _, names in os.walk(source):
        target = destination + folder.removeprefix(source)
        tf.io.gfile.makedirs(target)
        for name in names:
            tf.io.gfile.copy(os.path.join(folder, name), f"{target}/{name}")


@pytest.mark.slow
def test_every_component_reads_and_writes_an_object_store(config, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    memory_files.mend(monkeypatch)
    places = Places.of(config)
    assert all(place.startswith(STORE) for place in (places.root, places.training, places.push, config.data.items))
    connection = metadata.sqlite_metadata_connection_config(str(tmp_path / "metadata.sqlite"))
    pipeline = create_pipeline(config, take_fingerprints(config), places, metadata=connection)
    executions = run_locally(pipeline, lambda execution, number, total: None)
    assert all(
        artifact.uri.startswith(STORE) for execution in executions.values() for artifact in execution.outputs.values()
    )
    report = json.loads(read_bytes(f"{executions['EventIngest'].outputs['report'].uri}/report.json", ""))
    assert report["parts"]["train"]["events"] > 0
    assert versions(places.push) == [1]
    served = tf.saved_model.load(f"{places.push}/1")
    assert "serving_default" in served.signatures
    assert [name for name in os.listdir(tmp_path) if name != "metadata.sqlite"] == []  # no folder named "ram:"
