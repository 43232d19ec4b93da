"""Requests that want items of some categories, in a range of numbers, or of a list; k stays full with any index."""

import dataclasses
import json
import os

import numpy as np
import pytest

from tfrec.config import parse_config
from tfrec.data.ingest import ingest_catalogue
from tfrec.errors import ConfigError
from tfrec.export.add_items import add_items
from tfrec.export.export import export_servable
from tfrec.export.loaded import LoadedServable
from tfrec.export.op_check import servable_problems
from tfrec.training.trainer import train

SERVING = {"filters": ["category", "tags", "price"], "allow": 6, "filter_values": 3, "diversity": True}
CONTROLS = {"filter_category", "filter_tags", "filter_price_min", "filter_price_max", "allow", "diversity"}


@pytest.fixture(scope="module")
def trained(plain_world, tmp_path_factory):
    """The shop trained without its price, which requests filter by all the same."""
    config = plain_world.config(
        training={"epochs": 3}, serving=SERVING | {"k": 8, "history": 20, "exclude": 10}, model={"without": ["price"]}
    )
    return train(config, plain_world.dataset(config), str(tmp_path_factory.mktemp("run")), say=lambda line: None)


@pytest.fixture(scope="module", params=["exact", "partitioned"])
def servable(request, trained, tmp_path_factory, plain_world):

    serving = dataclasses.replace(trained.config.serving, index=request.param, recall=0.6)
    changed = dataclasses.replace(trained, config=dataclasses.replace(trained.config, serving=serving))
    folder = str(tmp_path_factory.mktemp("filtered") / "1")
    dataset = plain_world.dataset(changed.config)
    servable = LoadedServable(export_servable(changed, dataset, folder, say=lambda line: None))
    servable.catalogue = dataset.catalogue
    return servable


def column(servable, name):
    return dict(zip(servable.catalogue.ids, servable.catalogue.columns[name]))


def everything(servable, make_asker, **query):
    """All ids in the order of their scores for a query, asked for by lists of six."""
    ask, scored = make_asker(servable), {}
    for start in range(0, len(servable.ids), 6):
        answer = ask("serving_default", 1, allow=[servable.ids[start : start + 6]], **query)
        scored |= dict(zip(answer["item_ids"][0], answer["scores"][0]))
    scored.pop("", None)
    return sorted(scored, key=lambda item: -scored[item]), scored


def test_what_a_request_may_filter_by_is_in_the_signatures_and_runs_on_the_stock_image(servable):
    inputs = servable.signatures["serving_default"].structured_input_signature[1]
    assert set(inputs) >= CONTROLS
    assert inputs["filter_category"].shape.as_list() == [None, 3] and inputs["allow"].shape.as_list() == [None, 6]
    assert "price" not in servable.signatures["embed_items"].structured_input_signature[1]
    assert servable_problems(servable.directory) == []


def test_nothing_given_filters_nothing(servable, make_asker):
    answer = make_asker(servable)("serving_default", 1, history=[["i001", "i002"]])
    assert len(set(answer["item_ids"][0])) == 8 and "" not in answer["item_ids"][0]


def test_k_stays_full_with_the_best_of_those_that_pass(servable, make_asker):
    ask, history = make_asker(servable), [["i001", "i005"]]
    order, _ = everything(servable, make_asker, history=history)
    category, price = column(servable, "category"), column(servable, "price")
    answer = ask("serving_default", 1, history=history, filter_category=[["ocean", "castle"]], filter_price_max=[5.0])
    passing = [item for item in order if category[item] in ("ocean", "castle") and price[item] <= 5.0]
    found = [item for item in answer["item_ids"][0] if item]
    assert set(found) <= set(passing) and len(found) == min(8, len(passing))
    if servable.manifest["index"]["kind"] == "exact":
        assert found == passing[:8]


def test_requests_of_one_batch_filter_each_for_itself_and_as_they_do_alone(servable, make_asker):
    ask = make_asker(servable)
    queries = {
        "history": [["i001"], ["i002"], ["i003"], [], ["i005"]],
        "filter_category": [["ocean"], [], ["ocean", "space"], ["nowhere"], []],
        "filter_price_min": [np.nan, 4.0, 2.0, np.nan, np.nan],
        "allow": [[], [], [], [], ["i007", "i007", "nobody", "i005", "i030"]],
    }
    together = ask("serving_default", 5, **queries)
    category, price = column(servable, "category"), column(servable, "price")
    for row in range(5):
        alone = ask("serving_default", 1, **{name: values[row : row + 1] for name, values in queries.items()})
        assert alone["item_ids"][0] == together["item_ids"][row]
        np.testing.assert_allclose(alone["scores"][0], together["scores"][row], atol=1e-5)
    found = [[item for item in row if item] for row in together["item_ids"]]
    assert {category[item] for item in found[0]} == {"ocean"}
    assert min(price[item] for item in found[1]) >= 4.0 and len(found[1]) == 8
    assert {category[item] for item in found[2]} <= {"ocean", "space"} and min(price[i] for i in found[2]) >= 2.0
    assert found[3] == []
    assert set(found[4]) == {"i007", "i030"}


def test_one_of_several_values_of_an_item_is_enough(servable, make_asker):
    tags = column(servable, "tags")
    tag = tags["i000"][1]
    found = make_asker(servable)("serving_default", 1, filter_tags=[[tag]])["item_ids"][0]
    holders = [item for item, values in tags.items() if tag in values]
    assert "i000" in found and set(found) - {""} <= set(holders) and len(set(found) - {""}) == min(8, len(holders))


