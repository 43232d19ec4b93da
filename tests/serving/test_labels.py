"""Versions side by side under the labels stable and canary, of the real development server."""

import asyncio
import json
import urllib.request

import pytest

from tfrec.errors import ServerError
from tfrec.serving import AsyncClient, Client


def config(path, labels):
    pairs = " ".join(f'version_labels {{ key: "{label}" value: {number} }}' for label, number in labels.items())
    text = f'name: "films" base_path: "{path}" model_platform: "tensorflow" model_version_policy {{ all {{}} }} {pairs}'
    return f"model_config_list {{ config {{ {text} }} }}"


@pytest.fixture(scope="module")
def labelled(tmp_path_factory, write_model, serve_model):
    """A server of two versions, of which the canary has longer histories and returns more."""
    root = tmp_path_factory.mktemp("labelled")
    write_model["recommender"](root / "films" / "1")
    write_model["recommender"](root / "films" / "2", history_length=9, k=8)
    file = root / "models.config"
    file.write_text(config(root / "films", {"stable": 1, "canary": 2}))
    settings = {"model_config_file": str(file), "labels_for_unavailable": True}
    with serve_model("", **settings) as server:
        yield server


def test_labels_choose_between_two_versions_each_with_its_own_shapes(labelled):
    history = [f"i{number}" for number in range(7)]
    with Client(labelled.grpc_address, "films", label="stable") as stable:
        canary = stable.labelled("canary")
        for _ in range(2):
            assert [c.recommend(history=history, k=6).model_version for c in (stable, canary)] == [1, 2]
        assert len(canary.recommend(history=history, k=8)) == 8
        with pytest.raises(ServerError, match="k must be between 1 and 6"):
            stable.recommend(history=history, k=8)
        with pytest.raises(ServerError, match="Unrecognized servable version label: beta"):
            stable.labelled("beta").recommend(k=1)
        assert [(each.version, each.state) for each in stable.status()] == [(2, "AVAILABLE"), (1, "AVAILABLE")]


def test_labels_choose_by_asyncio_and_by_rest_too(labelled):
    async def versions():
        async with AsyncClient(labelled.grpc_address, "films", label="stable") as stable:
            clients = (stable, stable.labelled("canary"), stable)
            return [(await client.similar("i3", k=2)).model_version for client in clients]

    assert asyncio.run(versions()) == [1, 2, 1]
    for label, places in (("stable", 6), ("canary", 8)):
        body = {"signature_name": "similar_items", "instances": [{"item_id": "i3"}]}
        url = f"{labelled.rest_url}/v1/models/films/labels/{label}:predict"
        with urllib.request.urlopen(url, json.dumps(body).encode()) as answer:
            assert len(json.loads(answer.read())["predictions"][0]["item_ids"]) == places
