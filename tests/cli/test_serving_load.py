import json

import pytest


@pytest.mark.slow
def test_a_server_of_made_up_items_is_loaded_through_both_apis(tfrec, tmp_path):
    command = ["benchmark", "serving", "--items", 300, "--index", "exact", "--seconds", 1, "--connections", 2]
    for api, batching in (("grpc", "off"), ("rest", "on")):
        out = tmp_path / api
        done = tfrec(*command, "--rates", "20", "--most", 40, "--api", api, "--batching", batching, "--out", out)
        assert done.status == 0, done.err
        most, fixed = json.loads(out.with_suffix(".json").read_text())["loads"]
        assert most["errors"] == fixed["errors"] == {}
        assert (most["asked"], most["requests"]) == (None, 40)
        assert (fixed["asked"], fixed["requests"]) == (20, 20)
        assert f"--batching {batching} " in out.with_suffix(".md").read_text()


def test_what_is_not_known_is_one_sentence(tfrec):
    assert "--index is 'scann'" in tfrec("benchmark", "serving", "--index", "scann").err
    assert "--rates is 'many'" in tfrec("benchmark", "serving", "--rates", "many").err
