import itertools
import json

import pytest


@pytest.mark.slow
def test_a_server_of_made_up_items_is_loaded_through_both_apis_in_turn(tfrec, tmp_path):
    command = ["benchmark", "serving", "--items", 300, "--index", "exact", "--seconds", 1, "--connections", 2]
    out = tmp_path / "loads"
    done = tfrec(*command, "--rates", "20", "--most", 20, "--api", "grpc,rest", "--rounds", 2, "--out", out)
    assert done.status == 0, done.err
    loads = json.loads(out.with_suffix(".json").read_text())["loads"]
    assert [load["errors"] for load in loads] == [{}] * 16 and {load["requests"] for load in loads} == {20}
    settings = [(load["round"], load["batching"], load["api"], load["asked"]) for load in loads]
    assert settings == list(itertools.product((0, 1), ("off", "on"), ("grpc", "rest"), (None, 20)))
    page = out.with_suffix(".md").read_text()
    assert "batching on over off, grpc" in page and "api rest over grpc, batching off" in page


def test_a_server_that_runs_already_is_loaded(tfrec, server, tmp_path):
    out = tmp_path / "loads"
    command = ["--name", "shop", "--seconds", 1, "--connections", 2, "--most", 10, "--rates", "20", "--out", out]
    done = tfrec("benchmark", "serving", "--server", server, *command)
    assert done.status == 0, done.err
    loads = json.loads(out.with_suffix(".json").read_text())["loads"]
    assert [(load["asked"], load["requests"], load["errors"]) for load in loads] == [(None, 10, {}), (20, 10, {})]
    assert f"--server {server} --name shop" in out.with_suffix(".md").read_text()


def test_what_is_not_known_is_one_sentence(tfrec):
    assert "--index is 'scann'" in tfrec("benchmark", "serving", "--index", "scann").err
    assert "needs the --rest-url" in tfrec("benchmark", "serving", "--server", "a:1", "--api", "rest").err
    assert "--rates is 'many'" in tfrec("benchmark", "serving", "--rates", "many").err
