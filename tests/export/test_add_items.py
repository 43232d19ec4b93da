"""New items join a servable without training, found by their content at once."""

import json
import subprocess
import sys

import numpy as np
import pytest
import tensorflow as tf

from tfrec.data.ingest import ingest_catalogue
from tfrec.errors import DataError, ServableError
from tfrec.export.add_items import add_items
from tfrec.export.loaded import LoadedServable

LOAD = """
import sys
import tensorflow as tf, tensorflow_text
model = tf.saved_model.load(sys.argv[1])
answer = model.signatures["similar_items"](item_id=tf.constant(["new-castle"]))
print([item.decode() for item in answer["item_ids"].numpy()[0]])
"""


@pytest.fixture(scope="module")
def catalogue(world, make_item, tmp_path_factory):
    """Reads rows of items as a catalogue: catalogue([("new-ocean", "ocean")])."""

    def read(*items, media=True):
        folder = tmp_path_factory.mktemp("new")
        rows = [make_item(folder, item, taste, np.random.default_rng(5), media) for item, taste in items]
        (folder / "items.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
        document = world.document(data={"items": str(folder / "items.jsonl")})
        from tfrec.config import parse_config

        return ingest_catalogue(parse_config(document, str(folder / "shop.yaml")), str(folder / "out")).catalogue

    return read


@pytest.fixture(scope="module")
def grown(loaded, catalogue, tmp_path_factory):
    """The servable with two new items and one that is replaced, and what `add_items` said."""
    folder = tmp_path_factory.mktemp("grown") / "2"
    counts = add_items(
        loaded, catalogue(("new-ocean", "ocean"), ("new-castle", "castle"), ("i000", "ocean")), str(folder)
    )
    return LoadedServable(str(folder)), counts


def test_new_items_are_counted_and_known_ones_replaced(grown, loaded):
    servable, counts = grown
    assert counts == (2, 1)
    assert servable.ids.tolist() == [*loaded.ids, "new-ocean", "new-castle"]
    assert servable.manifest["items"] == 50 and servable.manifest["added_items"] == 2
    assert servable.titles[0] != loaded.titles[0] and servable.titles[1] == loaded.titles[1]
    np.testing.assert_array_equal(servable.vectors[1:48], loaded.vectors[1:])
    assert not np.allclose(servable.vectors[0], loaded.vectors[0])


def test_a_new_item_is_found_by_likeness_search_and_taste(grown, make_asker, world):
    ask = make_asker(grown[0])
    similar = ask("similar_items", 1, item_id=["new-castle"])["item_ids"][0]
    assert [world.item_taste.get(item) for item in similar[:5]].count("castle") >= 3
    title = str(grown[0].titles[-1])
    assert "new-castle" in ask("search", 1, query=[title])["item_ids"][0]
    castle = [item for item, taste in world.item_taste.items() if taste == "castle"]
    others = [item for item in castle if item not in castle[:8]]
    asked = ask("serving_default", 1, history=[castle[:8]], exclude=[others])
    assert "new-castle" in asked["item_ids"][0]


def test_known_users_keep_their_histories_and_features(grown, loaded, make_asker, world):
    new, old = make_asker(grown[0]), make_asker(loaded)
    for user in ("u000", "u001", "u077"):
        before, after = (ask("serving_default", 1, user_id=[user])["item_ids"][0] for ask in (old, new))
        kept = [item for item in after if item in before]
        assert len(kept) >= 7


def test_items_can_be_added_again_on_top(grown, catalogue, make_asker, tmp_path):
    folder = str(tmp_path / "3")
    assert add_items(grown[0], catalogue(("new-space", "space"), media=False), folder) == (1, 0)
    third = LoadedServable(folder)
    assert third.ids.tolist() == [*grown[0].ids, "new-space"]
    ask = make_asker(third)
    np.testing.assert_allclose(third.vectors[:-1], grown[0].vectors)
    embedding = ask("embed_items", 1, category=["space"])["embedding"]
    np.testing.assert_allclose(embedding, make_asker(grown[0])("embed_items", 1, category=["space"])["embedding"])


def test_the_grown_model_runs_on_the_stock_image_and_warms_up(grown):
    from tfrec.export.op_check import servable_problems

    servable, _ = grown
    assert servable_problems(servable.directory) == []
    assert len(list(tf.data.TFRecordDataset(f"{servable.directory}/assets.extra/tf_serving_warmup_requests"))) == 10


@pytest.mark.slow
def test_a_fresh_process_loads_the_grown_model(grown, make_asker):
    command = [sys.executable, "-c", LOAD, grown[0].directory]
    process = subprocess.run(command, capture_output=True, text=True, timeout=300, cwd="/")
    assert process.returncode == 0, process.stderr[-2000:]
    here = make_asker(grown[0])("similar_items", 1, item_id=["new-castle"])["item_ids"][0]
    assert process.stdout.splitlines()[-1] == str(here)


def test_nothing_to_add_and_a_taken_folder_are_told(loaded, catalogue, tmp_path):
    with pytest.raises(ServableError, match="exists already"):
        add_items(loaded, catalogue(("x", "ocean"), media=False), str(tmp_path))
    import dataclasses

    one = catalogue(("x", "ocean"), media=False)
    nothing = dataclasses.replace(one, ids=one.ids[:0], titles=one.titles[:0])
    with pytest.raises(DataError, match="there is no item to add"):
        add_items(loaded, nothing, str(tmp_path / "2"))


def test_a_model_of_ids_alone_cannot_take_new_items(make_world, catalogue, tmp_path):
    from tfrec.export.export import export_servable
    from tfrec.training.trainer import train

    world = make_world(tmp_path / "world", features={})
    config = world.config(training={"epochs": 1})
    data = world.dataset(config)
    trained = train(config, data, str(tmp_path / "run"), say=lambda line: None)
    servable = LoadedServable(export_servable(trained, data, str(tmp_path / "1"), say=lambda line: None))
    with pytest.raises(ServableError, match="knows items by their ids only"):
        add_items(servable, catalogue(("x", "ocean"), media=False), str(tmp_path / "2"))
