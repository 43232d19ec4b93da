"""A partitioned index behind the signatures: chosen at export, written down, run on stock ops, grown with new items."""

import dataclasses
import json
import subprocess
import sys

import numpy as np
import pytest

from tfrec.data.ingest import ingest_catalogue
from tfrec.evaluation.topk import top_k
from tfrec.export.add_items import add_items
from tfrec.export.export import export_servable
from tfrec.export.loaded import LoadedServable
from tfrec.export.op_check import servable_problems
from tfrec.export.user_queries import user_queries
from tfrec.training.trainer import train

K = 5
FRESH = """
import sys
import tensorflow as tf
model = tf.saved_model.load(sys.argv[1])
asked = {name: tf.fill([40, *spec.shape[1:]], "" if spec.dtype == tf.string else float("nan"))
         for name, spec in model.signatures["serving_default"].structured_input_signature[1].items()}
asked["user_id"] = tf.constant([f"u{user:03}" for user in range(40)])
answer = model.signatures["serving_default"](**asked)
print([[item.decode() for item in row] for row in answer["item_ids"].numpy()])
"""


@pytest.fixture(scope="module")
def shop(make_world, tmp_path_factory):
    """Many items, so that there is something to partition."""
    return make_world(tmp_path_factory.mktemp("shop"), {"category": "category", "price": "number"}, items=300, users=60)


@pytest.fixture(scope="module")
def config(shop):
    return shop.config(training={"epochs": 2}, serving={"k": K, "index": "partitioned", "recall": 0.8})


@pytest.fixture(scope="module")
def data(shop, config):
    return shop.dataset(config, "data")


@pytest.fixture(scope="module")
def export(config, data, tmp_path_factory):
    """Exports the shop's model: export(recall=0.9)."""
    folder = tmp_path_factory.mktemp("run")
    trained = train(config, data, str(folder), say=lambda line: None)

    def write(**serving):
        changed = dataclasses.replace(config, serving=dataclasses.replace(config.serving, **serving))
        destination = str(tmp_path_factory.mktemp("export") / "1")
        said = []
        export_servable(dataclasses.replace(trained, config=changed), data, destination, say=said.append)
        return LoadedServable(destination), said

    return write


@pytest.fixture(scope="module")
def partitioned(export):
    return export()


def recall_of(servable):
    """The share of the best items that users get, by asking the signature."""
    users = servable.module.users
    specs = {
        name: spec
        for name, spec in servable.signatures["serving_default"].structured_input_signature[1].items()
        if name not in ("user_id", "history", "exclude")
    }
    queries, seen = user_queries(servable.module.towers, users, specs, servable.vectors, 100, seed=0)
    true = top_k(queries, servable.vectors, K, exclude=seen).positions
    rows = 1 + np.random.default_rng(0).permutation(users.history.shape[0] - 1)[:100]
    ids = np.array([value.decode() for value in users.ids.numpy()], object)[rows - 1]
    found, _ = servable.recommend(ids, K)
    assert "" not in found
    touched = [set(servable.ids[row.indices]) for row in seen]
    assert not any(set(row) & known for row, known in zip(found, touched))
    return np.mean([len(set(row) & set(servable.ids[best])) / K for row, best in zip(found, true)])


def test_the_manifest_says_what_was_asked_and_what_was_found(partitioned):
    servable, said = partitioned
    record = servable.manifest["index"]
    assert record["kind"] == "partitioned" and record["asked"] == 0.8 and record["measured_items"] == 300
    assert 0.8 <= record["recall"] <= 1
    assert record["probes"] < record["blocks"] and record["scanned"] < 1
    assert said[0].startswith("partitioned index: ") and "(80.0% asked)" in said[0]


def test_users_get_the_share_of_the_best_items_that_was_asked(partitioned):
    servable, _ = partitioned
    assert recall_of(servable) == pytest.approx(servable.manifest["index"]["recall"], abs=0.1)


