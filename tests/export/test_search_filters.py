"""What requests may want beyond the query, for searches: through a served model, by its client."""

import dataclasses
import os

import pytest

from tfrec.export.export import export_servable
from tfrec.export.op_check import servable_problems

TEXT = "a tale of the sea"


@pytest.fixture(scope="module")
def servable(trained, dataset, tmp_path_factory):
    """Folder of the shop's servable, which filters by category and price."""
    wanted = {"filters": ("category", "price"), "filter_values": 3, "allow": 6, "diversity": True, "k": 8}
    serving = dataclasses.replace(trained.config.serving, reasons=0, **wanted)
    changed = dataclasses.replace(trained, config=dataclasses.replace(trained.config, serving=serving))
    return export_servable(changed, dataset, str(tmp_path_factory.mktemp("searched") / "1"), say=lambda line: None)


@pytest.fixture(scope="module")
def client(servable):
    from tfrec.serving import Client, serve

    with (
        serve(os.path.dirname(servable), grpc_port=0, rest_api_port=None) as server,
        Client(server.grpc_address) as client,
    ):
        yield client


def test_the_stock_image_runs_it(servable):
    assert servable_problems(servable) == []


def test_a_search_obeys_filters_lists_and_exclusions(client, dataset):
    ids = [str(item) for item in dataset.catalogue.ids]
    category, price = (dict(zip(ids, dataset.catalogue.columns[name])) for name in ("category", "price"))
    passing = {item for item in ids if category[item] in ("ocean", "space") and 2 <= price[item] <= 8}
    wanted = {"filters": {"category": ["ocean", "space"], "price": (2, 8)}}
    found = client.search(TEXT, k=8, **wanted).item_ids
    assert set(found) <= passing and len(found) == min(8, len(passing)) > 3
    without = client.search(TEXT, k=8, exclude=found[:2], **wanted).item_ids
    assert not set(without) & set(found[:2]) and set(without) <= passing
    assert without[: len(found) - 2] == found[2:]
    beside = next(item for item in ids if item not in passing)
    assert client.search(TEXT, k=8, allow=[found[1], found[0], beside, "nobody"], **wanted).item_ids == found[:2]
    assert client.search(TEXT, k=8, allow=found[:2], exclude=found[:1]).item_ids == [found[1]]


def test_diversity_reorders_what_a_search_found_and_keeps_it(client):
    plain, diverse = (client.search(TEXT, k=8, diversity=diversity).item_ids for diversity in (0.0, 1.0))
    assert sorted(plain) == sorted(diverse) and plain[0] == diverse[0] and plain != diverse
