import json
import shutil

import numpy as np
import pytest


@pytest.fixture
def new_items(tmp_path, make_item):
    """A file with two new items of known tastes, one that the model knows, and two that are broken."""
    folder = tmp_path / "new"
    folder.mkdir()
    random = np.random.default_rng(5)
    rows = [
        make_item(folder, "n1", "ocean", random),
        make_item(folder, "n2", "space", random),
        make_item(folder, "i000", "castle", random),
        {**make_item(folder, "n3", "garden", random), "picture": "broken.png"},
        {**make_item(folder, "n4", "garden", random), "item_id": ""},
    ]
    (folder / "broken.png").write_bytes(b"no picture")
    (folder / "new.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    return folder / "new.jsonl"


@pytest.fixture
def versions(shop, tmp_path):
    return shutil.copytree(shop.versions, tmp_path / "versions")


def test_new_items_are_in_the_next_version_and_found_by_their_content(tfrec, shop, versions, new_items):
    from tfrec.serving import Client, serve

    with serve(versions, model_name="shop", grpc_port=0, rest_api_port=None, poll_wait=0.1) as server:
        done = tfrec("add-items", "--model", versions, "--items", new_items, "--out", versions, "--json")
        assert done.status == 0, done.err
        assert done.json["version"] == str(versions / "2")
        assert (done.json["added"], done.json["replaced"], done.json["quarantined"]) == (3, 1, 1)
        with Client(server.grpc_address, "shop", timeout=20) as client:
            while client.metadata().version != 2:
                pass
            similar = client.similar("n1", 3).item_ids
            found = client.search("whale coral sailor harbour", k=8).item_ids
    assert "n1" in found
    assert [shop.world.item_taste.get(item) for item in similar].count("ocean") >= 2


def test_what_is_wrong_with_the_new_items_is_told_with_its_row(tfrec, versions, new_items, tmp_path):
    done = tfrec("add-items", "--model", versions, "--items", new_items, "--out", tmp_path / "grown")
    assert done.status == 0, done.err
    assert "new.jsonl, row 4, column picture: the content is no picture" in done.out
    assert "new.jsonl, row 5, column item_id: the row has no item id; quarantined" in done.out
    assert f"3 items added, 1 replaced, 1 quarantined; wrote {tmp_path / 'grown' / '2'}" in done.out


def test_a_file_with_other_columns_is_refused(tfrec, versions, tmp_path, one_sentence):
    (tmp_path / "new.csv").write_text("item_id,name\nn1,A whale\n")
    refused = tfrec("add-items", "--model", versions, "--items", tmp_path / "new.csv", "--out", versions)
    assert "names the column 'title'" in one_sentence(refused)
    assert not (versions / "2").exists()


def test_wrong_paths_are_refused(tfrec, versions, tmp_path, one_sentence):
    ask = ("add-items", "--items", tmp_path / "none.csv", "--out", versions)
    assert "none.csv does not exist; check --items" in one_sentence(tfrec(*ask, "--model", versions))
    assert "holds no model" in one_sentence(tfrec(*ask, "--model", tmp_path))