def test_a_higher_recall_looks_at_more(partitioned, export):
    servable, _ = export(recall=0.99)
    assert servable.manifest["index"]["recall"] >= 0.99
    assert servable.manifest["index"]["scanned"] > partitioned[0].manifest["index"]["scanned"]
    assert recall_of(servable) > 0.97


def test_a_model_whose_index_finds_less_than_asked_is_not_blessed(partitioned, config, data, tmp_path):
    from tfrec.steps.evaluate import evaluate_servable

    def reasons(recall):
        asked = dataclasses.replace(config, serving=dataclasses.replace(config.serving, recall=recall))
        folder = str(tmp_path / str(recall))
        return evaluate_servable(asked, data, partitioned[0].directory, folder, say=[].append).reasons

    assert not any("index" in reason for reason in reasons(0.8))
    assert any("The partitioned index found" in reason and "99.9%" in reason for reason in reasons(0.999))


def test_what_needs_all_items_stays_exact(partitioned, export):
    exact, _ = export(index="exact")
    assert exact.manifest["index"] == {"kind": "exact", "recall": 1.0}
    np.testing.assert_array_equal(exact.vectors, partitioned[0].vectors)
    similar = [s.signatures["similar_items"](item_id=["i007"]) for s in (exact, partitioned[0])]
    np.testing.assert_array_equal(similar[0]["item_ids"], similar[1]["item_ids"])


def test_a_small_catalogue_is_exact_unless_asked_otherwise(export):
    assert export(index="auto")[0].manifest["index"]["kind"] == "exact"


def test_without_known_users_the_index_is_still_measured_by_queries_of_users(export):
    servable, _ = export(known_users=False)
    assert servable.manifest["index"]["queries"] == 30
    assert servable.module.users.history.shape[0] == 1


def test_the_stock_image_runs_it_and_a_fresh_process_gets_the_same_lists(partitioned):
    servable, _ = partitioned
    assert servable_problems(servable.directory) == []
    done = subprocess.run([sys.executable, "-c", FRESH, servable.directory], capture_output=True, text=True, check=True)
    users = np.array([f"u{user:03}" for user in range(40)], object)
    assert eval(done.stdout.splitlines()[-1]) == servable.recommend(users, K)[0].tolist()


@pytest.fixture(scope="module")
def added(shop, partitioned, tmp_path_factory):
    folder = tmp_path_factory.mktemp("new")
    rows = [
        {"item_id": f"new{i}", "title": f"New {i}", "category": ["space", "ocean"][i % 2], "price": 3.0 + i}
        for i in range(9)
    ]
    rows.append({"item_id": "i003", "title": "Other", "category": "castle", "price": 1.0})
    (folder / "items.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    from tfrec.config import parse_config

    config = parse_config(shop.document(data={"items": str(folder / "items.jsonl")}), str(folder / "shop.yaml"))
    catalogue = ingest_catalogue(config, str(folder / "out")).catalogue
    assert add_items(partitioned[0], catalogue, str(folder / "2")) == (9, 1)
    return LoadedServable(str(folder / "2"))


def test_new_items_join_the_partition_and_its_directions_stay(added, partitioned):
    old, new = partitioned[0].module.index, added.module.index
    np.testing.assert_array_equal(new.centres, old.centres)
    held = new.items.numpy()[new.items.numpy() >= 0]
    assert sorted(held) == list(range(309))
    np.testing.assert_array_equal(added.vectors[4:300], partitioned[0].vectors[4:])
    chosen = new.directions.numpy()[new.slots.numpy() // new.items.shape[1]]
    fits = added.vectors @ new.centres.numpy().T
    moved = [3, *range(300, 309)]
    np.testing.assert_array_equal(chosen[moved], fits[moved].argmax(axis=1))
    assert servable_problems(added.directory) == []


def test_recall_is_measured_again_with_the_new_items(added):
    record = added.manifest["index"]
    assert record["measured_items"] == 309 and record["recall"] >= record["asked"] == 0.8
    assert recall_of(added) == pytest.approx(record["recall"], abs=0.1)
