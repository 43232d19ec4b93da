"""Why an item is recommended: parts of its score that add up to it, and tell what they say they tell."""

import numpy as np
import pytest

from tfrec.export.export import export_servable
from tfrec.export.loaded import LoadedServable
from tfrec.export.op_check import servable_problems
from tfrec.training.trainer import train

MODELS = {
    "regression": {"dimension": 8, "members": 2, "factors": 5},
    "hidden": {"dimension": 8, "members": 1, "factors": 0, "query_hidden": [6]},
    "joint": {"content": "joint", "dimension": 8, "query_hidden": [6]},
}


@pytest.fixture(scope="module", params=list(MODELS))
def servable(request, plain_world, plain_dataset, tmp_path_factory):
    settings = {"epochs": 2} | ({"learning_rate": 0.003} if request.param == "joint" else {})
    config = plain_world.config(model=MODELS[request.param], training=settings, serving={"reasons": 4})
    trained = train(config, plain_dataset, str(tmp_path_factory.mktemp("run")), say=lambda line: None)
    folder = str(tmp_path_factory.mktemp("explained") / "1")
    servable = LoadedServable(export_servable(trained, plain_dataset, folder, say=lambda line: None))
    servable.kind, servable.held_out = request.param, plain_dataset.held_out
    return servable


ASKED = {
    "history": [["i001", "i002", "nobody"], [], [], ["i007"]],
    "age": [31.0, np.nan, 50.0, np.nan],
    "country": ["PT", "", "", ""],
    "device": ["", "desk", "", "phone"],
    "user_id": ["", "", "u003", ""],
}


def test_the_parts_add_up_to_the_scores_that_are_recommended(servable, make_asker):
    ask = make_asker(servable)
    recommended = ask("serving_default", 4, **ASKED)
    ids = [row[:3] for row in recommended["item_ids"]]
    why = ask("explain", 4, item_ids=ids, **ASKED)
    np.testing.assert_allclose(why["scores"][:, :3], recommended["scores"][:, :3], atol=1e-5)
    by_user = why["general"] + why["history"].sum(axis=2) + why["features"].sum(axis=2)
    np.testing.assert_allclose(by_user, why["scores"], atol=1e-5)
    np.testing.assert_allclose(why["modalities"].sum(axis=2), why["scores"], atol=1e-5)
    assert not why["scores"][:, 3].any() and not why["history"][:, 3].any()
    assert servable_problems(servable.directory) == []


def test_each_part_is_named_and_what_is_not_given_has_none(servable, make_asker):
    why = make_asker(servable)("explain", 4, item_ids=[["i010"]] * 4, **ASKED)
    assert [name.decode() for name in why["feature_names"][0]] == ["age", "country", "device"]
    assert [name.decode() for name in why["modality_names"][0]] == ["id", "attributes"]
    assert [item.decode() for item in why["history_ids"][0][:4]] == ["i001", "i002", "", ""]
    assert why["history"][0, 0, :2].all() and not why["history"][0, 0, 2:].any()
    assert not why["history"][1].any() and why["history"][2].any()  # u003 brings a stored history
    assert not why["features"][3, 0, :2].any() and why["features"][3, 0, 2] != 0


def test_a_part_of_a_feature_is_what_its_absence_takes_away(servable, make_asker):
    ask = make_asker(servable)
    with_device = ask("explain", 1, item_ids=[["i010"]], history=[["i001"]], device=["phone"])
    without = ask("explain", 1, item_ids=[["i010"]], history=[["i001"]])
    part = with_device["features"][0, 0, 2]
    np.testing.assert_allclose(part, with_device["scores"][0, 0] - without["scores"][0, 0], atol=1e-6)


def test_new_items_differ_by_their_content_alone(servable, make_asker):
    new = servable.ids[servable.held_out[:2]]
    why = make_asker(servable)("explain", 1, item_ids=[new], history=[["i001", "i002"]])
    of_id, of_content = why["modalities"][0, :2].T
    np.testing.assert_allclose(of_id[0], of_id[1], atol=1e-5)
    assert abs(of_content[0] - of_content[1]) > 1e-4
    np.testing.assert_allclose(of_content[0] - of_content[1], why["scores"][0, 0] - why["scores"][0, 1], atol=1e-5)


def test_history_parts_of_members_are_dot_products_of_what_was_read(servable, make_asker):
    if servable.kind != "hidden":
        pytest.skip("written down for one member without factors")
    why = make_asker(servable)("explain", 1, item_ids=[["i010"]], history=[["i001", "i002"]])
    rows = [list(servable.ids).index(item) for item in ("i001", "i002", "i010")]
    first, second, asked = servable.vectors[rows]
    shrinkage = servable.manifest["model"]["history_shrinkage"]
    expected = [read[9:] @ asked[:8] / (2 + shrinkage) for read in (first, second)]
    np.testing.assert_allclose(why["history"][0, 0, :2], expected, atol=1e-5)


def test_an_answer_says_what_it_is_based_on(servable, make_asker):
    ask = make_asker(servable)
    answer = ask(
        "serving_default",
        6,
        user_id=["u003", "", "", "", "", ""],
        history=[[], ["i001"], ["nobody"], [], [], []],
        age=[np.nan, np.nan, 30.0, np.nan, np.nan, np.nan],
        country=["", "", "", "PT", "", ""],
        device=["", "", "", "", "desk", ""],
    )
    said = [basis.decode() for basis in answer["based_on"]]
    assert said == ["history", "history", "features", "features", "context", "popularity"]


def test_with_nothing_known_popular_items_are_recommended(servable, make_asker, plain_dataset):
    if servable.kind == "joint":
        pytest.skip("a jointly trained tower learns what it answers to an empty history")
    ask = make_asker(servable)
    found = ask("serving_default", 1)["item_ids"][0]
    counts = np.bincount(plain_dataset.train.item, minlength=len(plain_dataset.catalogue))
    count = dict(zip(servable.ids, counts))
    assert np.mean([count[item] for item in found]) > 1.5 * counts.mean()


def test_without_reasons_there_is_no_such_signature(plain_world, plain_dataset, tmp_path):
    config = plain_world.config(model=MODELS["hidden"], training={"epochs": 1}, serving={"reasons": 0})
    trained = train(config, plain_dataset, str(tmp_path / "run"), say=lambda line: None)
    servable = LoadedServable(export_servable(trained, plain_dataset, str(tmp_path / "1"), say=lambda line: None))
    assert "explain" not in servable.signatures and servable.manifest["serving"]["reasons"] == 0