def test_lists_obey_filters_and_exclusions_and_a_list_of_unknown_items_allows_none(servable, make_asker):
    ask, category = make_asker(servable), column(servable, "category")
    listed = ["i010", "i011", "i012", "i013"]
    answer = ask("serving_default", 1, allow=[listed], exclude=[["i010"]], filter_category=[[category["i011"]]])
    assert [item for item in answer["item_ids"][0] if item] == [
        item for item in listed[1:] if category[item] == category["i011"]
    ]
    assert set(ask("serving_default", 1, allow=[["nobody"]])["item_ids"][0]) == {""}
    touched = [servable.ids[position] for position in servable.module.users.seen_items.numpy()[:3]]
    user = servable.module.users.ids.numpy()[0].decode()  # the first's come first
    assert set(ask("serving_default", 1, user_id=[user], allow=[touched])["item_ids"][0]) == {""}


def test_added_items_are_filtered_with_new_values_and_known_ones_by_their_new_attributes(
    servable, make_asker, make_item, plain_world, tmp_path
):
    rows = [make_item(tmp_path, name, "ocean", np.random.default_rng(1), media=False) for name in ("new", "i004")]
    rows[0] |= {"category": "desert", "price": 99.0}
    rows[1] |= {"category": "desert", "price": 0.5}
    (tmp_path / "items.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    config = plain_world.config(
        data={"items": str(tmp_path / "items.jsonl")}, serving=SERVING, model={"without": ["price"]}
    )
    added = ingest_catalogue(config, str(tmp_path / "out")).catalogue
    assert add_items(servable, added, str(tmp_path / "2")) == (1, 1)
    ask = make_asker(LoadedServable(str(tmp_path / "2")))
    found = [item for item in ask("serving_default", 1, filter_category=[["desert"]])["item_ids"][0] if item]
    assert set(found) == {"new", "i004"}
    assert ask("serving_default", 1, filter_price_min=[50.0])["item_ids"][0][0] == "new"
    old = make_asker(servable)("serving_default", 1, filter_category=[["space"]], filter_price_max=[4.0])
    new = ask("serving_default", 1, filter_category=[["space"]], filter_price_max=[4.0])
    assert set(new["item_ids"][0]) == set(old["item_ids"][0]) - {"i004"}  # which is of the desert now


@pytest.mark.parametrize(
    ("sections", "sentence"),
    [
        ({"serving": {"filters": ["colour"]}}, "serving.filters names 'colour', which is no attribute of items"),
        ({"serving": {"allow": -1}}, "serving.allow is -1; it must be at least 0"),
        ({"serving": {"filter_values": 0}}, "serving.filter_values is 0; it must be greater than 0"),
    ],
)
def test_a_filter_that_cannot_be_is_told(plain_world, sections, sentence):
    with pytest.raises(ConfigError, match=sentence):
        parse_config(plain_world.document(**sections), "shop.yaml")


@pytest.fixture(scope="module")
def served(servable):
    from tfrec.serving import serve

    with serve(os.path.dirname(servable.directory), grpc_port=0, rest_api_port=0) as server:
        yield server


def test_a_client_filters_by_grpc(servable, served):
    from tfrec.serving import Client

    category = column(servable, "category")
    with Client(served.grpc_address) as client:
        answer = client.recommend(history=["i001"], k=5, filters={"category": "space", "price": (2, 8)})
        assert [category[item.item_id] for item in answer] == ["space"] * len(answer) and len(answer) > 0
        assert client.recommend(history=["i001"], k=5, allow=["i003"]).item_ids == ["i003"]
        assert len(client.recommend(history=["i001"], k=5)) == 5


def test_diversity_of_a_client_reorders_the_best_and_keeps_them(servable, served):
    from tfrec.serving import Client

    vectors = servable.vectors / np.linalg.norm(servable.vectors, axis=1, keepdims=True)
    place = {item: position for position, item in enumerate(servable.ids)}

    def likeness(ids):
        first = vectors[[place[item] for item in ids[:4]]]
        return (first @ first.T).mean()

    with Client(served.grpc_address) as client:
        plain, diverse = (client.recommend(history=["i001"], k=8, diversity=d).item_ids for d in (0.0, 1.0))
        assert sorted(plain) == sorted(diverse) and plain[0] == diverse[0]
        assert likeness(diverse) < likeness(plain)


def test_filters_by_rest_are_those_by_grpc(servable, served):
    import urllib.request

    from tfrec.serving import Client

    inputs = servable.signatures["serving_default"].structured_input_signature[1]
    row = {}
    for name, spec in inputs.items():
        absent = float("nan") if spec.dtype.is_floating else ""
        row[name] = absent if spec.shape.rank == 1 else [absent] * spec.shape[1]
    row["history"][0], row["filter_category"][0], row["filter_price_max"] = "i001", "space", 8.0
    body = json.dumps({"instances": [row]}).encode()
    with urllib.request.urlopen(f"{served.rest_url}/v1/models/default:predict", body) as answer:
        by_rest = json.loads(answer.read())["predictions"][0]["item_ids"]
    with Client(served.grpc_address) as client:
        by_grpc = client.recommend(history=["i001"], k=8, filters={"category": "space", "price": (None, 8)}).item_ids
    assert [item for item in by_rest if item] == by_grpc
